"""The statistics of claims, on plain arrays: an estimate, its 95 % interval, and a one-sided p-value either way.

``p_below`` is the p-value of "the truth is below the bound" and ``p_above`` that of the contrary; neither claims
anything where a test cannot be made, and both are 1 then. Spreads of exactly 0 (seeds that agree to the last digit)
leave no t: there the order alone decides, with the smallest p-value that a permutation test could give.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtr, fdtrc, fdtri, gammaln, ndtr, ndtri, stdtr, stdtrit

Floats = NDArray[np.float64]

UPPER = 0.975
"""Quantile that bounds a 95 % interval."""
EXACT_RANKS = 8
"""Up to so many pairs, every order of the ranks is counted (8! = 40,320)."""
PERMUTATIONS = 20_000
MOST_SEEDS = 100
"""More seeds than that are not proposed."""
NO_SPREAD = "no spread over seeds: the order alone decides"


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval (None where there is none) and p-values; ``size`` is standardised, ``t`` Student's.

    ``t`` and ``dof`` are None where the test is another one.
    """

    value: float
    low: float | None
    high: float | None
    p_below: float
    p_above: float
    size: float | None = None
    t: float | None = None
    dof: float | None = None
    note: str = ""


def mean_against(values: ArrayLike, bound: float = 0.0) -> Estimate:
    """One-sample t test of the mean of ``values`` (n,) against ``bound``; ``size`` is in standard deviations.

    Without any spread, p is that of all signs being the same, 2^-n.
    """
    return _one_sample(_floats(values), bound, _rounding(values))


def difference(first: ArrayLike, second: ArrayLike, bound: float = 0.0) -> Estimate:
    """Mean of ``first`` (n,) less that of ``second`` (m,), by Welch's t test against ``bound`` (Welch 1947).

    ``size`` is Hedges' g of the difference itself, whatever the bound. Without any spread, p is that of the one order
    in which all of the first come before all of the second, n! m! / (n + m)!.
    """
    one, two = _floats(first), _floats(second)
    counts = len(one), len(two)
    squares = _sd(one) ** 2 / counts[0], _sd(two) ** 2 / counts[1]
    error, dof = math.sqrt(sum(squares)), float(min(counts) - 1)
    if error > 0 and dof >= 1:
        dof = sum(squares) ** 2 / sum(square**2 / (n - 1) for square, n in zip(squares, counts, strict=True))
    value, exact = float(one.mean() - two.mean()), _one_order(counts)
    return _by_t(value, error, dof, bound, exact, _rounding(one, two), hedges_g(one, two))


def difference_in_runs(first: ArrayLike, second: ArrayLike, bound: float = 0.0) -> Estimate:
    """As :func:`difference`, of values (n,) each that come in pairs from the same run: a paired t test.

    ``size`` is the mean difference in standard deviations of the differences.
    """
    one, two = _floats(first), _floats(second)
    return _one_sample(one - two, bound, _rounding(one, two))


def hedges_g(first: ArrayLike, second: ArrayLike) -> float | None:
    """The difference of means in pooled standard deviations, corrected for small samples (Hedges 1981).

    The correction is the usual approximation 1 - 3 / (4 dof - 1). None where there is no spread.
    """
    one, two = _floats(first), _floats(second)
    dof = len(one) + len(two) - 2
    if min(len(one), len(two)) < 2:
        return None
    pooled = math.sqrt(sum((len(each) - 1) * _sd(each) ** 2 for each in (one, two)) / dof)
    is_spread = pooled > _rounding(one, two)
    return float(one.mean() - two.mean()) / pooled * (1 - 3 / (4 * dof - 1)) if is_spread else None


def change_along(x: ArrayLike, y: ArrayLike) -> Estimate:
    """How much the least-squares line through points (n,) changes from the smallest to the largest ``x``, against 0.

    Student's t test on the slope with n - 2 degrees of freedom. Where the points lie on the line exactly, p is that
    of the one order that does. ``x`` must have two values at least.
    """
    across, up = _floats(x), _floats(y)
    span, centred = float(np.ptp(across)), across - across.mean()
    slope = float(centred @ (up - up.mean()) / (centred @ centred))
    residuals = up - up.mean() - slope * centred
    dof = len(up) - 2
    error = math.sqrt(float(residuals @ residuals) / dof / float(centred @ centred)) if dof >= 1 else math.nan
    counts = np.unique(across, return_counts=True)[1]
    return _by_t(slope * span, error * span, dof, 0.0, _one_order(counts.tolist()), _rounding(y))


def change_in_runs(x: ArrayLike, y: ArrayLike) -> Estimate:
    """As :func:`change_along`, of runs that have a value each at every ``x`` (k,): ``y`` is (runs, k).

    Values of one run depend on each other, so each run gives one change and these are tested (one-sample t).
    """
    across = _floats(x)
    changes = np.array([change_along(across, each).value for each in _floats(y)])
    return _one_sample(changes, 0.0, _rounding(y))


def rank_correlation(x: ArrayLike, y: ArrayLike) -> Estimate:
    """Spearman's rho of pairs (n,) against 0, by permutation of the ranks; ``x`` and ``y`` must each vary.

    All n! orders for n <= 8, else 20,000 drawn with a fixed seed, of which the one observed counts as one
    (Phipson and Smyth 2010). The interval is :func:`rho_interval`.
    """
    one, two = _centred_ranks(x), _centred_ranks(y)
    scale = math.sqrt(float(one @ one) * float(two @ two))
    rho = float(one @ two) / scale
    exact = len(one) <= EXACT_RANKS
    orders = np.array(list(itertools.permutations(two))) if exact else _shuffled(two)
    drawn = orders @ one / scale
    extra, tolerance = (0 if exact else 1), 1e-9  # rounding must not part what is equal
    p_below = (extra + np.count_nonzero(drawn <= rho + tolerance)) / (extra + len(orders))
    p_above = (extra + np.count_nonzero(drawn >= rho - tolerance)) / (extra + len(orders))
    low, high = rho_interval(rho, len(one))
    return Estimate(rho, low, high, float(p_below), float(p_above))


