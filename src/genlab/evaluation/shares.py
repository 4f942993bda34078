"""Shares of things that are so or not so, with how far they can be trusted."""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any


def wilson_interval(successes: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a binomial share, for ``trials`` >= 1 independent trials; a tie counts as half a success.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference" (JASA 22, 1927).
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / (4 * trials))
    # At 0 and at 1 the interval touches its end exactly; rounding must not put the share outside it.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def share(successes: int, trials: int) -> dict[str, Any]:
    """``value``, its 95 % Wilson ``interval`` (both None without trials), ``successes`` and ``count``."""
    if not trials:
        return {"value": None, "interval": None, "successes": 0, "count": 0}
    interval = list(wilson_interval(successes, trials))
    return {"value": successes / trials, "interval": interval, "successes": successes, "count": trials}


def share_over_groups(successes: Sequence[int], trials: Sequence[int]) -> dict[str, Any]:
    """:func:`share` of the sums over groups, and a ``standard_error`` that lets trials of one group be alike.

    Words of one text, or completions of one prompt, are not independent, as the interval takes them to be.
    The standard error compares whole groups instead (None for fewer than two groups with trials): the
    linearised ratio estimator, Cochran, "Sampling Techniques" (3rd ed., 1977), section 6.3.
    """
    pooled = share(sum(successes), sum(trials))
    groups = [(s, t) for s, t in zip(successes, trials, strict=True) if t]
    if len(groups) < 2:
        return {**pooled, "standard_error": None}
    residuals = sum((s - pooled["value"] * t) ** 2 for s, t in groups)
    error = math.sqrt(residuals * len(groups) / (len(groups) - 1)) / pooled["count"]
    return {**pooled, "standard_error": error}
