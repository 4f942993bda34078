"""Observations: what the runs of a study measured, a record a run and place (epoch, temperature), and means over seeds.

Only a run that is done has values: what a run that goes on or broke off logged last is no result.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

from genlab.checks import at_least, one_of, refuse
from genlab.reporting.runs import RunRecord
from genlab.studies.axes import ARM, EPOCH, settings_of_arms
from genlab.studies.folder import JobRecord, StudyRecord
from genlab.studies.quantities import (
    NOT_MEASURED,
    Evaluated,
    Logged,
    Measured,
    Quantity,
    evaluated_entries,
    evaluated_value,
    field_of,
    first_pass,
    logged_value,
    read_quantities,
)

LEVEL = 0.95
"""Of every interval."""


@dataclass(frozen=True)
class Observation:
    """What one run measured at one place: ``values`` by quantity, None where it has no value.

    ``at`` is the place (``epoch``, ``temperature``; empty where there is but one), ``final`` whether it is the end of
    training, ``settings`` what the run's named arm sets, ``name`` the job's, and ``censored`` the quantities whose
    value is only a lower bound. Quantities that belong to other places are not in ``values``.
    """

    arm: dict[str, Any]
    seed: int
    at: dict[str, Any]
    values: dict[str, float | None]
    censored: frozenset[str]
    folder: Path
    state: str
    reason: str = ""
    final: bool = True
    name: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def coordinates(self) -> dict[str, Any]:
        """Where it lies on every axis that it has."""
        return {**self.settings, **self.arm, **self.at}


@dataclass(frozen=True)
class Cell:
    """One quantity in one arm at one place, over seeds: ``values`` of ``seeds`` in the order of seeds.

    ``half`` is half the 95 % t interval of the mean; it and ``sd`` (by n - 1) are None for fewer than two values, and
    ``mean`` for none. ``missing`` names the runs without a value and why; ``censored`` counts the values that are
    lower bounds, and ``horizon`` is the smallest of those.
    """

    arm: dict[str, Any]
    at: dict[str, Any]
    n: int
    mean: float | None
    sd: float | None
    half: float | None
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    censored: int = 0
    horizon: float | None = None
    missing: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def coordinates(self) -> dict[str, Any]:
        """Where it lies on every axis that it has."""
        return {**self.settings, **self.arm, **self.at}


def observe(study: StudyRecord) -> list[Observation]:
    """Everything that the study's quantities say of its jobs, job by job; a job without a run has values of None.

    With ``evaluate.passes`` there is one observation for each of those passes, and one for the end of training that
    has the quantities of the whole run as well. Raises ``ValueError`` for a field or series that no run has though
    some have its file, and for passes in runs whose config has no ``trainer.max_epochs``.
    """
    quantities = read_quantities(study.definition)
    for quantity in quantities.values():
        _check_found(quantity, [job.run for job in study.jobs if job.run is not None and job.run.state == "done"])
    settings = settings_of_arms(study.definition)
    places = [(job, place) for job in study.jobs for place in _places(study, job, quantities)]
    along = {name: _along(quantity, places) for name, quantity in quantities.items() if quantity.axis is not None}
    return [
        Observation(
            arm=job.arm,
            seed=job.seed,
            at={**place.at, **at},
            values={name: measured.value for name, measured in values.items()},
            censored=frozenset(name for name, measured in values.items() if measured.censored),
            folder=job.folder,
            state=job.state,
            reason=job.reason,
            final=place.final,
            name=job.name,
            settings=settings.get(str(job.arm.get(ARM)), {}),
        )
        for job, place in places
        for at, values in _measured(place, quantities, along)
    ]


def summarise(observations: Sequence[Observation], quantity: str) -> list[Cell]:
    """``quantity`` over seeds, a cell for each arm and place that has it, in the order of ``observations``."""
    cells: dict[Any, list[Observation]] = {}
    for observation in observations:
        if quantity in observation.values:
            cells.setdefault(_key(observation.arm, observation.at), []).append(observation)
    return [_cell(members, quantity) for members in cells.values()]


def rows(observations: Sequence[Observation]) -> list[dict[str, Any]]:
    """A flat row an observation: its axes, its seed and every quantity, None where it does not apply."""
    axes = dict.fromkeys(axis for each in observations for axis in (*each.arm, *each.at))
    names = dict.fromkeys(name for each in observations for name in each.values)
    return [
        {
            **{axis: {**each.arm, **each.at}.get(axis) for axis in axes},
            "seed": each.seed,
            **{name: each.values.get(name) for name in names},
        }
        for each in observations
    ]


def t_half_width(sd: float, n: int) -> float:
    """Half the 95 % interval of a mean of ``n`` >= 2 values with standard deviation ``sd``, by Student's t."""
    return float(stdtrit(n - 1, (1 + LEVEL) / 2)) * sd / math.sqrt(n)


