"""Repetition, entropy and loops against slow definitions and texts known beforehand."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation.protocols import TextData
from genlab.evaluation.repetition import (
    Loop,
    Repetition,
    character_entropy,
    longest_loop,
    repeated_ngrams,
)

SHORT = st.text("ab", max_size=24)


@pytest.mark.parametrize(
    ("text", "n", "window", "expected"),
    [
        ("", 1, 1, (0, 0)),
        ("ab", 3, 5, (0, 0)),
        ("aaaa", 2, 1, (2, 3)),
        ("abab", 2, 1, (0, 3)),
        ("abab", 2, 2, (1, 3)),
        ("axxxa", 1, 3, (2, 5)),
        ("axxxa", 1, 4, (3, 5)),
    ],
)
def test_repeats_by_hand(text: str, n: int, window: int, expected: tuple[int, int]) -> None:
    assert repeated_ngrams(text, n, window) == expected


@given(SHORT, st.integers(1, 4), st.integers(1, 10))
def test_repeats_are_those_of_the_definition(text: str, n: int, window: int) -> None:
    starts = range(max(0, len(text) - n + 1))
    slow = sum(any(text[i : i + n] == text[j : j + n] for j in range(max(0, i - window), i)) for i in starts)
    assert repeated_ngrams(text, n, window) == (slow, len(starts))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("aaaa", 0.0), ("ab", 1.0), ("abcd" * 3, 2.0), ("aab", math.log2(3) - 2 / 3)],
)
def test_entropy_where_it_is_known(text: str, expected: float | None) -> None:
    assert character_entropy(text) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("text", "max_period", "expected"),
    [
        ("", 10, Loop()),
        ("a", 10, Loop()),
        ("abc", 10, Loop()),
        ("xabababy", 10, Loop(6, "ab")),
        ("xabababa", 10, Loop(7, "ab")),
        ("aaaa", 10, Loop(4, "a")),
        ("abcabc", 2, Loop()),
        ("abcabc", 3, Loop(6, "abc")),
        ("aab the the", 10, Loop(8, " the")),
    ],
)
def test_loops_by_hand(text: str, max_period: int, expected: Loop) -> None:
    assert longest_loop(text, max_period) == expected


@given(SHORT, st.integers(1, 12))
def test_the_loop_is_the_longest_of_the_definition(text: str, max_period: int) -> None:
    loop = longest_loop(text, max_period)
    slow = max(
        (
            end - start
            for start in range(len(text))
            for end in range(start + 2, len(text) + 1)
            for period in range(1, min(max_period, (end - start) // 2) + 1)
            if text[start + period : end] == text[start : end - period]
        ),
        default=0,
    )
    assert loop.length == slow
    assert (loop.unit * (slow + 1))[:slow] in text


def test_a_loop_of_two_letters_is_found_out(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: "e " * 100 if temperature < 1 else "abcdefgh" * 2)
    data = TextData(train="", held_out="the quick brown fox jumps over it")
    result = Repetition(count=2, length=16, n=3, temperature=0.5, temperatures=(1.5,))(model, data)
    assert result["value"] == pytest.approx(12 / 14)
    assert (result["count"], result["entropy_bits"], result["longest_loop"]) == (28, 1.0, 16)
    assert result["longest_loop_unit"] == "e "
    assert result["by_temperature"][0]["entropy_bits"] == pytest.approx(3.0)
    assert result["held_out"]["value"] == 0.0
    assert result["held_out"]["entropy_bits"] > 3


def test_texts_that_each_repeat_another_character_have_no_entropy_of_their_own(fake_model: Any) -> None:
    model = fake_model()
    model.sample = lambda count, length, **_: [letter * length for letter in "abcd"]
    result = Repetition(count=4, length=20)(model, TextData(train="", held_out=""))
    assert (result["entropy_bits"], result["entropy_bits_pooled"]) == (0.0, pytest.approx(2.0))
    assert result["longest_loop_mean"] == 20


def test_empty_texts_have_no_value(fake_model: Any) -> None:
    result = Repetition(count=2)(fake_model(), TextData(train="", held_out=""))
    assert (result["value"], result["count"], result["entropy_bits"]) == (None, 0, None)
    assert (result["longest_loop"], result["held_out"]) == (0, None)


def test_one_character_has_an_entropy_but_no_ngram(fake_model: Any) -> None:
    result = Repetition()(fake_model(says=lambda *_: "a"), TextData(train="", held_out=""))
    assert (result["value"], result["count"], result["entropy_bits"]) == (None, 0, 0.0)


@pytest.mark.parametrize("field", ["n", "window", "count"])
def test_settings_are_checked(field: str) -> None:
    settings: dict[str, Any] = {field: 0}
    with pytest.raises(ValueError, match=rf"`{field}` .*\(evaluators\.repetition\.{field}\)"):
        Repetition(**settings)
