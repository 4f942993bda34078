"""The statistics, against SciPy, closed forms, brute force and simulations whose truth is known."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genlab.studies.inference import (
    Estimate,
    change_along,
    change_in_runs,
    difference,
    difference_in_runs,
    hedges_g,
    holm,
    mean_against,
    rank_correlation,
    rho_against,
    rho_interval,
    seeds_to_reach,
    variance_ratio,
)

DRAW = np.random.default_rng(7)
SAMPLES = [(DRAW.normal(1, 2, n), DRAW.normal(0, 0.5, m)) for n, m in ((2, 3), (3, 3), (5, 4), (12, 30))]
numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=6).filter(lambda xs: max(xs) - min(xs) > 1e-3)


def sides(result: Any) -> tuple[float, float]:
    """SciPy's p-values, of "less" and of "greater"."""
    return pytest.approx(result("less").pvalue, rel=1e-9), pytest.approx(result("greater").pvalue, rel=1e-9)


def both(estimate: Estimate) -> tuple[float, float]:
    return estimate.p_below, estimate.p_above


def interval(estimate: Estimate) -> tuple[float, float]:
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


# --- means -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "two"), SAMPLES)
@pytest.mark.parametrize("bound", [0.0, 0.7])
def test_the_t_tests_are_those_of_scipy(one: Any, two: Any, bound: float) -> None:
    found = mean_against(one, bound)
    assert both(found) == sides(lambda side: stats.ttest_1samp(one, bound, alternative=side))
    assert interval(found) == pytest.approx(stats.ttest_1samp(one, bound).confidence_interval())
    welch = difference(one, two, bound)
    assert both(welch) == sides(lambda side: stats.ttest_ind(one - bound, two, equal_var=False, alternative=side))
    expected = stats.ttest_ind(one, two, equal_var=False)
    assert interval(welch) == pytest.approx(expected.confidence_interval())
    assert welch.dof == pytest.approx(expected.df)
    pairs = min(len(one), len(two))
    paired = difference_in_runs(one[:pairs], two[:pairs], bound)
    assert both(paired) == sides(lambda side: stats.ttest_rel(one[:pairs] - bound, two[:pairs], alternative=side))


def test_hedges_g_of_an_example_by_hand() -> None:
    # Means 4 and 1, variances 1 and 1: 3 standard deviations, times 1 - 3 / (4 * 4 - 1).
    assert hedges_g([3, 4, 5], [0, 1, 2]) == pytest.approx(3 * (1 - 3 / 15))
    assert hedges_g([1, 1, 1], [2, 2, 2]) is None
    assert hedges_g([1], [2, 3]) is None
    assert hedges_g([0, 0], [0, 0]) is None


@given(numbers, numbers)
def test_swapping_the_arms_swaps_what_speaks_for_and_against(one: list[float], two: list[float]) -> None:
    there, back = difference(one, two), difference(two, one)
    assert both(there) == pytest.approx(both(back)[::-1])
    assert there.value == pytest.approx(-back.value)
    assert interval(there) == pytest.approx([-end for end in interval(back)[::-1]])
    assert there.p_below + there.p_above == pytest.approx(1)


