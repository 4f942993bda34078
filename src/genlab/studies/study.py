"""A study as its file defines it, the budget's changes merged in and every field checked, and the jobs it asks for."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from genlab.checks import at_least, nearest_hint, one_of, refuse
from genlab.studies.axes import axis_of
from genlab.studies.claims import check_claims
from genlab.studies.quantities import check_quantities

BUDGETS = ("smoke", "quick", "full")
WEIGHTS = ("best", "last")
"""Checkpoints of a whole run: those that did best by what the run monitors, and those of its end."""
MERGED = ("settings", "evaluate")
"""What a budget adds to, key by key; every other field it replaces."""
IN_A_BUDGET = ("settings", "evaluate", "grid", "arms", "seeds", "judge", "reader", "witness", "samples", "figures")

Overrides = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One run of a study: the values that set it apart, by axis, and the overrides that make it."""

    number: int
    name: str
    arm: dict[str, Any]
    seed: int
    overrides: Overrides
    first: bool
    """Whether it is the first seed of its arm: the one that samples are drawn of."""


@dataclass(frozen=True)
class Study:
    """A study at one budget. The fields are those of a file in ``configs/study``; docs/studies.md tells of each."""

    question: str
    experiment: str
    claims: dict[str, Any]
    quantities: dict[str, Any]
    settings: Overrides
    grid: dict[str, list[Any]]
    arms: dict[str, Overrides]
    seeds: list[int]
    judge: Overrides
    reader: Overrides
    witness: Overrides
    evaluate: dict[str, Any]
    samples: list[dict[str, Any]]
    figures: list[Any]
    table: list[str]
    search: dict[str, Any]

    def jobs(self) -> list[Job]:
        """Every arm with every seed, seed by seed: whatever is done when time runs out is done of every arm."""
        jobs: list[Job] = []
        for seed, (arm, overrides) in itertools.product(self.seeds, self._arms()):
            name = run_name({**arm, "seed": seed})
            changes = {"experiment": self.experiment, **self.settings, **overrides, "seed": seed}
            jobs.append(Job(len(jobs), name, arm, seed, changes, seed == self.seeds[0]))
        return jobs

    def axes(self) -> list[str]:
        """The names of what arms differ by."""
        return [*(["arm"] if self.arms else []), *map(axis_of, self.grid)]

    def _arms(self) -> Iterator[tuple[dict[str, Any], Overrides]]:
        """What sets each arm apart, by axis, and its overrides: named arms times the grid."""
        named: Sequence[tuple[dict[str, Any], Overrides]] = [({"arm": n}, o) for n, o in self.arms.items()] or [
            ({}, {})
        ]
        for (arm, overrides), values in itertools.product(named, itertools.product(*self.grid.values())):
            point = dict(zip(self.grid, values, strict=True))
            yield {**arm, **{axis_of(key): value for key, value in point.items()}}, {**overrides, **point}


def weights_of(definition: Mapping[str, Any]) -> str:
    """Which weights of a run a study measures: ``best`` (the default) or ``last``; ``ValueError`` for others."""
    chosen = (definition.get("evaluate") or {}).get("checkpoint", WEIGHTS[0])
    return one_of("checkpoint", chosen, WEIGHTS, "study.evaluate.checkpoint")


def run_name(arm: Mapping[str, Any]) -> str:
    """The folder of a run: ``hidden_size=100,seq_len=20,seed=0``; a named arm stands without its axis."""
    words = [str(value) if axis == "arm" else f"{axis}={value}" for axis, value in arm.items()]
    return ",".join(re.sub(r"[^A-Za-z0-9_.=+-]+", "_", word) for word in words)


def at_budget(definition: Mapping[str, Any], budget: str) -> dict[str, Any]:
    """``definition`` with the changes of ``budget`` merged in. Raises ``ValueError`` for a budget that it lacks."""
    budgets = definition.get("budgets") or {}
    changes = budgets[one_of("budget", budget, list(budgets), "budget")] or {}
    for key in changes:
        if key not in IN_A_BUDGET:
            rule = f"hold {', '.join(IN_A_BUDGET)}"
            raise refuse("budgets", rule, key, f"study.budgets.{budget}{nearest_hint(key, IN_A_BUDGET)}")
    merged = {key: value for key, value in definition.items() if key != "budgets"}
    for key, value in changes.items():
        merged[key] = _merged(merged.get(key) or {}, value or {}) if key in MERGED else value
    return merged


def read_definition(definition: Mapping[str, Any]) -> Study:
    """The study that ``definition``, a budget merged in, describes; ``ValueError`` for a field that cannot be so."""
    known = [field.name for field in fields(Study)]
    for key in definition:
        if key not in known:
            raise refuse("study", f"hold {', '.join(known)}", key, f"study{nearest_hint(key, known)}")
    for key in ("question", "experiment"):
        if not isinstance(definition.get(key), str):
            raise refuse(key, "be a text", definition.get(key), f"study.{key}")
    mappings = {key: dict(definition.get(key) or {}) for key in _mappings()}
    study = Study(
        question=definition["question"],
        experiment=definition["experiment"],
        seeds=_seeds(definition.get("seeds", [0, 1, 2])),
        samples=list(definition.get("samples") or []),
        figures=list(definition.get("figures") or []),
        table=list(definition.get("table") or mappings["quantities"]),
        **mappings,
    )
    _check_grid(study)
    weights_of(definition)
    check_quantities(definition)
    check_claims(definition)
    return study


def _mappings() -> list[str]:
    return ["claims", "quantities", "settings", "grid", "arms", "judge", "reader", "witness", "evaluate", "search"]


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``, mappings within them key by key."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _seeds(seeds: Any) -> list[int]:
    if isinstance(seeds, str) or not isinstance(seeds, Sequence) or not seeds:
        raise refuse("seeds", "be a list of seeds", seeds, "study.seeds")
    checked = [at_least("seeds", seed, 0, "study.seeds") for seed in seeds]
    if len(set(checked)) < len(checked):
        raise refuse("seeds", "differ from each other", seeds, "study.seeds")
    return checked


def _check_grid(study: Study) -> None:
    """Raise ``ValueError`` for an axis that is no list of different values, and for two runs of one name."""
    for key, values in study.grid.items():
        if not isinstance(values, list) or not values:
            raise refuse("grid", "be a list of values for every key", values, f"study.grid.{key}")
    axes = study.axes()
    names = [job.name for job in study.jobs()]
    if len(set(axes)) < len(axes) or len(set(names)) < len(names):
        raise refuse("grid", "have axes and values that differ from each other", axes, "study.grid")
