"""What a benchmark leaves behind: a JSON file with every round, a table on the screen, and one in the documentation."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from genlab.benchmarks.rounds import Case, Comparison

HEADINGS = ("what", "size", "beside", "genlab", "the other", "ratio (quartiles)", "target", "reached")
TABLE_BEGINS, TABLE_ENDS = "<!-- the table begins -->", "<!-- the table ends -->"


@dataclass(frozen=True)
class Record:
    """All cases of one run of the command, and where and with what it ran."""

    ended: str
    seconds: float
    rounds: int
    quick: bool
    commit: str | None
    dirty: bool | None
    versions: dict[str, str | None]
    machine: dict[str, Any]
    cases: list[Case]


def write_record(path: Path, record: Record) -> None:
    """Write the record as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(record), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def rows(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    """The table's cells, a row a comparison, in the order of ``HEADINGS``."""
    return [_row(case, comparison) for case in cases for comparison in case.comparisons]


def _row(case: Case, found: Comparison) -> tuple[str, ...]:
    peer = f"{found.peer}, {found.setting}" if found.setting else found.peer
    spread = f"{_times(found.ratio.lower_quartile)} to {_times(found.ratio.upper_quartile)}"
    return (
        f"{case.what} ({case.unit})",
        case.size,
        peer,
        _rate(found.our_rate),
        _rate(found.peer_rate),
        f"{_times(found.ratio.median)} ({spread})",
        f"{found.target:g}",
        "yes" if found.reached else "no",
    )


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


def _times(ratio: float) -> str:
    """A ratio with enough digits to be told from its target."""
    return f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


def print_table(console: Console, record: Record) -> None:
    """Show the table and the conditions it was measured under."""
    table = Table(title="genlab beside what people would use instead")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if number < 3 else "right")
    for row in rows(record.cases):
        style = "green" if row[-1] == "yes" else "red"
        table.add_row(*row[:-1], f"[{style}]{row[-1]}[/]")
    console.print(table)
    console.print(conditions(record))


def conditions(record: Record) -> str:
    """One sentence on machine, versions and method."""
    machine, versions = record.machine, record.versions
    changed = " with changes" if record.dirty else ""
    commit = f"commit {record.commit[:10]}{changed}" if record.commit else "no commit"
    return (
        f"{record.rounds} rounds on {machine['processor']}, {machine['cores']} cores ({machine['capability']}); "
        f"Python {versions['python']}, torch {versions['torch']}, numpy {versions['numpy']}, "
        f"numba {versions['numba']}; {commit}; {record.ended}, {record.seconds:.0f} s."
    )


def markdown(record: Record) -> str:
    """The table and its conditions as Markdown."""
    lines = [HEADINGS, ("---", "---", "---", *["---:"] * (len(HEADINGS) - 3)), *rows(record.cases)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{table}\n\n{conditions(record)}"


def write_docs(path: Path, record: Record) -> None:
    """Put the table between the two markers of a Markdown file; raises ``ValueError`` for a file without them."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, begins, rest = text.partition(TABLE_BEGINS)
    _, ends, after = rest.partition(TABLE_ENDS)
    if not (begins and ends):
        raise ValueError(f"`--write-docs` must have the lines {TABLE_BEGINS} and {TABLE_ENDS} in {path}")
    path.write_text(f"{before}{begins}\n\n{markdown(record)}\n\n{ends}{after}", encoding="utf-8")
