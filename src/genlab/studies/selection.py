"""Which observations a part of a claim means, as cells over seeds.

A part that says nothing of the epoch means the end of training.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from genlab.studies.axes import (
    EPOCH,
    Where,
    as_number,
    axis_words,
    is_meant,
    plain,
    same_value,
    value_words,
    where_words,
)
from genlab.studies.observations import Cell, Observation, summarise

Place = tuple[str, ...]
"""Values on some axes, as they are written."""


class Undecidable(Exception):
    """Why the runs there are do not say what a part of a claim asks for."""


def cells_of(observations: Sequence[Observation], quantity: str, where: Where, free: Sequence[str] = ()) -> list[Cell]:
    """The cells of ``quantity`` that ``where`` selects; raises ``Undecidable`` where there is none.

    Without a word on the epoch that is the end of training, but for an ``epoch`` in ``free``. What ``where`` says of
    an axis that belongs to other quantities (bits/char has no temperature) does not count.
    """
    having = [each for each in observations if quantity in each.values]
    foreign = {axis for each in observations for axis in each.at} - {axis for each in having for axis in each.at}
    for axis, choices in where.items():
        if axis not in foreign:
            on_axis = [each for each in having if axis in each.coordinates]
            present = _distinct([each.coordinates[axis] for each in on_axis])
            having = [each for each in on_axis if is_meant(each.coordinates[axis], choices, present)]
    if EPOCH not in where and EPOCH not in free:
        having = [each for each in having if each.final]
    cells = summarise(having, quantity)
    if not cells:
        raise Undecidable(f"no run with {where_words(where)} has {quantity}" if where else f"no run has {quantity}")
    return cells


def one_cell(cells: Sequence[Cell]) -> Cell:
    """The only one of ``cells``; raises ``Undecidable`` if there are more, with the axes that they differ by."""
    if len(cells) == 1:
        return cells[0]
    places = [cell.coordinates for cell in cells]
    differing = [axis for axis in places[0] if len(_distinct([place.get(axis) for place in places])) > 1]
    raise Undecidable(f"the claim leaves open which {' and '.join(map(axis_words, differing))} it means")


def by_place(cells: Sequence[Cell], axes: Sequence[str]) -> dict[Place, list[Cell]]:
    """``cells`` by their values on ``axes``; raises ``Undecidable`` where one is not on them all."""
    places: dict[Place, list[Cell]] = {}
    for cell in cells:
        for axis in axes:
            if axis not in cell.coordinates:
                raise Undecidable(f"not every run has a {axis_words(axis)}")
        places.setdefault(tuple(plain(cell.coordinates[axis]) for axis in axes), []).append(cell)
    return places


def place_words(axes: Sequence[str], place: Place) -> str:
    """A place as a sentence names it."""
    return ", ".join(value_words(axis, value) for axis, value in zip(axes, place, strict=True))


def number_on(cell: Cell, axis: str) -> float:
    """Where ``cell`` lies on a numeric ``axis``; raises ``Undecidable`` if it is not on it."""
    number = as_number(cell.coordinates.get(axis))
    if number is None:
        raise Undecidable(f"not every run has a number as its {axis_words(axis)}")
    return number


def each_choice(where: Where) -> Iterator[dict[str, tuple[Any, ...]]]:
    """Each single cell that ``where`` lists: the product of its axes' values."""
    for values in itertools.product(*where.values()):
        yield {axis: (value,) for axis, value in zip(where, values, strict=True)}


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(same_value(value, other) for other in found):
            found.append(value)
    return found
