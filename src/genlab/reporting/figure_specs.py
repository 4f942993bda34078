"""The figures that a study asks for, read from its file and checked.

How a file says them is told in :mod:`genlab.reporting.study_figures`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genlab.checks import at_least, nearest_hint, one_of, refuse
from genlab.reporting.curves import FAMILIES, member_label
from genlab.reporting.study_labels import Definition, axis_label, quantity_label, quantity_text
from genlab.studies.axes import ARM, EPOCH, values_of_axes
from genlab.studies.quantities import read_quantities

KINDS: dict[str, frozenset[str]] = {
    "lines": frozenset({"along", "by", "of", "log"}),
    "points": frozenset({"along", "by", "of", "log"}),
    "curves": frozenset({"by", "of", "log"}),
    "scatter": frozenset({"by", "of", "log"}),
    "heat": frozenset({"along", "of"}),
    "grids": frozenset({"passes", "of"}),
}
"""The kinds of figures, and what each may be told besides its name and title."""

SEED = "seed"
LOGS = ("x", "y", "both")
_ALWAYS = frozenset({"name", "title"})
_STAGES = {"train": "training", "val": "held-out"}


@dataclass(frozen=True)
class FigureSpec:
    """One figure of a study. ``shown`` holds names of quantities, or of columns of ``metrics.csv`` for curves."""

    kind: str
    name: str
    title: str
    shown: tuple[str, ...] = ()
    along: tuple[str, ...] = ()
    by: str | None = None
    of: Mapping[str, Any] | None = None
    log: str = ""
    passes: tuple[int, ...] = ()

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes that the figure tells apart."""
        return (*self.along, self.by) if self.by else self.along

    def is_log(self, side: str) -> bool:
        """Whether the axis at ``side`` (x or y) is logarithmic."""
        return self.log in (side, "both")


def read_figures(definition: Definition) -> list[FigureSpec]:
    """The figures of a study, each with a name of its own.

    Raises ``ValueError`` naming the field for a kind, quantity, axis or option that there is not, and for a
    scatter that does not say which of a run's values it means.
    """
    entries = definition.get("figures") or []
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        raise refuse("figures", "be a list of figures", entries, "study.figures")
    specs: list[FigureSpec] = []
    for number, entry in enumerate(entries):
        spec = _read(definition, entry, f"study.figures[{number}]")
        if spec.name in (other.name for other in specs):
            raise refuse("name", "differ from the other figures' names", spec.name, f"study.figures[{number}]")
        specs.append(spec)
    return specs


def axes_of(definition: Definition) -> list[str]:
    """The axes by which runs of the study differ, and those of its quantities; without the seed."""
    each = [quantity.axis for quantity in read_quantities(definition).values() if quantity.axis is not None]
    return list(dict.fromkeys([ARM, *values_of_axes(definition), *each, EPOCH]))


def _read(definition: Definition, entry: Any, path: str) -> FigureSpec:
    if not isinstance(entry, Mapping):
        raise refuse("figures", f"be mappings with one of {', '.join(KINDS)}", entry, path)
    kinds = [key for key in entry if key in KINDS]
    if len(kinds) != 1:
        near = nearest_hint(str(next(iter(entry), "")), KINDS)
        raise refuse("figures", f"name one of {', '.join(KINDS)}", list(entry), path + near)
    kind = kinds[0]
    allowed = {kind, *KINDS[kind], *_ALWAYS}
    for key in entry:
        if key not in allowed:
            raise refuse(kind, f"take {', '.join(sorted(allowed - {kind}))}", key, path + nearest_hint(key, allowed))
    spec = _spec(definition, kind, entry, path)
    if kind == "scatter":
        _check_one_value_a_run(definition, spec, path)
    return spec


def _spec(definition: Definition, kind: str, entry: Mapping[str, Any], path: str) -> FigureSpec:
    shown = _shown(definition, kind, entry[kind], f"{path}.{kind}")
    along = _along(definition, kind, entry.get("along"), f"{path}.along")
    by = entry.get("by")
    seeds = [SEED] if kind in ("curves", "scatter") else []
    if by is not None:
        one_of("by", by, [*axes_of(definition), *seeds], f"{path}.by")
    log = entry.get("log")
    return FigureSpec(
        kind=kind,
        name=_name(entry.get("name", _default_name(kind, shown, along)), path),
        title=str(entry.get("title") or _default_title(definition, kind, shown, along)),
        shown=shown,
        along=along,
        by=by,
        of=_of(definition, entry.get("of"), f"{path}.of"),
        log="" if log is None else one_of("log", log, LOGS, f"{path}.log"),
        passes=tuple(at_least("passes", each, 1, f"{path}.passes") for each in entry.get("passes") or ()),
    )


