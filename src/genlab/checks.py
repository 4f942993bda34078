"""Checks of what people pass in: each returns the value or says in one line what is wrong and where it is set.

Every function takes the argument's ``name``, its ``value`` and the ``path`` of the config field that sets it, and
raises ``ValueError("`name` must <rule>; got <value> (<path>)")``.
"""

import difflib
import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from pathlib import Path


def refuse(name: str, rule: str, value: object, path: str) -> ValueError:
    """The error that every check raises, for rules that only one place has."""
    shown = " ".join(repr(value).split())
    return ValueError(f"`{name}` must {rule}; got {shown[:200]} ({path})")


def at_least(name: str, value: object, minimum: int, path: str) -> int:
    """Return ``value`` if it is an integer of at least ``minimum``; a bool is no integer here."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < minimum:
        raise refuse(name, f"be an integer >= {minimum}", value, path)
    return int(value)


def positive(name: str, value: object, path: str) -> float:
    """Return ``value`` as a float if it is a finite number above zero."""
    if not _is_finite(value) or _as_float(value) <= 0:
        raise refuse(name, "be a finite number > 0", value, path)
    return _as_float(value)


def in_range(
    name: str,
    value: object,
    low: float,
    high: float,
    path: str,
    low_open: bool = False,
    high_open: bool = False,
) -> float:
    """Return ``value`` as a float if it lies between ``low`` and ``high`` (each end included unless ``*_open``)."""
    interval = f"{'(' if low_open else '['}{low:g}, {high:g}{')' if high_open else ']'}"
    number = _as_float(value) if _is_finite(value) else math.nan
    above = number > low if low_open else number >= low
    below = number < high if high_open else number <= high
    if not (above and below):
        raise refuse(name, f"be a number in {interval}", value, path)
    return number


def file_named(name: str, value: object, path: str) -> Path:
    """Return ``value`` as a path if it names a file, which need not be there."""
    if not isinstance(value, str | Path) or not Path(value).name:
        raise refuse(name, "name a file", value, path)
    return Path(value)


def one_of(name: str, value: object, choices: Collection[str], path: str) -> str:
    """Return ``value`` if it is among ``choices``; the message names the nearest one."""
    if isinstance(value, str) and value in choices:
        return value
    raise refuse(name, f"be one of {', '.join(choices)}", value, path + nearest_hint(str(value), choices))


def shape_taken(shape: Sequence[int], taken: tuple[int, ...], model: str) -> list[int]:
    """Return the data's ``shape`` (C, H, W), as a list, if it is the one that ``model`` takes."""
    if tuple(shape) != taken:
        raise refuse("image_shape", f"be {taken} for the {model}", tuple(shape), "data.dataset")
    return list(shape)


def nearest_hint(word: str, choices: Collection[str]) -> str:
    """``"; did you mean X?"`` for the choice nearest to ``word``, or nothing where none is near."""
    by_lower = {choice.lower(): choice for choice in choices}
    nearest = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean {by_lower[nearest[0]]}?" if nearest else ""


def _is_finite(value: object) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False


def _as_float(value: object) -> float:
    assert isinstance(value, Real)
    return float(value)
