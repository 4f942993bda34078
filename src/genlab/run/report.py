"""``genlab report``: one self-contained page from run folders, or tables for a Markdown page; nothing else is read."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from genlab.checks import refuse
from genlab.reporting.curves import draw_curves
from genlab.reporting.judgements import draw_figures
from genlab.reporting.markdown import write_markdown
from genlab.reporting.page import write_page
from genlab.reporting.runs import RunRecord, find_runs, read_run
from genlab.reporting.sheets import noting
from genlab.reporting.study_figures import draw_study
from genlab.run.outcome import Outcome
from genlab.run.study_results import ledger_of
from genlab.studies.folder import StudyRecord, find_studies, read_study
from genlab.studies.observations import observe
from genlab.studies.study import BUDGETS


def main(cfg: DictConfig) -> Outcome:
    """Write the page. Raises ``ValueError`` for folders that are no runs."""
    patterns = [str(run) for run in cfg.runs] if isinstance(cfg.runs, ListConfig) else [str(cfg.runs)]
    records = [_with_figures(folder) for folder in find_runs(patterns)]
    output = Path(str(cfg.output)).expanduser()
    try:
        if output.suffix == ".md":
            path = write_markdown(records, output, _command(patterns, output))
        else:
            studies = _studies(patterns)
            rows = ledger_of(studies).rows if studies else ()
            path = write_page(records, output, title=str(cfg.title), studies=studies, ledger=rows)
    except OSError as error:
        raise refuse("output", f"be a file that can be written ({error.strerror})", str(output), "output") from error
    print(f"{len(records)} run{'s' if len(records) != 1 else ''} on one page: open {path}")
    return Outcome("done", path.parent)


def _studies(patterns: Sequence[str]) -> list[StudyRecord]:
    """The studies in the folders that are named, their figures drawn anew; a search is shown by its runs."""
    found = {folder: None for pattern in patterns if Path(pattern).is_dir() for folder in find_studies(Path(pattern))}
    records = [read_study(folder) for folder in found if folder.name in BUDGETS]
    for record in records:
        draw_study(record, observe(record), record.folder / "figures")
    return records


def _command(patterns: Sequence[str], output: Path) -> str:
    runs = patterns[0] if len(patterns) == 1 else f"[{','.join(patterns)}]"
    return shlex.join(["genlab", "report", f"runs={runs}", f"output={output}"])


def _with_figures(folder: Path) -> RunRecord:
    """The run, its figures drawn anew from what it logged and from what it was measured at."""
    record = read_run(folder)
    with noting(record.warning):
        drawn = [*draw_curves(record, folder / "figures"), *draw_figures(record, folder / "figures")]
    return read_run(folder) if drawn else record
