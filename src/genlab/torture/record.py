"""What the suite leaves behind: a JSON file, a table on the screen, and one in the documentation."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

HEADINGS = ("what", "where", "what was done", "times", "what was seen", "as it should be")
TABLE_BEGINS, TABLE_ENDS = "<!-- the table begins -->", "<!-- the table ends -->"


@dataclass(frozen=True)
class Row:
    """One thing that was tried: in which part of the suite, on what, how often, and what was seen.

    ``ok`` is None for what could not be tried on this machine.
    """

    section: str
    where: str
    done: str
    times: int
    seen: str
    ok: bool | None
    seconds: float
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """All rows of one run of the command, and where and with what it ran."""

    ended: str
    seconds: float
    options: dict[str, Any]
    commit: str | None
    dirty: bool | None
    versions: dict[str, str | None]
    machine: dict[str, Any]
    rows: list[Row]


def verdict(wrong: Sequence[str]) -> str:
    """Nothing wrong, or how much and what first."""
    return f"{len(wrong)} differences, the first: {wrong[0]}" if wrong else "no difference"


def write_record(path: Path, record: Record) -> None:
    """Write the record as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(record), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def cells(row: Row) -> tuple[str, ...]:
    """The row's cells, in the order of ``HEADINGS``."""
    return row.section, row.where, row.done, str(row.times), row.seen, {True: "yes", False: "no", None: "-"}[row.ok]


def print_table(record: Record) -> None:
    """Show the table and the conditions it was measured under."""
    table = Table(*HEADINGS, title="genlab when things go wrong", show_lines=True)
    for row in record.rows:
        style = {True: "green", False: "red", None: "yellow"}[row.ok]
        *texts, verdict_cell = map(escape, cells(row))
        table.add_row(*texts, f"[{style}]{verdict_cell}[/]")
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=150)
    console.print(table)
    console.print(conditions(record), markup=False)


def conditions(record: Record) -> str:
    """One sentence on machine, versions and options."""
    machine, versions = record.machine, record.versions
    commit = f"commit {record.commit[:10]}{' with changes' if record.dirty else ''}" if record.commit else "no commit"
    options = ", ".join(f"{name} {value}" for name, value in record.options.items())
    return (
        f"{options}; on {machine['processor']}, {machine['cores']} cores; Python {versions['python']}, "
        f"torch {versions['torch']}, Lightning {versions['pytorch-lightning']}; {commit}; "
        f"{record.ended}, {record.seconds:.0f} s."
    )


def markdown(record: Record) -> str:
    """The table and its conditions as Markdown."""
    lines = [HEADINGS, ("---", "---", "---", "---:", "---", "---"), *(map(_escaped, map(cells, record.rows)))]
    table = "\n".join(f"| {' | '.join(each)} |" for each in lines)
    return f"{table}\n\n{conditions(record)}"


def _escaped(row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(cell.split()).replace("|", "\\|") for cell in row)


def write_docs(path: Path, record: Record) -> None:
    """Put the table between the two markers of a Markdown file; raises ``ValueError`` for a file without them."""
    write_between(path, (TABLE_BEGINS, TABLE_ENDS), markdown(record))


def write_between(path: Path, marks: tuple[str, str], content: str) -> None:
    """Put ``content`` between two lines of a Markdown file; raises ``ValueError`` for a file without them."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, begins, rest = text.partition(marks[0])
    _, ends, after = rest.partition(marks[1])
    if not (begins and ends):
        raise ValueError(f"`--write-docs` must have the lines {marks[0]} and {marks[1]} in {path}")
    path.write_text(f"{before}{begins}\n\n{content}\n\n{ends}{after}", encoding="utf-8")
