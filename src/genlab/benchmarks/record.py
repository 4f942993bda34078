"""What a benchmark leaves behind: a JSON file with every round, a table on the screen, and one in the documentation."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from genlab.benchmarks.curves import Curve, draw_curves
from genlab.benchmarks.rounds import Case, Comparison, Limit, Ratio

HEADINGS = ("what", "size", "beside", "genlab", "the other", "ratio (quartiles)", "target", "reached")
MEMORY_HEADINGS = ("what", "size", "who", "peak MiB")
TABLE_BEGINS, TABLE_ENDS = "<!-- the table begins -->", "<!-- the table ends -->"


@dataclass(frozen=True)
class Record:
    """All cases of one run of the command, and where and with what it ran.

    ``plan`` is the plan's name, ``curves`` how cost grows where that was measured, ``warnings`` what must be said
    beside the figures, ``failures`` why a case that was asked for could not be measured. ``earlier`` tells under which
    conditions the cases were measured that an update has kept.
    """

    ended: str
    seconds: float
    rounds: int
    plan: str
    commit: str | None
    dirty: bool | None
    versions: dict[str, str | None]
    machine: dict[str, Any]
    cases: list[Case]
    curves: list[Curve] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    earlier: list[str] = field(default_factory=list)


def updated(before: Record, now: Record, measured: Collection[str]) -> Record:
    """``now``, with what ``before`` has beside it: rows keep their places, new ones come last.

    ``measured`` names the cases that were tried now, whatever came of them.
    """
    fresh = {(case.what, case.size): case for case in now.cases}
    kept = [(case.what, case.size) for case in before.cases]
    cases = [fresh.get(key, case) for key, case in zip(kept, before.cases, strict=True)]
    cases += [case for key, case in fresh.items() if key not in kept]
    drawn = {(curve.what, curve.axis): curve for curve in [*before.curves, *now.curves]}
    earlier = [*before.earlier, conditions(before)] if any(case not in now.cases for case in cases) else []
    warnings = list(dict.fromkeys([*before.warnings, *now.warnings]))
    failures = {name: why for name, why in before.failures.items() if name not in measured} | now.failures
    curves = [*drawn.values()]
    return replace(now, cases=cases, curves=curves, warnings=warnings, failures=failures, earlier=earlier)


def write_record(path: Path, record: Record) -> None:
    """Write the record as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(record), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_record(path: Path) -> Record:
    """A record that ``write_record`` wrote; raises ``ValueError`` for a file that is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cases = [_case(case) for case in content.pop("cases")]
        curves = [Curve(**curve) for curve in content.pop("curves")]
        return Record(**content, cases=cases, curves=curves)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"`FILE` must be a record of the benchmarks; {path}: {reason} (--check, --from, --output)"
        ) from error


def _case(content: dict[str, Any]) -> Case:
    comparisons = [Comparison(**{**found, "ratio": Ratio(**found["ratio"])}) for found in content["comparisons"]]
    limits = [Limit(**{**found, "found": Ratio(**found["found"])}) for found in content["limits"]]
    return Case(**{**content, "comparisons": comparisons, "limits": limits})


def rows(cases: Sequence[Case], rounds: int | None = None) -> list[tuple[str, ...]]:
    """The table's cells, a row a comparison and a row a limit, in the order of ``HEADINGS``.

    A row of fewer than ``rounds`` rounds, or of one, says so.
    """
    found = []
    for case in cases:
        found += [_row(case, comparison, rounds) for comparison in case.comparisons]
        found += [_limit_row(case, limit) for limit in case.limits]
    return found


def _row(case: Case, found: Comparison, rounds: int | None) -> tuple[str, ...]:
    ways = {each.ours for each in case.comparisons}
    way = found.ours.partition(", ")[2] if len(ways) > 1 else ""  # what tells our contenders of one case apart
    return (
        f"{case.what} ({case.unit})",
        f"{case.size}, {way}" if way else case.size,
        f"{found.peer}, {found.setting}" if found.setting else found.peer,
        _rate(found.our_rate),
        _rate(found.peer_rate),
        f"{_times(found.ratio.median)} ({_spread(found.ratio)})" + _fewer(case, rounds),
        "" if found.target is None else f"{found.target:g}",
        _answer(found.reached),
    )


def _limit_row(case: Case, limit: Limit) -> tuple[str, ...]:
    median, target = _rate(limit.found.median), f"{limit.limit:g} {case.unit} at most"
    return (f"{case.what} ({case.unit})", case.size, "nobody", median, "", "", target, _answer(limit.reached))


def _fewer(case: Case, rounds: int | None) -> str:
    found = _rounds(case)
    if found == 1:
        return ", one round"
    return f", {found} rounds" if rounds is not None and found < rounds else ""


def _spread(found: Ratio) -> str:
    return f"{_times(found.lower_quartile)} to {_times(found.upper_quartile)}"


def _rounds(case: Case) -> int:
    return min(map(len, case.rates.values()))


def _answer(reached: bool | None) -> str:
    return "" if reached is None else "yes" if reached else "no"


def memory_rows(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    """Who held how much memory at most, in the order of ``MEMORY_HEADINGS``."""
    return [
        (case.what, case.size, contender, f"{peak:,.0f}") for case in cases for contender, peak in case.peaks.items()
    ]


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 5 else f"{rate:.2f}"


def _times(ratio: float) -> str:
    """A ratio with enough digits to be told from its target."""
    return f"{ratio:.1f}" if ratio >= 10 else f"{ratio:.2f}"


def print_table(console: Console, record: Record) -> None:
    """Show the tables and the conditions they were measured under."""
    table = Table(title="genlab beside what people would use instead")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if number < 3 else "right")
    for row in rows(record.cases, record.rounds):
        style = {"yes": "green", "no": "red"}.get(row[-1], "default")
        table.add_row(*row[:-1], f"[{style}]{row[-1]}[/]")
    console.print(table)
    memory = Table(title="peak memory of a process")
    for number, heading in enumerate(MEMORY_HEADINGS):
        memory.add_column(heading, justify="left" if number < 3 else "right")
    for row in memory_rows(record.cases):
        memory.add_row(*row)
    if memory.row_count:
        console.print(memory)
    for warning in record.warnings:
        console.print(warning)
    for sentence in all_conditions(record):
        console.print(sentence)


def conditions(record: Record) -> str:
    """One sentence on machine, versions and method."""
    machine, versions = record.machine, record.versions
    changed = " with changes" if record.dirty else ""
    commit = f"commit {record.commit[:10]}{changed}" if record.commit else "no commit"
    rounds = f"{record.rounds} round{'s' if record.rounds > 1 else ''}"
    return (
        f"{rounds} on {machine['processor']}, {machine['cores']} cores ({machine['capability']}); "
        f"Python {versions['python']}, torch {versions['torch']}, numpy {versions['numpy']}, "
        f"numba {versions['numba']}; {commit}; {record.ended}, {record.seconds:.0f} s."
    )


def all_conditions(record: Record) -> list[str]:
    """The record's conditions, and those of the rows that were measured before it."""
    return [conditions(record), *(f"Rows that were not measured then: {sentence}" for sentence in record.earlier)]


