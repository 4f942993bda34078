"""The Witten-Bell model against a slow one written from the formula, and against figures known beforehand."""

import math
import time
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from genlab.baselines.ngram import WittenBell


def indices(text: str, alphabet: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.array([alphabet.index(symbol) for symbol in text], dtype=np.int64)


class SlowWittenBell:
    """The formula with dictionaries, one probability at a time."""

    def __init__(self, train: list[int], vocabulary_size: int, order: int) -> None:
        self.vocabulary_size, self.order = vocabulary_size, order
        self.after: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for place, symbol in enumerate(train):
            for length in range(min(order, place + 1)):
                self.after[tuple(train[place - length : place])][symbol] += 1

    def probability(self, symbol: int, context: tuple[int, ...]) -> float:
        lower = self.probability(symbol, context[1:]) if context else 1 / self.vocabulary_size
        counts = self.after.get(context)
        return (counts[symbol] + len(counts) * lower) / (counts.total() + len(counts)) if counts else lower

    def log_prob(self, text: list[int]) -> list[float]:
        if not self.order:
            return [-math.log(self.vocabulary_size)] * len(text)
        reach = self.order - 1
        return [
            math.log(self.probability(symbol, tuple(text[max(0, place - reach) : place])))
            for place, symbol in enumerate(text)
        ]


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, list[int], list[int], int]:
    vocabulary_size = draw(st.integers(1, 4))
    symbols = st.integers(0, vocabulary_size - 1)
    train, text = draw(st.lists(symbols, max_size=40)), draw(st.lists(symbols, max_size=20))
    return vocabulary_size, train, text, draw(st.integers(0, 6))


@given(cases())
def test_equals_the_formula_written_with_dictionaries(case: tuple[int, list[int], list[int], int]) -> None:
    vocabulary_size, train, text, order = case
    model = WittenBell.fit(np.array(train, dtype=np.int64), vocabulary_size, order)
    expected = SlowWittenBell(train, vocabulary_size, order).log_prob(text)
    assert_allclose(model.log_prob(np.array(text, dtype=np.int64)), expected, rtol=1e-12)


@given(cases())
def test_probabilities_after_any_context_sum_to_one_and_are_those_of_log_prob(
    case: tuple[int, list[int], list[int], int],
) -> None:
    vocabulary_size, train, context, order = case
    model = WittenBell.fit(np.array(train, dtype=np.int64), vocabulary_size, order)
    probabilities = model.distribution(np.array(context, dtype=np.int64))
    each = [model.log_prob(np.array([*context, symbol]))[-1] for symbol in range(vocabulary_size)]
    assert probabilities.min() > 0
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    assert_allclose(probabilities, np.exp(each), rtol=1e-12)


@given(cases())
def test_a_row_by_order_equals_a_model_of_that_order(case: tuple[int, list[int], list[int], int]) -> None:
    vocabulary_size, train, text, order = case
    train_indices, text_indices = np.array(train, dtype=np.int64), np.array(text, dtype=np.int64)
    rows = WittenBell.fit(train_indices, vocabulary_size, order).log_prob_by_order(text_indices)
    assert rows.shape == (order + 1, len(text))
    for lower, row in enumerate(rows):
        assert_allclose(row, WittenBell.fit(train_indices, vocabulary_size, lower).log_prob(text_indices))


def test_a_bigram_model_of_abac_by_hand() -> None:
    # Unigrams of "abac" over {a, b, c, d}: c = 2, 1, 1, 0 of 4, t = 3, p_0 = 1/4: p_1 = (c + 3/4) / 7.
    # After a: b and c, once each (c = 2, t = 2). After b: a alone (c = 1, t = 1). After c: nothing.
    model = WittenBell.fit(indices("abac", "abcd"), 4, 2)
    p_a, p_b, p_d = 2.75 / 7, 1.75 / 7, 0.75 / 7
    expected = [p_a, (1 + 2 * p_b) / 4, (1 + p_a) / 2, (0 + 2 * p_d) / 4, p_a]
    assert_allclose(np.exp(model.log_prob(indices("abada", "abcd"))), expected)
    assert math.exp(model.log_prob(indices("ca", "abcd"))[1]) == pytest.approx(p_a)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50))
def test_order_1_is_the_smoothed_unigram(train: list[int]) -> None:
    model = WittenBell.fit(np.array(train), 6, 1)
    types = len(set(train))
    expected = [(train.count(symbol) + types / 6) / (len(train) + types) for symbol in range(6)]
    assert_allclose(model.distribution(np.array([3, 5])), expected)


def test_order_0_is_uniform() -> None:
    model = WittenBell.fit(indices("aab", "abc"), 3, 0)
    assert model.order == 0
    assert_allclose(model.log_prob(indices("abc", "abc")), -math.log(3))


def test_a_text_of_one_character_and_of_none() -> None:
    one = WittenBell.fit(np.array([0]), 2, 3)
    assert_allclose(np.exp(one.log_prob(np.array([0, 0, 1]))), [0.75, 0.75, 0.25])
    assert one.log_prob(np.array([], dtype=np.int64)).shape == (0,)
    nothing = WittenBell.fit(np.array([], dtype=np.int64), 2, 3)
    assert_allclose(nothing.log_prob(np.array([0, 1])), -math.log(2))


def test_a_vocabulary_of_one_is_certain() -> None:
    model = WittenBell.fit(np.zeros(5, dtype=np.int64), 1, 4)
    assert_allclose(model.log_prob(np.zeros(7, dtype=np.int64)), 0.0, atol=1e-15)


def test_long_grams_do_not_overflow() -> None:
    # 100 ** 40 fits no integer of NumPy's; a repeated text is learnt by heart only if its grams stay apart.
    train = np.random.default_rng(0).integers(0, 100, 500)
    model = WittenBell.fit(train, 100, 40)
    assert model.order == 40
    assert np.exp(model.log_prob(train)[40:]).min() > 0.99


@pytest.mark.parametrize("wrong", [[-1], [3], [0, 7]])
def test_indices_outside_the_vocabulary_are_refused(wrong: list[int]) -> None:
    model = WittenBell.fit(np.array([0, 1, 2]), 3, 2)
    with pytest.raises(ValueError, match=rf"`indices` must lie in \[0, 3\); got {wrong[-1]} "):
        model.log_prob(np.array(wrong))
    with pytest.raises(ValueError, match="`indices`"):
        WittenBell.fit(np.array(wrong), 3, 2)


@pytest.mark.parametrize("wrong", [np.array([0.5]), np.zeros((2, 2), dtype=np.int64), np.int64(1)])
def test_other_arrays_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="`indices` must be a one-dimensional array of integers"):
        WittenBell.fit(wrong, 3, 2)


def test_sizes_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="`vocabulary_size` must be an integer >= 1; got 0"):
        WittenBell.fit(np.array([0]), 0, 2)
    with pytest.raises(ValueError, match="`order` must be an integer >= 0; got -1"):
        WittenBell.fit(np.array([0]), 1, -1)


def test_a_million_characters_take_seconds() -> None:
    text = np.random.default_rng(0).geometric(0.1, 1_100_000).clip(1, 65) - 1
    start = time.perf_counter()
    WittenBell.fit(text, 65, 5).log_prob(text[:100_000])
    assert time.perf_counter() - start < 20, "a loop over characters in Python would take minutes"
