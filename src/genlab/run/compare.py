"""``genlab compare``: runs side by side, from what their evaluations say; nothing is measured here."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genlab.checks import refuse
from genlab.reporting.comparison import LIKE_REAL, MARK, Comparison, as_markdown, compare
from genlab.reporting.markdown import write_figures
from genlab.reporting.runs import find_runs, read_run
from genlab.run.outcome import Outcome


def main(cfg: DictConfig) -> Outcome:
    """Print the table, and write it. Raises ``ValueError`` for folders that are no runs, or have not been evaluated."""
    output = None if cfg.output is None else Path(str(cfg.output)).expanduser()
    if output is not None and output.suffix != ".md":
        raise refuse("output", "end in .md", str(output), "output")
    patterns = [str(run) for run in cfg.runs] if isinstance(cfg.runs, ListConfig) else [str(cfg.runs)]
    comparison = compare([read_run(folder) for folder in find_runs(patterns)])
    if output is not None:
        try:
            write_figures(output, as_markdown(comparison))
        except OSError as error:
            rule = f"be a file that can be written ({error.strerror})"
            raise refuse("output", rule, str(output), "output") from error
    _show(comparison)
    if output is not None:
        print(f"written to {output}")
    return Outcome()


def _show(comparison: Comparison) -> None:
    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", overflow="fold", width=24)
    for name in (*comparison.labels, "real data", "better"):
        table.add_column(name, overflow="fold")
    group = ""
    for row in comparison.rows:
        if row.group != group:
            table.add_row(Text(row.group, style="bold"))
            group = row.group
        table.add_row(
            Text(f"  {row.name}{', %' if row.unit.startswith('%') else ''}"),
            *(_cell(text, index == row.best) for index, text in enumerate(row.cells)),
            row.floor,
            {LIKE_REAL: "as real"}.get(row.better or "", row.better),
        )
    console.print(table)
    for note in comparison.notes:
        console.print(Text(note), soft_wrap=True)


def _cell(text: str, is_best: bool) -> Text:
    return Text(f"{text} {MARK}", style="bold green") if is_best else Text(text)
