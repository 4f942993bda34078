"""What a study found, written into its folder: ``results.csv``, figures, ``claims.json`` and a report page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from genlab.reporting.page import write_page
from genlab.reporting.study_figures import draw_study
from genlab.reporting.study_tables import write_results as write_csv
from genlab.run.artifacts import write_json
from genlab.run.config_files import studies
from genlab.run.outcome import say
from genlab.run.study_plan import load_definition, runs_root
from genlab.studies.earlier import Earlier
from genlab.studies.folder import STUDY_FILE, StudyRecord, read_study
from genlab.studies.ledger import Ledger, make_ledger
from genlab.studies.observations import observe


def write_results(folder: Path, ledger: Ledger | None = None) -> Path:
    """Write all that the study in ``folder`` found, from the folders of its runs alone; returns the page.

    Its verdicts are those of ``ledger``, or of one over every study at the same budget whose runs are here, as far as
    those can be read.
    """
    study = read_study(folder)
    observations = observe(study)
    write_csv(observations, folder / "results.csv")
    draw_study(study, observations, folder / "figures")
    ledger = ledger or _ledger_with_others(study)
    own = [row for row in ledger.rows if row.study == study.name]
    write_json(folder / "claims.json", {**ledger.as_dict(), "rows": [row.as_dict() for row in own]})
    title = f"{study.name}, budget {study.budget}"
    return write_page([], folder / "report.html", title=title, studies=[study], ledger=own)


def _ledger_with_others(study: StudyRecord) -> Ledger:
    try:
        return ledger_of([study, *(other for other in at_budget(study.budget) if other.name != study.name)])
    except ValueError as error:  # another study's folder must not keep this one from its results
        ledger = ledger_of([study])
        say(f"warning: the verdicts are corrected for the claims of {study.name} alone: {error}")
        return ledger


def ledger_of(records: Sequence[StudyRecord], earlier: Mapping[str, Earlier] | None = None) -> Ledger:
    """The verdicts on the claims of all studies, those that have not been run among them.

    Where an ``earlier`` ledger has those, by claim, they stand as it found them.
    """
    return make_ledger(records, {name: load_definition(name) for name in studies()}, earlier=earlier)


def at_budget(budget: str) -> list[StudyRecord]:
    """The studies that have been run at ``budget``, by name, each from the folder that its command writes to."""
    folders = (runs_root() / name / budget for name in studies())
    return [read_study(folder) for folder in folders if (folder / STUDY_FILE).is_file()]
