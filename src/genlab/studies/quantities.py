"""Quantities: what a study reads from each of its runs, as its file defines it.

A quantity comes from a result of the evaluation (``from``) or from what was logged in training (``logged``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genlab.checks import at_least, in_range, nearest_hint, one_of, refuse
from genlab.reporting.runs import Series
from genlab.studies.axes import as_number

LOWER, HIGHER = "lower", "higher"
FIRST = ("first_at_most", "first_at_least")
"""When something is first reached, between two values on the straight line from one to the other; what never is counts
as the end of the run, and is flagged."""
TAKES = ("last", "mean", "variance", *FIRST, "minimum", "maximum")
"""How a series that was logged becomes one number."""
SHARES = {"mean": 0.1, "variance": 1.0}
"""The last share of the run that is looked at, where the definition does not say."""
WINDOW = 50
COMMON_KEYS = ("label", "better", "digits", "unit")


@dataclass(frozen=True)
class Evaluated:
    """A field of ``evaluation/<result>.json``, or, with ``entries``, of each entry of a list in it.

    ``take``, one of ``FIRST``, makes one number of the values after chosen passes: the epoch at which they first are
    at ``threshold``.
    """

    result: str
    field: tuple[str, ...] = ("value",)
    entries: tuple[str, ...] = ()
    axis: str | None = None
    take: str | None = None
    threshold: float = 0.0


@dataclass(frozen=True)
class Logged:
    """A series of ``metrics.csv`` and how it becomes one number."""

    series: str
    take: str
    share: float = 1.0
    window: int = WINDOW
    threshold: float = 0.0


@dataclass(frozen=True)
class Quantity:
    """What is read from a run, and how it is written: ``digits`` decimals and a ``unit``; ``better`` may be None."""

    name: str
    source: Evaluated | Logged
    label: str
    better: str | None = None
    digits: int = 3
    unit: str = ""

    @property
    def axis(self) -> str | None:
        """What one result gives several values by, such as the temperature; None where it gives one."""
        return self.source.axis if isinstance(self.source, Evaluated) else None

    @property
    def of_whole_run(self) -> bool:
        """Whether there is one value a run, whatever passes are measured as well."""
        return isinstance(self.source, Logged) or self.source.take is not None

    def number(self, value: float | None) -> str:
        """``value`` as a reader sees it, without its unit; a dash for None."""
        if value is None:
            return "\N{EN DASH}"
        small = value != 0 and abs(value) < 0.5 * 10**-self.digits
        return f"{value:.2g}" if small else f"{value:,.{self.digits}f}"

    def shown(self, value: float | None) -> str:
        """``value`` as a reader sees it, with its unit."""
        return self.number(value) if value is None else f"{self.number(value)} {self.unit}".rstrip()


class Measured(NamedTuple):
    """A value, None where there is none; ``censored`` where it is only known to be at least that."""

    value: float | None
    censored: bool = False


NOT_MEASURED = Measured(None)


def check_quantities(definition: Mapping[str, Any]) -> None:
    """Raise ``ValueError``, one line with the path, for a quantity that cannot be read so."""
    read_quantities(definition)


def check_measures(definition: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for a quantity from a result, or from passes, that neither study nor budgets ask for.

    For the whole file: a budget may well measure less than its quantities need. A study that names no measures takes
    all that its runs have, which its file does not tell.
    """
    budgets = [budget or {} for budget in (definition.get("budgets") or {}).values()]
    asked = [(part.get("evaluate") or {}).get("measures") or [] for part in (definition, *budgets)]
    measures = list(dict.fromkeys(name for names in asked for name in names))
    passes = any((part.get("evaluate") or {}).get("passes") for part in (definition, *budgets))
    for name, quantity in read_quantities(definition).items():
        if isinstance(quantity.source, Evaluated):
            if (definition.get("evaluate") or {}).get("measures"):
                one_of("from", quantity.source.result, measures, f"study.quantities.{name}.from")
            if quantity.source.take and not passes:
                raise refuse(
                    "take", "have evaluate.passes to take", quantity.source.take, f"study.quantities.{name}.take"
                )


def read_quantities(definition: Mapping[str, Any]) -> dict[str, Quantity]:
    """The quantities of a study's ``definition``, by name. Raises as :func:`check_quantities` does."""
    contents = definition.get("quantities") or {}
    if not isinstance(contents, Mapping):
        raise refuse("quantities", "be a mapping of names to quantities", contents, "study.quantities")
    return {str(name): _quantity(str(name), content) for name, content in contents.items()}


def _quantity(name: str, content: Any) -> Quantity:
    path = f"study.quantities.{name}"
    if not isinstance(content, Mapping) or ("from" in content) == ("logged" in content):
        raise refuse(name, "be a mapping with `from` or with `logged`", content, path)
    source = _evaluated(content, path) if "from" in content else _logged(content, path)
    better, label, unit = content.get("better"), content.get("label", name.replace("_", " ")), content.get("unit", "")
    if better is not None:
        one_of("better", better, (LOWER, HIGHER), f"{path}.better")
    for key, text in (("label", label), ("unit", unit)):
        if not isinstance(text, str):
            raise refuse(key, "be a text", text, f"{path}.{key}")
    digits = at_least("digits", content.get("digits", 3), 0, f"{path}.digits")
    return Quantity(name, source, label, better, digits, unit)


def _evaluated(content: Mapping[str, Any], path: str) -> Evaluated:
    take, each = content.get("take"), content.get("each")
    result, *field = _dotted("from", content["from"], path)
    if take is None:
        _known(content, ("from", "each"), path)
    else:
        one_of("take", take, FIRST, f"{path}.take")
        _known(content, ("from", "take", "threshold"), path)
    *entries, axis = _dotted("each", each, path) if each is not None else (None,)
    if each is not None and not entries:
        raise refuse("each", "name a list and a key of its entries, LIST.KEY", each, f"{path}.each")
    threshold = 0.0 if take is None else _threshold(content, path)
    return Evaluated(result, tuple(field) or ("value",), tuple(map(str, entries)), axis, take, threshold)


