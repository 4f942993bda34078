"""Whether anything has become slower since the figures that were committed: ratios are compared, not seconds.

A ratio tells genlab's speed in units of a peer that runs beside it, so that another machine, or a busy one, changes it
far less than it changes a time.
"""

from dataclasses import dataclass

from genlab.benchmarks.record import Record
from genlab.benchmarks.rounds import Ratio

# A row is slower when its median is lower by this share, and the quartiles of both measurements lie apart.
MARGIN = 0.1
# Where one of them has so few rounds that its quartiles say little, the median has to be lower by this share.
FEW_ROUNDS, WIDE_MARGIN = 3, 0.25

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """One row of the table, then and now."""

    key: Key
    before: Ratio
    now: Ratio
    slower: bool


def changes(before: Record, now: Record) -> list[Change]:
    """The rows that both measurements have."""
    known, found = _ratios(before), _ratios(now)
    return [
        Change(key, known[key][0], ratio, is_slower(known[key][0], ratio, min(rounds, known[key][1])))
        for key, (ratio, rounds) in found.items()
        if key in known
    ]


def is_slower(before: Ratio, now: Ratio, rounds: int) -> bool:
    """Whether ``now`` lies below ``before`` by more than the noise; ``rounds`` is the fewer of both."""
    if rounds < FEW_ROUNDS:
        return now.median < (1 - WIDE_MARGIN) * before.median
    return now.median < (1 - MARGIN) * before.median and now.upper_quartile < before.lower_quartile


def _ratios(record: Record) -> dict[Key, tuple[Ratio, int]]:
    return {
        (case.what, case.size, f"{found.ours} beside {found.peer}"): (found.ratio, min(map(len, case.rates.values())))
        for case in record.cases
        for found in case.comparisons
    }


def verdict(before: Record, now: Record) -> tuple[str, bool]:
    """What to print, and whether anything is slower.

    Raises ``ValueError`` where the two have no row in common.
    """
    both = changes(before, now)
    if not both:
        raise ValueError("`--check` must be a record with rows that were measured now; got one with none (--check)")
    lines = [_line(change) for change in both if change.slower]
    others = [f"the reference is of another machine: {before.machine['processor']}"]
    said = others if before.machine["processor"] != now.machine["processor"] else []
    said.append(f"{len(both)} rows compared with {before.ended[:10]}: {len(lines) or 'none'} slower beyond the noise")
    return "\n".join([*said, *lines]), bool(lines)


def _line(change: Change) -> str:
    before, now = change.before, change.now
    return (
        f"slower: {', '.join(change.key)}: {now.median:.2f} ({now.lower_quartile:.2f} to {now.upper_quartile:.2f}), "
        f"was {before.median:.2f} ({before.lower_quartile:.2f} to {before.upper_quartile:.2f})"
    )
