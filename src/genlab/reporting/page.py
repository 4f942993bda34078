"""One self-contained HTML page about any number of studies and runs: no network, no script, images inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genlab.reporting import sections
from genlab.reporting.claim_views import count_verdicts, view_claims
from genlab.reporting.pictures import Picture, figure_pictures, progress_pictures, sample_pictures
from genlab.reporting.runs import RunRecord, run_label
from genlab.reporting.study_views import StudyView, view_studies
from genlab.reporting.texts import TextSection, text_sections
from genlab.studies.folder import StudyRecord
from genlab.studies.ledger import LedgerRow


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


@dataclass(frozen=True)
class Summary:
    """What the page is about, in numbers."""

    studies: int
    study_runs: int
    runs: int

    def __str__(self) -> str:
        """As the head of the page says it."""
        single = _counted(self.runs, "run" if not self.studies else "other run")
        if not self.studies:
            return single
        of_studies = f"{_counted(self.studies, 'study', 'studies')} of {_counted(self.study_runs, 'run')}"
        return f"{of_studies}, {single}" if self.runs else of_studies


def write_page(
    runs: Sequence[RunRecord],
    path: Path,
    title: str = "genlab report",
    studies: Sequence[StudyRecord] = (),
    ledger: Sequence[LedgerRow] = (),
) -> Path:
    """Write the page about ``studies``, their claims and the other ``runs`` to ``path`` and return it.

    Shows what the records hold, whatever the model: every figure of the run folder, every evaluation result,
    every sample, be it a text or a picture. A run of one of the studies is a line of its study's table of runs; the
    studies' figures are those that :func:`genlab.reporting.study_figures.draw_study` left in their ``figures/``.
    Raises ValueError where there is nothing to show and for a picture that is none.
    """
    if not runs and not studies:
        raise ValueError("`runs` must hold at least one run; got none (runs)")
    single = _outside(runs, studies)
    views = [_view(record, f"run-{number}", run_label(record, single)) for number, record in enumerate(single, 1)]
    study_views = view_studies(studies, ledger)
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(
            title=title,
            about=Summary(len(studies), sum(len(study.jobs) for study in studies), len(single)),
            views=views,
            studies=study_views,
            claims=view_claims(ledger, {(view.record.name, view.record.budget): view.anchor for view in study_views}),
            verdicts=count_verdicts(ledger),
            warnings=_warnings([*study_views, *views]),
            nothing=sections.NOTHING,
        )
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _outside(runs: Sequence[RunRecord], studies: Sequence[StudyRecord]) -> list[RunRecord]:
    """The runs that belong to none of the studies."""
    inside = {job.folder.resolve() for study in studies for job in study.jobs}
    return [record for record in runs if record.folder.resolve() not in inside]


def _warnings(views: Sequence[RunView | StudyView]) -> dict[str, list[str]]:
    """Each warning once, with the labels of the runs and studies that it is about."""
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
        texts=text_sections(record.samples),
        provenance=sections.provenance_rows(record),
        command=sections.command(record),
    )