def _logged(content: Mapping[str, Any], path: str) -> Logged:
    series, take = content["logged"], one_of("take", content.get("take"), TAKES, f"{path}.take")
    if not isinstance(series, str) or not series:
        raise refuse("logged", "name a column of metrics.csv", series, f"{path}.logged")
    options = {"mean": ("share",), "variance": ("share", "window"), **dict.fromkeys(FIRST, ("threshold",))}
    _known(content, ("logged", "take", *options.get(take, ())), path)
    share = in_range("share", content.get("share", SHARES.get(take, 1.0)), 0, 1, f"{path}.share", low_open=True)
    window = at_least("window", content.get("window", WINDOW), 2, f"{path}.window")
    return Logged(series, take, share, window, _threshold(content, path) if take in FIRST else 0.0)


def _known(content: Mapping[str, Any], keys: tuple[str, ...], path: str) -> None:
    known = (*keys, *COMMON_KEYS)
    for key in content:
        if key not in known:
            rule = f"hold {', '.join(known)} alone"
            raise refuse(path.rpartition(".")[2], rule, key, f"{path}{nearest_hint(str(key), known)}")


def _dotted(name: str, value: Any, path: str) -> list[str]:
    if not isinstance(value, str) or not all(value.split(".")):
        raise refuse(name, "be names with dots between them", value, f"{path}.{name}")
    return value.split(".")


def _threshold(content: Mapping[str, Any], path: str) -> float:
    threshold = as_number(content.get("threshold"))
    if threshold is None:
        raise refuse("threshold", "be a finite number", content.get("threshold"), f"{path}.threshold")
    return threshold


# --- from a run's files ------------------------------------------------------------------------------------------


def field_of(result: Any, field: tuple[str, ...]) -> list[Any]:
    """What stands at ``field`` of a JSON value, alone in a list; an empty one where there is no such field."""
    for key in field:
        if isinstance(result, list) and key.isdigit() and int(key) < len(result):
            result = result[int(key)]
        elif isinstance(result, Mapping) and key in result:
            result = result[key]
        else:
            return []
    return [result]


def evaluated_value(quantity: Quantity, result: Any) -> float | None:
    """The quantity's field in one result, or in one entry of it; None for no field, null and what is not finite.

    Raises ``ValueError`` for a field that is no number.
    """
    assert isinstance(quantity.source, Evaluated)
    for value in field_of(result, quantity.source.field):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise refuse("from", "name a field that is a number", value, f"study.quantities.{quantity.name}.from")
        return as_number(value)
    return None


def evaluated_entries(quantity: Quantity, result: Any) -> list[tuple[Any, float | None]]:
    """The quantity's value at each place of its axis, as the entries of the result's list say."""
    assert isinstance(quantity.source, Evaluated)
    assert quantity.source.axis is not None
    lists = field_of(result, quantity.source.entries)
    entries = [entry for entries in lists if isinstance(entries, list) for entry in entries]
    return [(entry.get(quantity.source.axis), evaluated_value(quantity, entry)) for entry in entries]


def first_pass(source: Evaluated, values: Mapping[int, float | None]) -> Measured:
    """The epoch at which ``values`` (by epoch) first are at the threshold; nothing if one before that is missing."""
    for epoch, value in sorted(values.items()):
        if value is None:
            return NOT_MEASURED
        if _is_there(np.array(value), source.take, source.threshold):
            return Measured(float(epoch))
    return Measured(float(max(values)), censored=True) if values else NOT_MEASURED


def logged_value(source: Logged, series: Series | None, iterations: int) -> Measured:
    """One number from a series of a run of ``iterations``.

    ``variance`` is the mean of the variances (by n - 1) in consecutive windows of ``window`` values, which end with
    the last value. What is not finite, and too short a series, gives nothing.
    """
    if series is None:
        return NOT_MEASURED
    steps, values = series
    if source.take in FIRST:
        there = np.flatnonzero(_is_there(values, source.take, source.threshold))
        reached = _crossing(steps, values, int(there[0]), source.threshold) if len(there) else float(iterations)
        return Measured(reached, censored=not len(there))
    if source.share < 1:
        values = values[steps > (1 - source.share) * iterations]
    least = source.window if source.take == "variance" else 1
    if len(values) < least or not np.isfinite(values).all():
        return NOT_MEASURED
    return Measured(_taken(source, values))


def _crossing(steps: NDArray[np.int64], values: NDArray[np.float64], place: int, threshold: float) -> float:
    """The step at which the line from the value before ``place`` meets the threshold; its own where none is before."""
    after, before = float(steps[place]), max(0, place - 1)
    rise = float(values[place] - values[before])
    if not np.isfinite(rise) or rise == 0:
        return after
    return after - (float(values[place]) - threshold) / rise * (after - float(steps[before]))


def _taken(source: Logged, values: NDArray[np.float64]) -> float:
    if source.take == "variance":
        whole = values[len(values) % source.window :].reshape(-1, source.window)
        return float(whole.var(axis=1, ddof=1).mean())
    taken = {"last": values[-1], "mean": values.mean(), "minimum": values.min(), "maximum": values.max()}
    return float(taken[source.take])


def _is_there(values: NDArray[np.float64], take: str | None, threshold: float) -> NDArray[np.bool_]:
    return np.asarray(values <= threshold if take == FIRST[0] else values >= threshold)