def markdown(record: Record, pictures: Sequence[str] = ()) -> str:
    """The tables, what they were measured under, and the pictures (paths) as Markdown."""
    parts = [table(HEADINGS, 3, rows(record.cases, record.rounds)), *record.warnings, *all_conditions(record)]
    if peaks := memory_rows(record.cases):
        parts += ["Peak memory of a process (of its largest one, where there are several):"]
        parts += [table(MEMORY_HEADINGS, 3, peaks)]
    return "\n\n".join([*parts, *(f"![how cost grows with {Path(path).stem}]({path})" for path in pictures)])


def table(headings: Sequence[str], left: int, body: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first ``left`` are of figures."""
    lines = [headings, [*["---"] * left, *["---:"] * (len(headings) - left)], *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write_docs(path: Path, record: Record) -> None:
    """Put the tables between the two markers of a Markdown file, and pictures of the curves into a folder beside it.

    The folder has the file's name without its ending. Raises ``ValueError`` for a file without the markers.
    """
    folder = path.with_suffix("")
    refuse_without_markers(path)
    pictures = [f"{folder.name}/{name}" for name in draw_curves(record.curves, folder)]
    between_markers(path, markdown(record, pictures))


def between_markers(path: Path, text: str) -> None:
    """Put text between the two markers of a Markdown file; raises ``ValueError`` for a file without them."""
    before, after = refuse_without_markers(path)
    path.write_text(f"{before}{TABLE_BEGINS}\n\n{text}\n\n{TABLE_ENDS}{after}", encoding="utf-8")


def refuse_without_markers(path: Path) -> tuple[str, str]:
    """What stands before and after the two markers of a file; raises ``ValueError`` where they are not there."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, begins, rest = text.partition(TABLE_BEGINS)
    _, ends, after = rest.partition(TABLE_ENDS)
    if not (begins and ends):
        raise ValueError(f"`--write-docs` must have the lines {TABLE_BEGINS} and {TABLE_ENDS} in {path}")
    return before, after
