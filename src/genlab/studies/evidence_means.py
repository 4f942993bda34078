"""Evidence from means: one cell against another, or against bounds that the claim gives."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from genlab.studies.axes import same_value, value_words
from genlab.studies.claims import Comparison, Near
from genlab.studies.evidence import (
    Evidence,
    cell_text,
    evidence_from,
    interval_text,
    no_evidence,
    runs_without,
    values_of,
)
from genlab.studies.inference import Estimate, Floats, difference, difference_in_runs, mean_against
from genlab.studies.observations import Cell, Observation
from genlab.studies.quantities import Quantity
from genlab.studies.selection import Undecidable, by_place, cells_of, each_choice, one_cell, place_words

Known = Mapping[str, Quantity]


def compare_cells(part: Comparison, observations: Sequence[Observation], quantities: Known) -> Iterator[Evidence]:
    """Evidence for each pair of cells that ``part`` compares. Raises ``Undecidable``."""
    other = part.other or part.quantity
    thans = [None] if part.other is not None else list(each_choice(part.than))
    for of in each_choice(part.of):
        for than in thans:
            first = by_place(cells_of(observations, part.quantity, of, part.within), part.within)
            second = by_place(cells_of(observations, other, of if than is None else than, part.within), part.within)
            for place in {**first, **second}:
                yield _pair(
                    part, first.get(place, []), second.get(place, []), place_words(part.within, place), quantities
                )


def _pair(part: Comparison, firsts: Sequence[Cell], seconds: Sequence[Cell], case: str, quantities: Known) -> Evidence:
    if not firsts or not seconds:
        return no_evidence("only one side of the comparison has runs", case)
    first, second = one_cell(firsts), one_cell(seconds)
    if part.other is None and first == second:
        raise Undecidable("the claim compares runs with themselves")
    if not first.n or not second.n:
        return no_evidence(runs_without([first, second]), case)
    quantity, of_same_runs = quantities[part.quantity], first.arm == second.arm
    estimate = _difference(part, first, second, of_same_runs)
    names = _names(part, first, second, quantities)
    times = "" if part.times == 1 else f" ({part.times:g} times the second taken off)"
    size = "" if estimate.size is None else f", {'d' if of_same_runs else 'g'} = {estimate.size:.2g}"
    return evidence_from(
        estimate,
        part.higher,
        [first, second],
        case=case,
        figures="; ".join(
            f"{name} {cell_text(cell, quantity)}" for name, cell in zip(names, (first, second), strict=True)
        ),
        effect=f"difference {interval_text(estimate, quantity)}{size}{times}",
        unit=quantity.unit,
    )


def _difference(part: Comparison, first: Cell, second: Cell, of_same_runs: bool) -> Estimate:
    is_plain = part.by == 0 and part.times == 1
    one, two = values_of([first, second], cut=is_plain)
    bound = part.by if part.higher else -part.by
    if of_same_runs:
        shared = sorted(set(first.seeds) & set(second.seeds))
        if not shared:
            raise Undecidable("no run has both values")
        one, two = _of_seeds(one, first, shared), _of_seeds(two, second, shared)
        estimate = difference_in_runs(one, part.times * two, bound)
    else:
        estimate = difference(one, part.times * two, bound)
    if is_plain or not (first.censored or second.censored):
        return estimate
    # A margin means nothing on means that are cut at a common end. Lower bounds then speak one way alone.
    below, above = (1.0 if first.censored else estimate.p_below), (1.0 if second.censored else estimate.p_above)
    return replace(estimate, p_below=below, p_above=above)


def _of_seeds(values: Floats, cell: Cell, seeds: Sequence[int]) -> Floats:
    return np.array([values[cell.seeds.index(seed)] for seed in seeds])


def _names(part: Comparison, first: Cell, second: Cell, quantities: Known) -> tuple[str, str]:
    """What sets two cells apart: their quantities, or the axes on which they differ."""
    if part.other is not None:
        return quantities[part.quantity].label, quantities[part.other].label
    one, two = first.coordinates, second.coordinates
    axes = [axis for axis in {**part.of, **part.than} if not same_value(one.get(axis), two.get(axis))]
    return _place_words(one, axes), _place_words(two, axes)


def _place_words(place: Mapping[str, Any], axes: Sequence[str]) -> str:
    return ", ".join(value_words(axis, place[axis]) for axis in axes if axis in place)


def check_bounds(part: Near, observations: Sequence[Observation], quantities: Known) -> Iterator[Evidence]:
    """Evidence that the mean over runs lies in its range, for each value of ``within``. Raises ``Undecidable``."""
    cells = cells_of(observations, part.quantity, part.of, part.within)
    for place, members in by_place(cells, part.within).items():
        case = place_words(part.within, place)
        if all(cell.n for cell in members):
            yield _range(part, members, case, quantities[part.quantity])
        else:
            yield no_evidence(runs_without(members), case)


def _range(part: Near, cells: Sequence[Cell], case: str, quantity: Quantity) -> Evidence:
    values = np.concatenate(values_of(cells))
    # What was given up before it was reached may have come at any time: nothing says then that it came early.
    never = any(cell.censored for cell in cells)
    tests = [
        (mean_against(values, bound), sign) for bound, sign in ((part.low, 1), (part.high, -1)) if bound is not None
    ]
    tests = [(replace(test, p_below=1.0, high=None) if never else test, sign) for test, sign in tests]
    weighed = [(test.p_above, test.p_below) if sign > 0 else (test.p_below, test.p_above) for test, sign in tests]
    hardest = max(range(len(tests)), key=lambda index: weighed[index][0])
    runs = f"{len(values)} runs" if len(cells) == 1 else f"{len(values)} runs of {len(cells)} arms"
    figures = cell_text(cells[0], quantity) if len(cells) == 1 else ""
    estimate = replace(tests[hardest][0], size=None)
    effect = f"mean over {runs} {interval_text(estimate, quantity)}"
    evidence = evidence_from(estimate, True, cells, case=case, figures=figures, effect=effect, unit=quantity.unit)
    return replace(evidence, p_for=weighed[hardest][0], p_against=min(against for _, against in weighed))
