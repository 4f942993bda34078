"""What a page shows of studies and of the claims that they decide, as plain values: no HTML here."""

from collections.abc import Sequence
from dataclasses import dataclass

from genlab.reporting.claim_views import ClaimView, view_claims
from genlab.reporting.figure_specs import FigureSpec, read_figures
from genlab.reporting.pictures import Picture, progress_pictures, read_picture, sample_pictures
from genlab.reporting.sections import NOTHING, duration, number, warnings
from genlab.reporting.study_figures import figure_caption
from genlab.reporting.study_labels import arm_text
from genlab.reporting.study_tables import StudyTable, study_tables
from genlab.reporting.texts import TextSection, text_sections
from genlab.studies.folder import JobRecord, StudyRecord
from genlab.studies.ledger import LedgerRow
from genlab.studies.observations import observe

LONG_TABLE = 16
"""A table after the first is folded from here on."""
_OF_TRAINING = "training.txt"
"""What was written while a model learned is looked at in its run, not in its study."""


@dataclass(frozen=True)
class Chart:
    """One figure of a study; ``wide`` ones are many small images, which a narrow screen moves through sideways."""

    picture: Picture
    title: str
    caption: str
    wide: bool


@dataclass(frozen=True)
class ArmSamples:
    """What the first run of an arm that is done generated."""

    label: str
    seed: int
    folder: str
    progress: list[Picture]
    pictures: list[Picture]
    texts: list[TextSection]


@dataclass(frozen=True)
class JobView:
    """One run as a line of its study's table."""

    name: str
    seed: int
    state: str
    reason: str
    iterations: str
    time: str
    folder: str


@dataclass(frozen=True)
class StudyView:
    """One study at one budget as the template shows it; ``anchor`` is unique on the page."""

    anchor: str
    label: str
    record: StudyRecord
    question: str
    done: int
    time: str
    warnings: list[str]
    charts: list[Chart]
    not_drawn: list[str]
    tables: list[StudyTable]
    folded: list[bool]
    samples: list[ArmSamples]
    claims: list[ClaimView]
    jobs: list[JobView]
    command: str


def is_of(row: LedgerRow, study: StudyRecord) -> bool:
    """Whether it is this study, at this budget, that decided the claim."""
    return (row.study, row.budget) == (study.name, study.budget)


def view_studies(studies: Sequence[StudyRecord], ledger: Sequence[LedgerRow]) -> list[StudyView]:
    """The studies as a page shows them, each with its rows of the ledger."""
    return [_view(study, f"study-{place}", _label(study, studies), ledger) for place, study in enumerate(studies, 1)]


def _label(study: StudyRecord, studies: Sequence[StudyRecord]) -> str:
    """The study's name, with its budget where it is on the page at several."""
    alone = sum(other.name == study.name for other in studies) == 1
    return study.name if alone else f"{study.name} / {study.budget}"


def _view(study: StudyRecord, anchor: str, label: str, ledger: Sequence[LedgerRow]) -> StudyView:
    specs = read_figures(study.definition)
    charts = {spec.name: chart for spec in specs if (chart := _chart(study, spec)) is not None}
    tables = study_tables(study, observe(study))
    done = [job for job in study.jobs if job.state == "done"]
    seconds = [job.run.status.get("seconds") or 0.0 for job in done if job.run is not None]
    said = [warning for job in study.jobs if job.run is not None for warning in warnings(job.run)]
    return StudyView(
        anchor=anchor,
        label=label,
        record=study,
        question=str(study.definition.get("question") or ""),
        done=len(done),
        time=duration(sum(seconds)) if seconds else NOTHING,
        warnings=list(dict.fromkeys(said)),
        charts=list(charts.values()),
        not_drawn=[spec.title for spec in specs if spec.name not in charts],
        tables=tables,
        folded=[place > 0 and len(table.rows) >= LONG_TABLE for place, table in enumerate(tables)],
        samples=_samples(study, has_grids=any(chart.wide for chart in charts.values())),
        claims=view_claims([row for row in ledger if is_of(row, study)], {}),
        jobs=[_job(job) for job in study.jobs],
        command=study.command,
    )


def _chart(study: StudyRecord, spec: FigureSpec) -> Chart | None:
    """A figure that was drawn; None for one that was not."""
    path = study.folder / "figures" / f"{spec.name}.png"
    if not path.is_file():
        return None
    caption = figure_caption(study.definition, spec)
    return Chart(read_picture(path, spec.title), spec.title, caption, wide=spec.kind == "grids")


def _samples(study: StudyRecord, has_grids: bool) -> list[ArmSamples]:
    """What each arm generated, by the first of its runs that is done; the passes only where no figure shows them."""
    first: dict[str, JobRecord] = {}
    for job in study.jobs:
        if job.run is not None and job.state == "done":
            first.setdefault(arm_text(job.arm), job)
    found = [_arm_samples(label, job, has_grids) for label, job in first.items()]
    return [arm for arm in found if arm.progress or arm.pictures or arm.texts]


def _arm_samples(label: str, job: JobRecord, has_grids: bool) -> ArmSamples:
    assert job.run is not None
    texts = {name: text for name, text in job.run.samples.items() if name != _OF_TRAINING}
    return ArmSamples(
        label=label,
        seed=job.seed,
        folder=str(job.folder),
        progress=[] if has_grids else progress_pictures(job.run.pictures),
        pictures=sample_pictures(job.run.pictures),
        texts=text_sections(texts),
    )


def _job(job: JobRecord) -> JobView:
    status = {} if job.run is None else job.run.status
    return JobView(
        name=job.name,
        seed=job.seed,
        state=job.state,
        reason=job.reason,
        iterations=number(status.get("iterations")),
        time=duration(status.get("seconds")),
        folder=str(job.folder),
    )
