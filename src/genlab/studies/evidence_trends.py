"""Evidence from trends: how much the least-squares line changes along an axis.

Where the axis is one of the arms', every point is a run and the line goes through them all. Where it is one of a
run's own (epoch, temperature), the points of a run depend on each other: each run has a line of its own, and the
changes are tested over runs.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from genlab.studies.axes import plain
from genlab.studies.claims import Trend
from genlab.studies.evidence import (
    Evidence,
    cell_text,
    evidence_from,
    interval_text,
    no_evidence,
    runs_without,
    values_of,
)
from genlab.studies.inference import Estimate, change_along, change_in_runs
from genlab.studies.observations import Cell, Observation
from genlab.studies.quantities import Quantity
from genlab.studies.selection import Undecidable, by_place, cells_of, number_on, one_cell, place_words


def follow_trend(
    part: Trend, observations: Sequence[Observation], quantities: Mapping[str, Quantity]
) -> Iterator[Evidence]:
    """Evidence for each value of ``within``. Raises ``Undecidable``."""
    cells = cells_of(observations, part.quantity, part.of, (part.along, *part.within))
    for place, members in by_place(cells, part.within).items():
        along = [one_cell(cells) for cells in by_place(members, [part.along]).values()]
        points = {number_on(cell, part.along): cell for cell in along}
        yield _line(part, points, place_words(part.within, place), quantities[part.quantity])


def _line(part: Trend, points: dict[float, Cell], case: str, quantity: Quantity) -> Evidence:
    points = dict(sorted(points.items()))
    cells = list(points.values())
    if len(points) < 2:
        return no_evidence(f"runs lie at one value of {part.along} alone", case)
    if part.log and min(points) <= 0:
        return no_evidence(f"{part.along} has no logarithm at {min(points):g}", case)
    if not all(cell.n for cell in cells):
        return no_evidence(runs_without(cells), case)
    estimate = _change([math.log10(x) if part.log else x for x in points], cells, part.along in cells[0].at)
    effect = f"change from {plain(min(points))} to {plain(max(points))} {interval_text(estimate, quantity)}"
    return evidence_from(
        estimate,
        part.rises,
        cells,
        case=case,
        figures="; ".join(f"at {plain(x)} {cell_text(cell, quantity)}" for x, cell in points.items()),
        effect=effect,
        unit=quantity.unit,
    )


def _change(x: Sequence[float], cells: Sequence[Cell], in_runs: bool) -> Estimate:
    values = values_of(cells)
    if not in_runs:
        return change_along(np.repeat(x, [len(each) for each in values]), np.concatenate(values))
    whole = sorted(set.intersection(*(set(cell.seeds) for cell in cells)))
    if not whole:
        raise Undecidable("no run has a value at every point")
    of_runs = [[each[cell.seeds.index(seed)] for cell, each in zip(cells, values, strict=True)] for seed in whole]
    return change_in_runs(x, of_runs)
