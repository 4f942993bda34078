"""What counts as slower, on made-up ratios."""

from dataclasses import replace

import pytest

from genlab.benchmarks.check import is_slower, verdict
from genlab.benchmarks.record import Record
from genlab.benchmarks.rounds import Case, compare, spread


def record(*ratios: float, what: str = "training", processor: str = "one") -> Record:
    """A record with one case, in which we were so many times as fast, round by round."""
    rates = {"we": list(ratios), "they": [1.0] * len(ratios)}
    case = Case(what, "100x20", "updates/s", rates, [compare(rates, "we", "they", 4)])
    return Record(
        "2026-01-31T12:00:00+00:00", 1.0, len(ratios), "bench", None, None, {}, {"processor": processor}, [case]
    )


@pytest.mark.parametrize(
    ("before", "now", "slower"),
    [
        ((5.0, 5.1, 5.2), (5.0, 5.1, 5.2), False),
        ((5.0, 5.1, 5.2), (4.0, 4.1, 4.2), True),
        ((5.0, 5.1, 5.2), (4.7, 4.7, 4.8), False),  # less than the margin
        ((3.0, 5.0, 7.0), (3.5, 4.0, 4.5), False),  # within the spread of the reference
        ((5.0, 5.1, 5.2), (3.0, 4.0, 7.0), False),  # within the spread of now
        ((5.0, 5.1, 5.2), (9.0, 9.0, 9.0), False),
    ],
)
def test_slower_is_beyond_the_margin_and_the_spread(
    before: tuple[float, ...], now: tuple[float, ...], slower: bool
) -> None:
    assert is_slower(spread(before), spread(now), rounds=3) is slower
    assert verdict(record(*before), record(*now))[1] is slower


def test_one_round_has_to_be_much_slower() -> None:
    assert not verdict(record(5.0), record(4.0))[1]
    assert verdict(record(5.0), record(3.7))[1]
    assert not verdict(record(5.0, 5.0, 5.0), record(4.0))[1]


def test_what_is_said() -> None:
    said, _ = verdict(record(5.0, 5.1, 5.2), record(4.0, 4.1, 4.2, processor="another"))
    assert "the reference is of another machine: one" in said
    assert "1 rows compared with 2026-01-31: 1 slower" in said
    assert "slower: training, 100x20, we beside they: 4.10 (4.05 to 4.15), was 5.10 (5.05 to 5.15)" in said
    assert "none slower" in verdict(record(5.0), record(5.0))[0]


def test_records_without_a_row_in_common_are_refused() -> None:
    with pytest.raises(ValueError, match="--check"):
        verdict(record(5.0), record(5.0, what="sampling"))
    both = replace(record(5.0), cases=[*record(5.0).cases, *record(1.0, what="sampling").cases])
    assert not verdict(both, record(5.0, what="sampling"))[1]