def _shown(definition: Definition, kind: str, value: Any, path: str) -> tuple[str, ...]:
    if kind == "grids":
        if value is not True:
            raise refuse("grids", "be true", value, path)
        return ()
    names = [value] if isinstance(value, str) else value
    counts = {"lines": (1, 1), "heat": (1, 1), "scatter": (2, 2)}.get(kind, (1, 4))
    is_list = isinstance(names, Sequence) and all(isinstance(name, str) for name in names)
    if not is_list or not counts[0] <= len(names) <= counts[1]:
        number = str(counts[0]) if counts[0] == counts[1] else f"{counts[0]} to {counts[1]}"
        what = "columns of metrics.csv" if kind == "curves" else "of the study's quantities"
        raise refuse(kind, f"name {number} {what}", value, path)
    if kind != "curves":
        for name in names:
            one_of(kind, name, list(definition.get("quantities") or {}), path)
    return tuple(names)


def _along(definition: Definition, kind: str, value: Any, path: str) -> tuple[str, ...]:
    wanted = {"lines": 1, "points": 1, "heat": 2}.get(kind, 0)
    names = [ARM] if value is None and kind == "points" else [value] if isinstance(value, str) else value or []
    if not isinstance(names, Sequence) or len(set(map(str, names))) != wanted:
        raise refuse("along", f"name {('no axis', 'one axis', 'two axes')[wanted]}", value, path)
    return tuple(one_of("along", name, axes_of(definition), path) for name in names)


def _of(definition: Definition, value: Any, path: str) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise refuse("of", "be a mapping of axes to values", value, path)
    for axis in value:
        one_of("of", axis, [*axes_of(definition), SEED], path)
    return dict(value)


def _name(value: Any, path: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise refuse("name", "be letters, digits, - and _", value, f"{path}.name")
    return value


def _default_name(kind: str, shown: Sequence[str], along: Sequence[str]) -> str:
    parts = [*shown, kind] if kind in ("points", "scatter", "curves") else [*shown, kind, *along]
    return re.sub(r"[^A-Za-z0-9]+", "_", "_".join(parts)).strip("_")


def _default_title(definition: Definition, kind: str, shown: Sequence[str], along: Sequence[str]) -> str:
    axes = " and ".join(axis_label(axis) for axis in along)
    if kind == "grids":
        title = "Generated images while training"
    elif kind == "curves":
        title = "; ".join(series_text(name) for name in shown)
    elif kind == "heat":
        title = f"{quantity_label(definition, shown[0])} by {axes}"
    else:
        names = [quantity_text(definition, name) for name in shown]
        title = {
            "lines": f"{names[0]} by {axes}",
            "points": ", ".join(names),
            "scatter": f"{names[-1]} against {names[0]}",
        }[kind]
    return title[:1].upper() + title[1:]


def series_text(column: str) -> str:
    """What a column of ``metrics.csv`` is called: ``train/loss_generator`` is the ``training loss, generator``."""
    stage, _, quantity = column.partition("/")
    name = quantity.removeprefix("smoothed_")
    family = next((family for family in FAMILIES if name.startswith(f"{family}_")), "")
    words = f"{family}, {member_label(name, family)}" if family else name.replace("_", " ").replace("/", " ")
    return f"{_STAGES.get(stage, stage)} {words}"


def _check_one_value_a_run(definition: Definition, spec: FigureSpec, path: str) -> None:
    """Raise ``ValueError`` where a run has many values of a quantity and the figure says not which."""
    told = {spec.by, *(axis for axis, value in (spec.of or {}).items() if not isinstance(value, list))}
    for name in spec.shown:
        axis = read_quantities(definition)[name].axis
        if axis is not None and axis not in told:
            raise refuse("scatter", f"say `by` or `of` for the axis {axis} of {name}", list(spec.shown), path)
