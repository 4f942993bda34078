"""The observations that a figure shows, and their places and groups in it. Nothing but seeds is ever averaged."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from genlab.reporting.figure_specs import SEED, FigureSpec
from genlab.reporting.study_labels import arm_text, axis_label
from genlab.studies.axes import ARM, EPOCH, is_meant, settings_of_arms
from genlab.studies.folder import JobRecord, StudyRecord
from genlab.studies.observations import Cell, Observation, summarise

Coordinates = Mapping[str, Any]
"""Where something lies on every axis that it has."""


@dataclass(frozen=True)
class Arrangement:
    """How a figure lays things out: ``rest`` are the axes that differ where those that the figure names do not."""

    along: tuple[str, ...]
    by: str | None
    rest: tuple[str, ...]

    @property
    def legend_title(self) -> str:
        """The axis by which groups differ; nothing where their names say so themselves."""
        return "" if self.by in (None, ARM) or self._rest_in_group else axis_label(str(self.by))

    def places(self, coordinates: Coordinates) -> tuple[Any, ...]:
        """The place on each of the axes ``along``."""
        return tuple(self._words(coordinates) if axis == ARM else coordinates.get(axis) for axis in self.along)

    def group(self, coordinates: Coordinates) -> Any:
        """The value on the axis ``by``, or words for it and for all that is left apart; empty for the only group."""
        if self.by in (None, ARM) or self._rest_in_group:
            named = () if self.by in (None, ARM) else (str(self.by),)
            return self._words(coordinates, named) if self._rest_in_group else ""
        return coordinates.get(str(self.by))

    @property
    def _rest_in_group(self) -> bool:
        return bool(self.rest) and ARM not in self.along

    def _words(self, coordinates: Coordinates, before: tuple[str, ...] = ()) -> str:
        return arm_text({axis: coordinates[axis] for axis in (*before, *self.rest) if axis in coordinates})


@dataclass(frozen=True)
class Spot:
    """The mean over seeds at one place of a figure; ``half`` is half of its interval, None for a single seed."""

    places: tuple[Any, ...]
    group: Any
    mean: float
    half: float | None
    values: tuple[float, ...]

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the interval, or the mean where there is none."""
        half = self.half or 0.0
        return self.mean - half, self.mean + half


def spots_of(observations: Sequence[Observation], spec: FigureSpec) -> tuple[Arrangement, dict[str, list[Spot]]]:
    """The means over seeds of each quantity that ``spec`` shows and that was measured, and how they are laid out."""
    shown = chosen(observations, spec)
    cells = {name: [cell for cell in summarise(shown, name) if _is_finite(cell)] for name in spec.shown}
    everything = [cell.coordinates for found in cells.values() for cell in found if _has(cell, spec.axes)]
    layout = arranged(spec, everything, [axis for cell in _all(cells) for axis in (*cell.arm, *cell.at)])
    spots = {name: [_spot(layout, cell) for cell in found if _has(cell, spec.axes)] for name, found in cells.items()}
    return layout, {name: found for name, found in spots.items() if found}


def arranged(spec: FigureSpec, everything: Sequence[Coordinates], axes: Iterable[str]) -> Arrangement:
    """The layout in which no two of ``everything`` that differ on one of ``axes`` share a place and a group."""
    told = [axis for axis in (*spec.axes, *(spec.of or {})) if axis != ARM]
    rest: list[str] = []
    for axis in dict.fromkeys(axes):
        is_end = axis == EPOCH and EPOCH not in told  # of each run the end, whenever that was
        if axis not in told and not is_end and _differs(axis, [*told, *rest], everything):
            rest.append(axis)
    return Arrangement(spec.along, spec.by, tuple(rest))


def chosen(observations: Sequence[Observation], spec: FigureSpec) -> list[Observation]:
    """The observations that ``spec`` selects: at the end of training, unless the figure names the axis of passes.

    A selection on an axis that only some quantities have (a temperature) is none on what was measured without it.
    """
    found = [each for each in observations if each.final or EPOCH in (*spec.axes, *(spec.of or {}))]
    own = {axis for each in found for axis in each.at if axis != EPOCH}
    places = [{**each.coordinates, SEED: each.seed} for each in found]
    return [found[index] for index in meant(places, spec.of or {}, own)]


def jobs_meant(study: StudyRecord, spec: FigureSpec) -> list[tuple[JobRecord, Coordinates]]:
    """The jobs that ``spec`` selects, with where they lie, their seed included."""
    settings = settings_of_arms(study.definition)
    places = [{**settings.get(str(job.arm.get(ARM)), {}), **job.arm, SEED: job.seed} for job in study.jobs]
    return [(study.jobs[index], places[index]) for index in meant(places, spec.of or {})]


def meant(places: Sequence[Coordinates], selector: Mapping[str, Any], own: Collection[str] = ()) -> list[int]:
    """Which of ``places`` have, on every axis of ``selector``, its value or one of its list of values.

    A place without an axis is not meant, unless the axis is among ``own``.
    """
    left = list(range(len(places)))
    for axis, wanted in selector.items():
        present = list(dict.fromkeys(places[index][axis] for index in left if axis in places[index]))
        choices = wanted if isinstance(wanted, list) else [wanted]
        left = [i for i in left if (is_meant(places[i][axis], choices, present) if axis in places[i] else axis in own)]
    return left


def levels(values: Iterable[Any]) -> list[Any]:
    """Each of ``values`` once: numbers in their order, others as they first came."""
    found = list(dict.fromkeys(values))
    return sorted(found) if all(is_number(value) for value in found) else found


def is_number(value: object) -> bool:
    """Whether ``value`` has a place on a scale."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _all(cells: Mapping[str, Sequence[Cell]]) -> list[Cell]:
    return [cell for found in cells.values() for cell in found]


def _is_finite(cell: Cell) -> bool:
    return cell.mean is not None and math.isfinite(cell.mean)


def _has(cell: Cell, axes: Sequence[str]) -> bool:
    """Whether it has a place on every one of ``axes``: named arms that do not set one have none."""
    return all(axis in cell.coordinates for axis in axes if axis != ARM)


def _differs(axis: str, told: Sequence[str], everything: Sequence[Coordinates]) -> bool:
    """Whether two of ``everything`` that agree on all axes ``told`` differ on ``axis``."""
    seen: dict[Any, Any] = {}
    for each in everything:
        key = tuple(repr(each.get(other)) for other in told)
        if repr(seen.setdefault(key, each.get(axis))) != repr(each.get(axis)):
            return True
    return False


def _spot(layout: Arrangement, cell: Cell) -> Spot:
    assert cell.mean is not None
    where = cell.coordinates
    return Spot(layout.places(where), layout.group(where), cell.mean, cell.half, tuple(cell.values))
