"""Evidence from how arms lie to each other: whether two quantities rank them alike, and whether one parts them."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from genlab.studies.claims import Correlation, Indistinct
from genlab.studies.evidence import Evidence, evidence_from, no_evidence, runs_without, values_of
from genlab.studies.inference import rank_correlation, rho_against, variance_ratio
from genlab.studies.observations import Cell, Observation
from genlab.studies.quantities import Quantity
from genlab.studies.selection import cells_of, one_cell

Known = Mapping[str, Quantity]
LEAST_PAIRS = 4
"""Fewer have no interval for a rank correlation."""


def correlate(part: Correlation, observations: Sequence[Observation], quantities: Known) -> Iterator[Evidence]:
    """Evidence that two quantities rank arms or runs as ``part`` says. Raises ``Undecidable``."""
    firsts, seconds = (_by_arm(cells_of(observations, name, part.of)) for name in part.pair)
    cells = [*firsts.values(), *seconds.values()]
    if part.over_runs:
        firsts_of, seconds_of = _of_runs(firsts), _of_runs(seconds)
    else:
        firsts_of, seconds_of = _of_arms(firsts), _of_arms(seconds)
    shared = [key for key in firsts_of if key in seconds_of]
    x, y = [firsts_of[key] for key in shared], [seconds_of[key] for key in shared]
    counted = f"{len(shared)} {'runs' if part.over_runs else 'arms'}"
    if len(shared) < LEAST_PAIRS:
        yield no_evidence(runs_without(cells) or f"{counted} cannot be ranked: {LEAST_PAIRS} are needed")
    elif len(set(x)) == 1 or len(set(y)) == 1:
        same = quantities[part.pair[0 if len(set(x)) == 1 else 1]].label
        yield no_evidence(f"{same} is the same for all {counted}")
    else:
        yield _ranks(part, x, y, cells, counted)


def _ranks(part: Correlation, x: Sequence[float], y: Sequence[float], cells: Sequence[Cell], counted: str) -> Evidence:
    sign = 1 if part.positive else -1
    estimate = rho_against(x, y, sign * part.least) if part.against else rank_correlation(x, y)
    upwards = part.positive != part.against
    ends = f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return evidence_from(
        estimate, upwards, cells, case="", figures="", effect=f"rho over {counted} {estimate.value:.2f}{ends}", unit=""
    )


def part_arms(part: Indistinct, observations: Sequence[Observation], quantities: Known) -> Iterator[Evidence]:
    """Evidence that arms differ less than a run fluctuates. Raises ``Undecidable``."""
    cells = list(_by_arm(cells_of(observations, part.quantity, part.of)).values())
    inside = list(_by_arm(cells_of(observations, part.fluctuation, part.of)).values())
    without = runs_without([*cells, *inside])
    if not all(cell.n for cell in [*cells, *inside]):
        yield no_evidence(without)
        return
    means, fluctuations = [float(each.mean()) for each in values_of(cells)], np.concatenate(values_of(inside))
    if len(means) < 2 or fluctuations.mean() <= 0:
        yield no_evidence("a single arm has nothing to differ from" if len(means) < 2 else "no run fluctuates at all")
        return
    estimate = variance_ratio(means, fluctuations)
    quantity = quantities[part.quantity]
    low, high = min(means), max(means)
    yield evidence_from(
        estimate,
        False,
        [*cells, *inside],
        case="",
        figures=f"means of {len(means)} arms from {quantity.shown(low)} to {quantity.shown(high)}, "
        f"variance {np.var(means, ddof=1):.3g}; within a run {fluctuations.mean():.3g}",
        effect=f"ratio {estimate.value:.2g}"
        + ("" if estimate.low is None else f" [{estimate.low:.2g}, {estimate.high:.2g}]"),
        unit="",
    )


def _by_arm(cells: Sequence[Cell]) -> dict[str, Cell]:
    """One cell an arm; raises ``Undecidable`` where an arm has several."""
    arms: dict[str, list[Cell]] = {}
    for cell in cells:
        arms.setdefault(repr(cell.arm), []).append(cell)
    return {arm: one_cell(members) for arm, members in arms.items()}


def _of_arms(cells: Mapping[str, Cell]) -> dict[str, float]:
    means = zip(cells, values_of(list(cells.values())), strict=True)
    return {arm: float(values.mean()) for arm, values in means if len(values)}


def _of_runs(cells: Mapping[str, Cell]) -> dict[str, float]:
    values = zip(cells.items(), values_of(list(cells.values())), strict=True)
    return {
        f"{arm} {seed}": float(value) for (arm, cell), of in values for seed, value in zip(cell.seeds, of, strict=True)
    }
