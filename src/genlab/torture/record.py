"""What the suite leaves behind: a JSON file for each section, a table on the screen, and one in the documentation.

A section is recorded as soon as it ends, and its record stays until it is tried again: a suite that is broken off, or
of which one section alone is tried anew, loses nothing of the others.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genlab.whole_file import whole_file

HEADINGS = ("what", "where", "what was done", "times", "what was seen", "as it should be")
SECTIONS = ("resume", "faults", "numbers", "stopping", "determinism", "bad_input")
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
    """All rows of one section, and where and with what it ran."""

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


def write_record(folder: Path, section: str, record: Record) -> None:
    """Write the section's record as JSON."""
    with whole_file(folder / f"{section}.json") as file:
        file.write(json.dumps(asdict(record), indent=2, allow_nan=False).encode() + b"\n")


def read_records(folder: Path) -> dict[str, Record]:
    """The records of the sections that are in the folder, in the order of ``SECTIONS``."""
    found = {}
    for section in SECTIONS:
        if (path := folder / f"{section}.json").is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            found[section] = Record(**{**content, "rows": [Row(**row) for row in content["rows"]]})
    return found


def cells(row: Row) -> tuple[str, ...]:
    """The row's cells, in the order of ``HEADINGS``."""
    return row.section, row.where, row.done, str(row.times), row.seen, {True: "yes", False: "no", None: "-"}[row.ok]


def print_table(records: Mapping[str, Record]) -> None:
    """Show the table and the conditions it was measured under."""
    table = Table(*HEADINGS, title="genlab when things go wrong", show_lines=True)
    for row in (row for record in records.values() for row in record.rows):
        style = {True: "green", False: "red", None: "yellow"}[row.ok]
        *texts, verdict_cell = map(escape, cells(row))
        table.add_row(*texts, f"[{style}]{verdict_cell}[/]")
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=150)
    console.print(table)
    console.print("\n".join(conditions(records)), markup=False)


def conditions(records: Mapping[str, Record]) -> list[str]:
    """A line on machine, versions and options for each section, and one on the sections that were not tried."""
    lines = [f"- {section}: {_condition(record)}" for section, record in records.items()]
    missing = [section for section in SECTIONS if section not in records]
    return [*lines, f"- not tried: {', '.join(missing)}"] if missing else lines


def _condition(record: Record) -> str:
    machine, versions = record.machine, record.versions
    commit = f"commit {record.commit[:10]}{' with changes' if record.dirty else ''}" if record.commit else "no commit"
    options = ", ".join(f"{name} {value}" for name, value in record.options.items())
    return (
        f"{options}; on {machine['processor']}, {machine['cores']} cores; Python {versions['python']}, "
        f"torch {versions['torch']}, Lightning {versions['pytorch-lightning']}; {commit}; "
        f"{record.ended}, {record.seconds:.0f} s."
    )


def markdown(records: Mapping[str, Record]) -> str:
    """The table and its conditions as Markdown."""
    rows = [row for record in records.values() for row in record.rows]
    lines = [HEADINGS, ("---", "---", "---", "---:", "---", "---"), *(map(_escaped, map(cells, rows)))]
    table = "\n".join(f"| {' | '.join(each)} |" for each in lines)
    return "\n".join([table, "", *conditions(records)])


def _escaped(row: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(cell.split()).replace("|", "\\|") for cell in row)


def write_docs(path: Path, records: Mapping[str, Record]) -> None:
    """Put the table between the two markers of a Markdown file; raises ``ValueError`` for a file without them."""
    write_between(path, (TABLE_BEGINS, TABLE_ENDS), markdown(records))


def write_between(path: Path, marks: tuple[str, str], content: str) -> None:
    """Put ``content`` between two lines of a Markdown file; raises ``ValueError`` for a file without them."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, begins, rest = text.partition(marks[0])
    _, ends, after = rest.partition(marks[1])
    if not (begins and ends):
        raise ValueError(f"`--write-docs` must have the lines {marks[0]} and {marks[1]} in {path}")
    path.write_text(f"{before}{begins}\n\n{content}\n\n{ends}{after}", encoding="utf-8")
