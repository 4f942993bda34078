"""What the arms, axes and quantities of a study are called in its figures, tables and page."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from genlab.studies.axes import EPOCH, axis_words, plain, value_words
from genlab.studies.quantities import read_quantities

Definition = Mapping[str, Any]
"""A study's file as plain values, its budget merged in."""

ONE_ARM = "every run"
"""The only arm of a study whose runs differ in nothing but their seeds."""


def quantity_text(definition: Definition, name: str) -> str:
    """What a quantity is called, without its unit."""
    return read_quantities(definition)[name].label


def quantity_label(definition: Definition, name: str) -> str:
    """What a quantity is called, with its unit: ``time to 2.5 bits (iterations)``."""
    quantity = read_quantities(definition)[name]
    return f"{quantity.label} ({quantity.unit})" if quantity.unit else quantity.label


def direction(definition: Definition, name: str) -> str:
    """``lower is better``, ``higher is better``, or nothing where neither is."""
    better = read_quantities(definition)[name].better
    return f"{better} is better" if better else ""


def quantity_value(definition: Definition, name: str, mean: float, half: float | None = None) -> str:
    """A mean as the quantity is written, without its unit, and half of its interval with as many decimals."""
    quantity = replace(read_quantities(definition)[name], unit="")
    text = quantity.shown(mean)
    if half is None:
        return text
    decimals = len(text.partition(".")[2]) if "e" not in text else quantity.digits
    short = f"{half:,.{decimals}f}"
    return f"{text} ± {short if float(short.replace(',', '')) or not half else f'{half:.1g}'}"


def axis_label(axis: str) -> str:
    """What an axis is called where it stands by itself."""
    return {EPOCH: "passes over the data"}.get(axis, axis_words(axis))


def value_text(value: object) -> str:
    """A value of an axis, as short as can be."""
    return plain(value)


def arm_text(arm: Mapping[str, Any]) -> str:
    """An arm in words: ``hidden size 100, time steps 20``; a name that its study gave it stands for itself."""
    return ", ".join(value_words(axis, value) for axis, value in arm.items()) or ONE_ARM
