"""One self-contained HTML page about any number of runs: no network, no script, images inside."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genlab.reporting import sections
from genlab.reporting.runs import RunRecord
from genlab.reporting.texts import (
    Passage,
    first_middle_last,
    plain_passage,
    temperature_passages,
    training_passages,
)

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FIGURES_FIRST = ("loss", "accuracy")


@dataclass(frozen=True)
class Picture:
    """A PNG as a data URI, its file's name and the caption which that gives."""

    caption: str
    file: str
    uri: str


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
    pictures: list[Picture]
    measures: list[sections.Measure]
    bars: list[sections.Bar]
    texts: list[TextSection]
    provenance: list[tuple[str, str]]
    command: str


def write_page(runs: Sequence[RunRecord], path: Path, title: str = "genlab report") -> Path:
    """Write the page about ``runs`` to ``path`` and return it.

    Shows what the records hold, whatever the model: every figure of the run folder, every evaluation result,
    every text sample. Raises ValueError where there is no run to show and for a figure that is no PNG.
    """
    if not runs:
        raise ValueError("`runs` must hold at least one run; got none (runs)")
    views = [_view(record, f"run-{number}", _label(record, runs)) for number, record in enumerate(runs, 1)]
    template = _environment().get_template("page.html.j2")
    page = template.render(title=title, views=views, nothing=sections.NOTHING)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,  # samples and configs are foreign text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _label(record: RunRecord, runs: Sequence[RunRecord]) -> str:
    """The experiment's name, with the folder's where several runs share it."""
    alone = sum(other.name == record.name for other in runs) == 1
    return record.name if alone else f"{record.name} / {record.folder.name}"


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
        pictures=[_picture(path) for path in sorted(record.figures, key=_figure_order)],
        measures=sections.measures(record),
        bars=sections.floor_bars(record),
        texts=_text_sections(record.samples),
        provenance=sections.provenance_rows(record),
        command=sections.command(record),
    )


def _figure_order(path: Path) -> tuple[int, str]:
    rank = _FIGURES_FIRST.index(path.stem) if path.stem in _FIGURES_FIRST else len(_FIGURES_FIRST)
    return rank, path.stem


def _picture(path: Path) -> Picture:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    if not content.startswith(_PNG_SIGNATURE):
        raise ValueError(f"{path}: not a PNG image")
    return Picture(_title(path), path.name, f"data:image/png;base64,{base64.b64encode(content).decode()}")


def _title(path: Path) -> str:
    name = sections.words(path.stem)
    return name[:1].upper() + name[1:]


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
    return TextSection(_title(Path(name)), "", (plain_passage(content),), folded=True)
