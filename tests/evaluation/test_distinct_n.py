"""distinct-n where it can be counted by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation.distinct_n import DistinctN, distinct_n
from genlab.evaluation.protocols import TextData


@pytest.mark.parametrize(
    ("sequences", "n", "expected"),
    [
        (["aaaa"], 1, 0.25),
        (["abcd"], 2, 1.0),
        (["abab"], 2, 2 / 3),
        (["ab", "ab"], 2, 0.5),
        (["ab", "cd"], 2, 1.0),
        ([["to", "be", "to", "be"]], 2, 2 / 3),
        (["ab", ""], 3, None),
        ([], 1, None),
    ],
)
def test_by_hand(sequences: list[Any], n: int, expected: float | None) -> None:
    assert distinct_n(sequences, n) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.text("abc", max_size=10), max_size=5), st.integers(1, 5))
def test_lies_in_a_share_and_falls_when_all_is_said_twice(texts: list[str], n: int) -> None:
    once, twice = distinct_n(texts, n), distinct_n(texts + texts, n)
    if once is None:
        assert twice is None
    else:
        assert 0 < once <= 1
        assert twice == pytest.approx(once / 2)


def test_the_result_has_all_orders_over_words_and_characters(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: "to be to be.")
    held_out = "one two three four five."
    result = DistinctN(count=1, length=12, max_n=3)(model, TextData(train="", held_out=held_out))
    assert result["words"] == {"1": 0.5, "2": pytest.approx(2 / 3), "3": 1.0}
    assert (result["value"], result["count"]) == (pytest.approx(2 / 3), 3)
    assert result["characters"]["1"] == pytest.approx(6 / 12)
    assert result["held_out"]["words"]["1"] == 1.0


def test_too_little_held_out_text_stands_beside_nothing(fake_model: Any) -> None:
    model = fake_model(says=lambda *_: "a b ")
    assert DistinctN(count=2, length=10)(model, TextData(train="", held_out="x" * 19))["held_out"] is None


@pytest.mark.parametrize("text", ["", "a", "one two", "1 2 3"])
def test_without_two_whole_words_there_is_no_value(fake_model: Any, text: str) -> None:
    result = DistinctN()(fake_model(says=lambda *_: text), TextData(train="", held_out=""))
    assert (result["value"], result["count"]) == (None, 0)


def test_max_n_is_checked() -> None:
    with pytest.raises(ValueError, match=r"`max_n` .* got 1 \(evaluators\.distinct_n\.max_n\)"):
        DistinctN(max_n=1)
    with pytest.raises(ValueError, match=r"\(evaluators\.distinct_n\.count\)"):
        DistinctN(count=0)
