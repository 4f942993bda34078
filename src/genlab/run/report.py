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
from genlab.run.outcome import Outcome


def main(cfg: DictConfig) -> Outcome:
    """Write the page. Raises ``ValueError`` for folders that are no runs."""
    patterns = [str(run) for run in cfg.runs] if isinstance(cfg.runs, ListConfig) else [str(cfg.runs)]
    records = [_with_figures(folder) for folder in find_runs(patterns)]
    output = Path(str(cfg.output)).expanduser()
    try:
        if output.suffix == ".md":
            path = write_markdown(records, output, _command(patterns, output))
        else:
            path = write_page(records, output, title=str(cfg.title))
    except OSError as error:
        raise refuse("output", f"be a file that can be written ({error.strerror})", str(output), "output") from error
    print(f"{len(records)} run{'s' if len(records) != 1 else ''} on one page: open {path}")
    return Outcome("done", path.parent)


def _command(patterns: Sequence[str], output: Path) -> str:
    runs = patterns[0] if len(patterns) == 1 else f"[{','.join(patterns)}]"
    return shlex.join(["genlab", "report", f"runs={runs}", f"output={output}"])


def _with_figures(folder: Path) -> RunRecord:
    """The run, its figures drawn anew from what it logged and from what it was measured at."""
    record = read_run(folder)
    drawn = [*draw_curves(record, folder / "figures"), *draw_figures(record, folder / "figures")]
    return read_run(folder) if drawn else record
