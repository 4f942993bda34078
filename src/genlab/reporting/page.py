"""One self-contained HTML page about any number of runs: no network, no script, images inside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genlab.reporting import sections
from genlab.reporting.pictures import Picture, figure_pictures, progress_pictures, sample_pictures, title
from genlab.reporting.runs import RunRecord, run_label
from genlab.reporting.texts import (
    Passage,
    first_middle_last,
    plain_passage,
    temperature_passages,
    training_passages,
)


@dataclass(frozen=True)
class TextSection:
    """The texts of one sample file that a page shows; ``folded`` ones open on a click."""

    title: str
    note: str
    passages: tuple[Passage, ...]
    folded: bool


@dataclass(frozen=True)
class RunView:
    """One run as the template shows it; ``anchor`` is unique on the page."""

    anchor: str
    record: RunRecord
    label: str
    iterations: str
    time: str
    headlines: list[sections.Measure]
    settings: list[tuple[str, str]]
    full_config: str
    warnings: list[str]
    progress: list[Picture]
    samples: list[Picture]
    figures: list[Picture]
    measures: list[sections.Measure]
    bars: list[sections.Bar]
    texts: list[TextSection]
    provenance: list[tuple[str, str]]
    command: str


def write_page(runs: Sequence[RunRecord], path: Path, title: str = "genlab report") -> Path:
    """Write the page about ``runs`` to ``path`` and return it.

    Shows what the records hold, whatever the model: every figure of the run folder, every evaluation result,
    every sample, be it a text or a picture. Raises ValueError where there is no run to show and for a picture that
    is none.
    """
    if not runs:
        raise ValueError("`runs` must hold at least one run; got none (runs)")
    views = [_view(record, f"run-{number}", run_label(record, runs)) for number, record in enumerate(runs, 1)]
    template = _environment().get_template("page.html.j2")
    page = template.render(title=title, views=views, warnings=_warnings(views), nothing=sections.NOTHING)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _warnings(views: Sequence[RunView]) -> dict[str, list[str]]:
    """Each warning once, with the labels of the runs that it is about."""
    about: dict[str, list[str]] = {}
    for view in views:
        for warning in view.warnings:
            about.setdefault(warning, []).append(view.label)
    return about


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,  # samples and configs are foreign text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _view(record: RunRecord, anchor: str, label: str) -> RunView:
    return RunView(
        anchor=anchor,
        record=record,
        label=label,
        iterations=sections.number(record.status.get("iterations")),
        time=sections.duration(record.status.get("seconds")),
        headlines=sections.headlines(record),
        settings=sections.settings(record),
        full_config=yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True),
        warnings=sections.warnings(record),
        progress=progress_pictures(record.pictures),
        samples=sample_pictures(record.pictures),
        figures=figure_pictures(record.figures),
        measures=sections.measures(record),
        bars=sections.floor_bars(record),
        texts=_text_sections(record.samples),
        provenance=sections.provenance_rows(record),
        command=sections.command(record),
    )


def _text_sections(samples: dict[str, str]) -> list[TextSection]:
    """The sample files in the order of a reader's interest: unknown ones come before training's."""
    known: dict[str, Callable[[str], TextSection]] = {
        "temperature.txt": _by_temperature,
        "generated_text.txt": _generated,
        "training.txt": _from_training,
    }
    order = ["temperature.txt", "generated_text.txt", *(name for name in samples if name not in known)]
    shown = [name for name in [*order, "training.txt"] if name in samples]
    return [known[name](samples[name]) if name in known else _other(name, samples[name]) for name in shown]


def _by_temperature(content: str) -> TextSection:
    note = "The same model, asked to be careful (low) or bold (high)."
    return TextSection("Texts by temperature", note, tuple(temperature_passages(content)), folded=False)


def _generated(content: str) -> TextSection:
    return TextSection("Generated text", "", (plain_passage(content),), folded=False)


def _from_training(content: str) -> TextSection:
    every = training_passages(content)
    chosen = first_middle_last(every)
    note = f"{len(chosen)} of the {len(every):,} texts written while it learned: first, middle, last"
    return TextSection("Samples during training", note, tuple(chosen), folded=True)


def _other(name: str, content: str) -> TextSection:
    return TextSection(title(Path(name)), "", (plain_passage(content),), folded=True)