def rho_against(x: ArrayLike, y: ArrayLike, bound: float) -> Estimate:
    """Spearman's rho of pairs (n,) against ``bound`` in (-1, 1), by Fisher's z with :func:`rho_interval`'s error."""
    plain = rank_correlation(x, y)
    n = len(np.asarray(x))
    if n < 4:
        return Estimate(plain.value, None, None, 1.0, 1.0)
    z = (math.atanh(_inside(plain.value, n)) - math.atanh(bound)) / _z_error(plain.value, n)
    return Estimate(plain.value, plain.low, plain.high, float(ndtr(z)), float(ndtr(-z)))


def rho_interval(rho: float, n: int) -> tuple[float | None, float | None]:
    """95 % interval of Spearman's rho by Fisher's z, with the variance (1 + rho^2 / 2) / (n - 3).

    Bonett and Wright (2000). None for n < 4; for a rho of 1, whose z is infinite, z is that of half a step below.
    """
    if n < 4:
        return None, None
    half = float(ndtri(UPPER)) * _z_error(rho, n)
    z = math.atanh(_inside(rho, n))
    low, high = math.tanh(z - half), math.tanh(z + half)
    return min(low, rho), max(high, rho)


def variance_ratio(means: ArrayLike, fluctuations: ArrayLike) -> Estimate:
    """Variance of arms' ``means`` (k,) over the mean of runs' ``fluctuations`` (variances, (n,)), against 1: F test.

    The degrees of freedom below are what the fluctuations' own spread says (Satterthwaite 1946). ``fluctuations``
    must have a positive mean, and k must be 2 at least.
    """
    between, within = _sd(_floats(means)) ** 2, _floats(fluctuations)
    mean, spread = float(within.mean()), _sd(within)
    if not spread >= 0:  # of one run
        return Estimate(between / mean, None, None, 1.0, 1.0)
    above = len(np.asarray(means)) - 1
    below = min(1e6, 2 * len(within) * (mean / spread) ** 2) if spread > 0 else 1e6
    ratio = between / mean
    low, high = (ratio / float(fdtri(above, below, quantile)) for quantile in (UPPER, 1 - UPPER))
    return Estimate(ratio, low, high, float(fdtr(above, below, ratio)), float(fdtrc(above, below, ratio)))


def holm(p_values: Sequence[float]) -> list[float]:
    """``p_values`` corrected by Holm's step-down method (1979), in the same order, none above 1."""
    corrected, most = [0.0] * len(p_values), 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = most
    return corrected


def seeds_to_reach(p: float, t: float, dof: float, seeds: int) -> int | None:
    """How many seeds would bring a one-sided t test to ``p`` if means and spreads stayed; None for over 100.

    ``t`` and ``dof`` are what ``seeds`` >= 2 of them gave.
    """
    for more in range(seeds, MOST_SEEDS + 1):
        if stdtr(dof * (more - 1) / (seeds - 1), -abs(t) * math.sqrt(more / seeds)) <= p:
            return more
    return None


# --- parts -------------------------------------------------------------------------------------------------------


def _by_t(
    value: float, error: float, dof: float, bound: float, exact: float, rounding: float, size: float | None = None
) -> Estimate:
    """The t test of ``value`` with its standard ``error``; ``exact`` is the p of the order where there is no error."""
    if dof < 1 or not math.isfinite(error):
        return Estimate(value, None, None, 1.0, 1.0)
    if error <= rounding:
        below, above = (exact if away > rounding else 1.0 for away in (bound - value, value - bound))
        return Estimate(value, value, value, below, above, note=NO_SPREAD)
    t, half = (value - bound) / error, float(stdtrit(dof, UPPER)) * error
    return Estimate(value, value - half, value + half, float(stdtr(dof, t)), float(stdtr(dof, -t)), size, t, dof)


def _one_sample(values: Floats, bound: float, rounding: float) -> Estimate:
    mean, sd, n = float(values.mean()), _sd(values), len(values)
    size = (mean - bound) / sd if sd > rounding else None
    return _by_t(mean, sd / math.sqrt(n), n - 1, bound, 0.5**n, rounding, size)


def _floats(values: ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _sd(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _rounding(*samples: ArrayLike) -> float:
    """What of a spread or a difference may be rounding, at the size of the values themselves."""
    return 1e-12 * max(float(np.abs(_floats(sample)).max()) for sample in samples)


def _one_order(counts: Sequence[int]) -> float:
    """The chance of one order of groups of ``counts``, within which order does not matter."""
    return math.exp(float(sum(gammaln(count + 1) for count in counts) - gammaln(sum(counts) + 1)))


def _centred_ranks(values: ArrayLike) -> Floats:
    from scipy.stats import rankdata  # here, for it takes a while to load and few claims need it

    ranks = rankdata(_floats(values))
    return np.asarray(ranks - ranks.mean(), dtype=np.float64)


def _shuffled(ranks: Floats) -> Floats:
    rows = np.tile(ranks, (PERMUTATIONS, 1))
    return np.random.default_rng(0).permuted(rows, axis=1)


def _inside(rho: float, n: int) -> float:
    """``rho``, but no nearer to 1 than half a step of what n untied pairs can have (a step is 12 / (n^3 - n))."""
    most = 1 - 6 / (n**3 - n)
    return max(-most, min(most, rho))


def _z_error(rho: float, n: int) -> float:
    return math.sqrt((1 + rho**2 / 2) / (n - 3))
