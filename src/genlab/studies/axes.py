"""Axes: what the runs of a study differ by, and what one run is measured at more than once.

An arm's axes are the keys of the grid by their last part, ``arm`` where arms have names, and what a named arm sets
(``dropout``). A run's own axes are ``epoch`` and those of results with an entry each, such as ``temperature``.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

ARM, EPOCH = "arm", "epoch"

NAMES = {
    "lr": "learning rate",
    "seq_len": "sequence length",
    "num_layers": "number of layers",
    "latent_dim": "latent size",
    "init": "initialisation",
    "optimizer": "optimiser",
}
"""Axes whose names are short for something; others are read as they are written."""

Where = Mapping[str, tuple[Any, ...]]
"""Values that are meant, by axis; ``first`` and ``last`` are the smallest and the largest number that there is."""


def axis_of(key: str) -> str:
    """What a figure calls an override: ``model.hidden_size`` is ``hidden_size``."""
    return key.rpartition(".")[2]


def as_number(value: object) -> float | None:
    """``value`` as a finite number, also where YAML took it for text (``1e-4``); None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def same_value(one: object, other: object) -> bool:
    """Whether two values of an axis are the same: numbers by size (``1e-4`` is ``0.0001``), the rest as written."""
    numbers = as_number(one), as_number(other)
    if numbers[0] is not None and numbers[1] is not None:
        return math.isclose(numbers[0], numbers[1], rel_tol=1e-9)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def settings_of_arms(definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each named arm sets, by axis; a last part that two of its keys share stands for neither."""
    settings = {}
    for name, overrides in (definition.get("arms") or {}).items():
        labels = [axis_of(key) for key in overrides or {}]
        alone = {axis_of(key): value for key, value in (overrides or {}).items() if labels.count(axis_of(key)) == 1}
        settings[name] = alone
    return settings


def values_of_axes(definition: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values of every axis that arms differ by, in the order of the definition."""
    values = {axis_of(key): list(of_key) for key, of_key in (definition.get("grid") or {}).items()}
    arms = settings_of_arms(definition)
    for axis in dict.fromkeys(axis for settings in arms.values() for axis in settings):
        found = [settings[axis] for settings in arms.values() if axis in settings]
        values[axis] = [*values.get(axis, []), *found]
    return {**({ARM: list(arms)} if arms else {}), **values}


def is_meant(value: object, meant: Collection[Any], present: Sequence[Any]) -> bool:
    """Whether ``value`` is among those ``meant``, where ``present`` are all values on its axis."""
    return any(same_value(value, resolved(choice, present)) for choice in meant)


def resolved(choice: Any, present: Sequence[Any]) -> Any:
    """``choice``, or the smallest or largest number ``present`` where it says ``first`` or ``last``."""
    if choice not in ("first", "last") or choice in present:
        return choice
    numbers = [value for value in present if as_number(value) is not None]
    ordered = sorted(numbers, key=lambda value: as_number(value) or 0.0)
    return (ordered[0] if choice == "first" else ordered[-1]) if ordered else choice


def axis_words(axis: str) -> str:
    """An axis as a sentence names it: ``hidden_size`` is ``hidden size``."""
    return NAMES.get(axis, axis.replace("_", " "))


def value_words(axis: str, value: object) -> str:
    """One value of an axis as a sentence names it: ``hidden size 100``; a named arm by its name alone."""
    if axis == ARM:
        return str(value)
    if axis == EPOCH and value in ("first", "last"):
        return "the first pass measured" if value == "first" else "the end of training"
    if value in ("first", "last"):
        return f"the {'smallest' if value == 'first' else 'largest'} {axis_words(axis)}"
    return f"{axis_words(axis)} {plain(value)}"


def where_words(where: Mapping[str, Sequence[Any]], joined: str = "or") -> str:
    """A selection as a sentence names it: ``hidden size 100 or 256, epoch 25``."""
    return ", ".join(_choices(axis, values, joined) for axis, values in where.items())


def _choices(axis: str, values: Sequence[Any], joined: str) -> str:
    """``learning rate 0.1, 0.01 or 0.001``; names with commas of their own stand in quotes in a list."""
    first, *others = (value_words(axis, value) for value in values)
    bare = [other.removeprefix(f"{axis_words(axis)} ") for other in others]
    listed = [f"'{each}'" if "," in each and bare else each for each in (first, *bare)]
    return f" {joined} ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))


def plain(value: object) -> str:
    """A value of an axis as short as can be: ``0.0001``, ``512``, ``adam``."""
    number = as_number(value)
    return str(value) if number is None else f"{number:.10g}"
