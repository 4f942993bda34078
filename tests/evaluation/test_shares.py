"""Shares against SciPy's interval, and their standard error against cases known beforehand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[import-untyped]

from genlab.evaluation.shares import share, share_over_groups, wilson_interval


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = wilson_interval(successes, trials)
    expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= low <= successes / trials <= high <= 1


def test_a_share_of_nothing_has_no_value() -> None:
    assert share(0, 0) == {"value": None, "interval": None, "successes": 0, "count": 0}
    assert share_over_groups([], [])["value"] is None
    assert share_over_groups([0, 0], [0, 0])["standard_error"] is None


def test_a_share_is_pooled_over_groups() -> None:
    figures = share_over_groups([1, 0, 3], [1, 0, 9])
    assert (figures["value"], figures["successes"], figures["count"]) == (0.4, 4, 10)


def test_the_standard_error_of_equal_groups_is_that_of_their_means() -> None:
    successes, size = [3, 5, 9, 2], 10
    expected = np.std([s / size for s in successes], ddof=1) / math.sqrt(4)
    assert share_over_groups(successes, [size] * 4)["standard_error"] == pytest.approx(expected)


def test_groups_that_are_alike_within_have_the_larger_standard_error() -> None:
    alike = share_over_groups([10, 0, 10, 0], [10] * 4)["standard_error"]
    mixed = share_over_groups([5, 5, 5, 5], [10] * 4)["standard_error"]
    assert mixed == 0.0
    assert alike == pytest.approx(0.5 / math.sqrt(3))


def test_one_group_has_no_standard_error() -> None:
    assert share_over_groups([1, 0], [2, 0])["standard_error"] is None