@given(numbers, st.floats(0.1, 10), st.floats(-50, 50))
def test_a_mean_is_judged_the_same_in_any_unit(values: list[float], scale: float, shift: float) -> None:
    moved = [scale * value + shift for value in values]
    plain, other = mean_against(values, 1.0), mean_against(moved, scale + shift)
    assert both(other) == pytest.approx(both(plain), rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("n", [3, 5])
def test_without_any_spread_the_order_decides(n: int) -> None:
    found = difference([0.1 + 0.2] * n, [0.4] * n)
    assert both(found) == pytest.approx((1 / math.comb(2 * n, n), 1.0))
    assert (found.size, interval(found)) == (None, (found.value, found.value))
    assert "no spread" in found.note
    assert both(mean_against([2.0] * n, 1.0)) == (1.0, 0.5**n)


def test_without_spread_and_without_difference_nothing_is_said() -> None:
    for found in (difference([0.3] * 3, [0.1 + 0.2] * 3), mean_against([0.3] * 3, 0.1 + 0.2)):
        assert both(found) == (1.0, 1.0)


def test_rounding_is_no_spread() -> None:
    """0.3 - 0.2, 0.4 - 0.3 and 0.5 - 0.4 are not the same float: no reason to be sure beyond all measure."""
    found = difference_in_runs([0.3, 0.4, 0.5], [0.2, 0.3, 0.4])
    assert both(found) == (1.0, 0.125)
    assert both(difference_in_runs([0.3, 0.4, 0.5], [0.2, 0.3, 0.4], 0.1)) == (1.0, 1.0)


def test_one_value_allows_no_test() -> None:
    for found in (mean_against([3.0]), difference([3.0], [1.0, 2.0]), change_along([1, 2], [3, 4])):
        assert (*both(found), found.low, found.high) == (1.0, 1.0, None, None)


def test_one_side_without_spread_still_has_a_t_test() -> None:
    one, two = [5.0, 5.0, 5.0], [1.0, 2.0, 3.0]
    assert difference(one, two).p_above == pytest.approx(stats.ttest_1samp(two, 5.0, alternative="less").pvalue)


# --- trends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", [-0.3, 0.0, 0.2])
def test_the_slope_is_that_of_scipy(slope: float) -> None:
    x = np.repeat([20, 30, 40, 50], 3)
    y = slope * x + np.random.default_rng(1).normal(0, 2, len(x))
    found = change_along(x, y)
    line = stats.linregress(x, y)
    assert both(found) == sides(lambda side: stats.linregress(x, y, alternative=side))
    half = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    assert interval(found) == pytest.approx((30 * (line.slope - half), 30 * (line.slope + half)))


def test_points_on_a_line_are_as_sure_as_their_order() -> None:
    """Of all 6! / (2! 2! 2!) ways to deal two each of three values to three places, one is in order."""
    x, y = [1, 1, 2, 2, 3, 3], [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    ways = set(itertools.permutations(y))
    assert change_along(x, y).p_above == pytest.approx(1 / 90)
    best = max(np.dot(x, way) for way in ways)
    assert sum(np.dot(x, way) > best - 1e-12 for way in ways) / len(ways) == pytest.approx(1 / 90)
    assert both(change_along(x, [0.1] * 6)) == (1.0, 1.0)


def test_runs_with_lines_of_their_own() -> None:
    x, y = [0.4, 0.8, 1.2], [[1.0, 2.0, 3.0], [2.0, 3.1, 4.3], [5.0, 5.8, 6.9]]
    changes = [0.8 * stats.linregress(x, of_run).slope for of_run in y]
    found = change_in_runs(x, y)
    assert found.value == pytest.approx(np.mean(changes))
    assert both(found) == sides(lambda side: stats.ttest_1samp(changes, 0, alternative=side))


def test_runs_whose_slopes_differ_are_no_more_alike_for_being_long() -> None:
    """A line through all points would be wrongly sure of runs that each go their own way."""
    draw, x, pooled, by_run = np.random.default_rng(5), np.arange(20.0), 0, 0
    for _ in range(300):
        y = draw.normal(0, 1, (3, 1)) * x + draw.normal(0, 0.1, (3, 20))
        by_run += min(both(change_in_runs(x, y))) < 0.025
        pooled += min(both(change_along(np.tile(x, 3), y.ravel()))) < 0.025
    assert by_run / 300 < 0.09
    assert pooled / 300 > 0.3


# --- ranks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 6, 7])
def test_ranks_against_every_permutation(n: int) -> None:
    draw = np.random.default_rng(n)
    x, y = draw.normal(size=n), draw.integers(0, 4, n).astype(float)  # with ties
    drawn = [stats.spearmanr(x, way).statistic for way in itertools.permutations(y)]
    found = rank_correlation(x, y)
    assert found.value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.p_above == pytest.approx(np.mean(np.array(drawn) >= found.value - 1e-9))
    assert found.p_below == pytest.approx(np.mean(np.array(drawn) <= found.value + 1e-9))


def test_many_ranks_are_drawn_the_same_each_time() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=40)
    y = x + draw.normal(0, 3, 40)
    found = rank_correlation(x, y)
    assert found == rank_correlation(x, y)
    assert found.p_above == pytest.approx(stats.spearmanr(x, y, alternative="greater").pvalue, abs=0.01)
    assert rank_correlation(x, x).p_above == 1 / 20_001


@given(st.permutations(range(7)))
def test_a_correlation_turned_round_swaps_its_sides(order: list[int]) -> None:
    there, back = rank_correlation(range(7), order), rank_correlation(range(7), [-place for place in order])
    assert both(there) == pytest.approx(both(back)[::-1])
    assert interval(there) == pytest.approx([-end for end in interval(back)[::-1]])


def test_the_interval_of_rho_by_hand() -> None:
    half = 1.959964 * math.sqrt((1 + 0.5**2 / 2) / 7)
    expected = (math.tanh(math.atanh(0.5) - half), math.tanh(math.atanh(0.5) + half))
    assert rho_interval(0.5, 10) == pytest.approx(expected, abs=1e-6)
    assert rho_interval(1.0, 3) == (None, None)
    low, high = rho_interval(1.0, 5)
    assert low is not None
    assert 0 < low < 0.9
    assert high == 1.0


def test_rho_against_a_bound_agrees_with_its_interval() -> None:
    """An end of the interval is where the one-sided p is 0.025."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=12)
    y = x + draw.normal(size=12)
    low, high = interval(rank_correlation(x, y))
    assert rho_against(x, y, low).p_above == pytest.approx(0.025)
    assert rho_against(x, y, high).p_below == pytest.approx(0.025)
    assert both(rho_against([1, 2, 3], [1, 2, 3], 0.5)) == (1.0, 1.0)


# --- variances ---------------------------------------------------------------------------------------------------


def test_the_ratio_of_variances_is_an_f_test() -> None:
    """With fluctuations whose spread says 20 degrees of freedom, the F distribution of (2, 20)."""
    means, within = [1.0, 2.0, 3.0], np.array([1.0, 3.0, 5.0, 7.0, 4.0])
    below = 2 * 5 * within.mean() ** 2 / within.var(ddof=1)
    found = variance_ratio(means, within)
    assert found.value == pytest.approx(0.25)
    assert both(found) == pytest.approx((stats.f.cdf(0.25, 2, below), stats.f.sf(0.25, 2, below)))
    low, high = interval(found)
    assert stats.f.sf(0.25 / low, 2, below) == pytest.approx(0.025)
    assert stats.f.cdf(0.25 / high, 2, below) == pytest.approx(0.025)


def test_fluctuations_that_agree_leave_a_chi_square() -> None:
    found = variance_ratio([1.0, 2.0, 3.0, 4.0], [2.0] * 6)
    assert found.p_above == pytest.approx(stats.chi2.sf(3 * found.value, 3), rel=1e-4)
    assert both(variance_ratio([1.0, 2.0], [2.0])) == (1.0, 1.0)


# --- coverage ----------------------------------------------------------------------------------------------------


def covered(make: Any, truth: float, times: int = 600) -> float:
    draw = np.random.default_rng(11)
    found = [interval(make(draw)) for _ in range(times)]
    return float(np.mean([low <= truth <= high for low, high in found]))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 600 draws 95 %, give or take three standard errors of 0.9 %."""
    x = np.repeat([1.0, 2.0, 3.0], 3)
    assert 0.92 < covered(lambda d: mean_against(d.normal(2, 3, 4)), 2.0) < 0.98
    assert 0.92 < covered(lambda d: difference(d.normal(2, 3, 5), d.normal(0, 1, 5)), 2.0) < 0.98
    assert 0.92 < covered(lambda d: change_along(x, 0.5 * x + d.normal(0, 1, 9)), 1.0) < 0.98
    ratio = covered(lambda d: variance_ratio(d.normal(0, 1, 6), 2 * d.chisquare(30, 12) / 30), 0.5)
    assert 0.92 < ratio < 0.98


def test_the_interval_of_rho_holds_the_truth() -> None:
    """Of a bivariate normal, whose rho is 6 / pi asin(r / 2)."""
    truth = 6 / math.pi * math.asin(0.7 / 2)
    covariance = [[1, 0.7], [0.7, 1]]
    found = covered(lambda d: rank_correlation(*d.multivariate_normal([0, 0], covariance, 12).T), truth, times=150)
    assert 0.9 < found <= 0.99


# --- several tests, and more seeds -------------------------------------------------------------------------------


def test_holm_by_hand() -> None:
    """0.005 x 4 = 0.02; 0.01 x 3 = 0.03; 0.03 x 2 = 0.06; 0.04 x 1 is below the one before, so 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_keeps_the_order_and_lies_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(p <= q <= min(1.0, len(p_values) * p) + 1e-12 for p, q in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values)
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_seeds_to_reach_is_where_the_test_gets_there() -> None:
    draw = np.random.default_rng(2)
    one, two = draw.normal(3, 1, 3), draw.normal(0, 1, 3)
    found = difference(one, two)
    assert found.t is not None
    assert found.dof is not None
    needed = seeds_to_reach(0.001, found.t, found.dof, 3)
    assert needed is not None

    def p_with(seeds: int) -> float:
        error = math.sqrt((one.var(ddof=1) + two.var(ddof=1)) / seeds)
        return float(stats.t.sf(abs(found.value) / error, found.dof * (seeds - 1) / 2))

    assert p_with(needed) <= 0.001 < p_with(needed - 1)
    assert seeds_to_reach(0.001, 0.01, 4, 3) is None