def _cell(members: Sequence[Observation], quantity: str) -> Cell:
    members = sorted(members, key=lambda each: each.seed)
    there = [(each, value) for each in members if (value := each.values[quantity]) is not None]
    values = tuple(value for _, value in there)
    bounds = [value for each, value in there if quantity in each.censored]
    n = len(values)
    same = n > 0 and min(values) == max(values)  # whose mean and spread rounding would blur
    mean = None if not n else values[0] if same else float(np.mean(values))
    sd = None if n < 2 else 0.0 if same else float(np.std(values, ddof=1))
    return Cell(
        arm=members[0].arm,
        at=members[0].at,
        n=n,
        mean=mean,
        sd=sd,
        half=None if sd is None else t_half_width(sd, n),
        values=values,
        seeds=tuple(each.seed for each, _ in there),
        censored=len(bounds),
        horizon=min(bounds, default=None),
        missing=tuple(_named(each) for each in members if each.values[quantity] is None),
        settings=members[0].settings,
    )


def _named(observation: Observation) -> str:
    state = "not measured" if observation.state == "done" else observation.state
    why = f"{state}: {observation.reason}" if observation.reason else state
    return f"{observation.name or observation.folder.name} ({why})"


def _key(arm: Mapping[str, Any], at: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((axis, repr(value)) for axis, value in (*arm.items(), *at.items()))


# --- from a job to its observations ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """One place in training: the results of the evaluation there, and, at its end, what the whole run measured."""

    at: dict[str, Any]
    final: bool
    results: Mapping[str, Mapping[str, Any]]
    whole_run: Mapping[str, Measured]


def _places(study: StudyRecord, job: JobRecord, quantities: Mapping[str, Quantity]) -> list[_Place]:
    run = job.run if job.run is not None and job.run.state == "done" else None
    passes = [int(epoch) for epoch in (study.definition.get("evaluate") or {}).get("passes") or []]
    last = _last_epoch(study, job) if passes else None
    at_end = f"epoch_{last or 0:04d}"
    results = {} if run is None else {epoch: run.passes.get(f"epoch_{epoch:04d}", {}) for epoch in passes}
    final = {} if run is None else {**run.passes.get(at_end, {}), **run.evaluation}
    by_epoch = {**{epoch: results.get(epoch, {}) for epoch in passes if last is None or epoch < last}}
    whole_run = {
        name: _of_whole_run(quantity, run, {**by_epoch, **({} if last is None else {last: final})})
        for name, quantity in quantities.items()
        if quantity.of_whole_run
    }
    before = [_Place({EPOCH: epoch}, False, found, {}) for epoch, found in by_epoch.items()]
    return [*before, _Place({EPOCH: last} if passes else {}, True, final, whole_run)]


def _last_epoch(study: StudyRecord, job: JobRecord) -> int | None:
    """The pass that ends a job's training: as its config says, or else that of its arm's runs, or of any."""
    same_arm = [other for other in study.jobs if other.arm == job.arm]
    for run in (other.run for other in (job, *same_arm, *study.jobs)):
        if run is not None:
            epochs = (run.config.get("trainer") or {}).get("max_epochs")
            return at_least("max_epochs", epochs, 1, f"trainer.max_epochs in {run.folder / 'config.yaml'}")
    return None


def _of_whole_run(quantity: Quantity, run: RunRecord | None, by_epoch: Mapping[int, Mapping[str, Any]]) -> Measured:
    if run is None:
        return NOT_MEASURED
    source = quantity.source
    if isinstance(source, Logged):
        series = run.metrics.get(source.series)
        last = max((int(steps[-1]) for steps, _ in run.metrics.values()), default=0)
        return logged_value(source, series, int(run.status.get("iterations") or last))
    values = {epoch: evaluated_value(quantity, found.get(source.result, {})) for epoch, found in by_epoch.items()}
    return first_pass(source, values)


def _entries(quantity: Quantity, place: _Place) -> list[tuple[Any, float | None]]:
    assert isinstance(quantity.source, Evaluated)
    return evaluated_entries(quantity, place.results.get(quantity.source.result, {}))


def _along(quantity: Quantity, places: Sequence[tuple[JobRecord, _Place]]) -> list[Any]:
    """Every place on its own axis at which any run has the quantity: where all of them should."""
    return list(dict.fromkeys(where for _, place in places for where, _ in _entries(quantity, place)))


def _measured(
    place: _Place, quantities: Mapping[str, Quantity], along: Mapping[str, list[Any]]
) -> Iterator[tuple[dict[str, Any], dict[str, Measured]]]:
    """What was measured at a place in training, then at each point of every axis that results have there."""
    plain = [each for each in quantities.values() if each.axis is None and not each.of_whole_run]
    values = {each.name: _value(each, place) for each in plain} | dict(place.whole_run)
    if values:
        yield {}, values
    for axis in dict.fromkeys(each.axis for each in quantities.values() if each.axis is not None):
        entries = {name: dict(_entries(quantities[name], place)) for name in along if quantities[name].axis == axis}
        for where in dict.fromkeys(where for name in entries for where in along[name]):
            there = {name: found.get(where) for name, found in entries.items() if where in along[name]}
            yield {axis: where}, {name: Measured(value) for name, value in there.items()}


def _value(quantity: Quantity, place: _Place) -> Measured:
    assert isinstance(quantity.source, Evaluated)
    return Measured(evaluated_value(quantity, place.results.get(quantity.source.result, {})))


def _check_found(quantity: Quantity, runs: Sequence[RunRecord]) -> None:
    """Raise ``ValueError`` where runs have the file that a quantity is read from, and none has what it names there."""
    source, path = quantity.source, f"study.quantities.{quantity.name}"
    if isinstance(source, Logged):
        columns = list(dict.fromkeys(name for run in runs for name in run.metrics))
        if columns:
            one_of("logged", source.series, columns, f"{path}.logged")
        return
    places = [place for run in runs for place in (run.evaluation, *run.passes.values())]
    found: list[Any] = [place[source.result] for place in places if source.result in place]
    if source.entries:
        lists = [entries for result in found for entries in field_of(result, source.entries)]
        if found and not any(isinstance(entries, list) for entries in lists):
            raise refuse("each", f"name a list in {source.result}.json", ".".join(source.entries), f"{path}.each")
        found = [entry for entries in lists for entry in entries]
        if found and not any(field_of(entry, (str(source.axis),)) for entry in found):
            raise refuse("each", "end with a key of the list's entries", source.axis, f"{path}.each")
    if found and not any(field_of(each, source.field) for each in found):
        known = ", ".join(found[0]) if isinstance(found[0], Mapping) else type(found[0]).__name__
        raise refuse("from", f"name a field of {source.result}.json ({known})", ".".join(source.field), f"{path}.from")
