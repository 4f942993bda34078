"""Evidence: one test of a claim, as a reader sees it and as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genlab.studies.inference import Estimate, Floats
from genlab.studies.observations import Cell
from genlab.studies.quantities import Quantity

LEAST_SEEDS = 3
"""Fewer in any cell decide nothing."""
NAMED_RUNS = 3
"""So many runs without a value are named; the rest are counted."""


@dataclass(frozen=True)
class Evidence:
    """One test: where (``case``), the means as text, the effect as text, and the effect as numbers.

    ``p_for`` is the one-sided p-value of what the claim says here and ``p_against`` that of the contrary. ``n_seeds``
    is that of the smallest cell. ``missing`` says why there is no test, or why it must not count. ``t`` and ``dof``
    are None for tests other than Student's.
    """

    case: str
    figures: str
    effect: str
    n_seeds: int
    estimate: float | None
    low: float | None
    high: float | None
    effect_size: float | None
    p_for: float
    p_against: float
    unit: str
    t: float | None = None
    dof: float | None = None
    missing: str = ""

    @property
    def text(self) -> str:
        """The whole of it in a line."""
        said = "; ".join(filter(None, [self.figures, self.effect]))
        return ": ".join(filter(None, [self.case, said]))

    @property
    def decides(self) -> bool:
        """Whether it may decide: nothing is missing and every cell has seeds enough."""
        return not self.missing and self.n_seeds >= LEAST_SEEDS


def no_evidence(missing: str, case: str = "") -> Evidence:
    """Nothing either way, and why."""
    return Evidence(case, "", "", 0, None, None, None, None, 1.0, 1.0, "", missing=missing)


def evidence_from(
    estimate: Estimate, upwards: bool, cells: Sequence[Cell], *, case: str, figures: str, effect: str, unit: str
) -> Evidence:
    """Evidence that the truth is above (``upwards``) or below the bound of ``estimate``, made of ``cells``."""
    return Evidence(
        case=case,
        figures=figures,
        effect=effect + (f" ({estimate.note})" if estimate.note else ""),
        n_seeds=min(cell.n for cell in cells),
        estimate=estimate.value,
        low=estimate.low,
        high=estimate.high,
        effect_size=estimate.size,
        p_for=estimate.p_above if upwards else estimate.p_below,
        p_against=estimate.p_below if upwards else estimate.p_above,
        unit=unit,
        t=estimate.t,
        dof=estimate.dof,
        missing=runs_without(cells),
    )


def runs_without(cells: Sequence[Cell]) -> str:
    """Which runs of ``cells`` have no value, and why; empty where all have one."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.missing))
    if not names:
        return ""
    others = "" if len(names) <= NAMED_RUNS else f" and {len(names) - NAMED_RUNS} more"
    runs = "1 run" if len(names) == 1 else f"{len(names)} runs"
    return f"no value from {runs}: {'; '.join(names[:NAMED_RUNS])}{others}"


def values_of(cells: Sequence[Cell], cut: bool = True) -> list[Floats]:
    """The values of each cell, over seeds; where some are lower bounds, all are cut at the smallest of those.

    What is cut at a common end is known of every run, so that means compare without favour to the run that was given
    up first (a restricted mean). Without ``cut`` lower bounds stand as they are.
    """
    bounds = [cell.horizon for cell in cells if cut and cell.horizon is not None]
    return [np.minimum(np.array(cell.values, dtype=np.float64), min(bounds, default=np.inf)) for cell in cells]


def cell_text(cell: Cell, quantity: Quantity) -> str:
    """The mean of a cell with half its 95 % interval, and how many of its runs never got there."""
    half = "" if cell.half is None else f" ± {quantity.number(cell.half)}"
    never = f" ({cell.censored} of {cell.n} not reached by the end)" if cell.censored else ""
    return f"{quantity.number(cell.mean)}{half} {quantity.unit}".rstrip() + never


def interval_text(estimate: Estimate, quantity: Quantity) -> str:
    """The estimate and its 95 % interval, in the unit of ``quantity``."""
    is_whole = estimate.low is not None and estimate.high is not None
    ends = "" if not is_whole else f" [{quantity.number(estimate.low)}, {quantity.number(estimate.high)}]"
    return f"{quantity.number(estimate.value)}{ends} {quantity.unit}".rstrip()
