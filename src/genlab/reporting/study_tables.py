"""The figures of a study as tables: a row an arm, a column a quantity, the mean over seeds with its interval.

Quantities that are measured along an axis of their own (a temperature, a pass over the data) have a table of their own,
with a row for each of its values.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.reporting.markdown_table import table
from genlab.reporting.sheets import write_whole
from genlab.reporting.study_labels import (
    ONE_ARM,
    Definition,
    axis_label,
    direction,
    quantity_label,
    quantity_value,
    value_text,
)
from genlab.reporting.study_values import levels
from genlab.studies.axes import EPOCH
from genlab.studies.folder import StudyRecord
from genlab.studies.observations import Cell, Observation, rows, summarise
from genlab.studies.quantities import LOWER, read_quantities
from genlab.studies.study import weights_of

HEADINGS = {"best": "With the weights of best.ckpt", "last": "At the end of training"}
NOT_MEASURED = "\N{EN DASH}"
NOTE = "Mean over seeds ± half of its 95 % t interval."

Key = tuple[tuple[tuple[str, Any], ...], Any]
"""What sets a row apart: the arm's values by axis, and the value on the table's own axis, None where it has none."""


@dataclass(frozen=True)
class TableCell:
    """One mean as text; ``best`` marks the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class TableRow:
    """One row: its values on the axes, its number of seeds, and a cell a quantity."""

    keys: tuple[str, ...]
    seeds: int
    cells: tuple[TableCell, ...]


@dataclass(frozen=True)
class StudyTable:
    """Rows of an arm each: ``axes`` and ``quantities`` head their columns; ``note`` says how to read it."""

    title: str
    axes: tuple[str, ...]
    quantities: tuple[str, ...]
    rows: tuple[TableRow, ...]
    note: str


def study_tables(study: StudyRecord, observations: Sequence[Observation]) -> list[StudyTable]:
    """The study's tables: first what is measured once a run, at its end; then what is measured along an axis."""
    definition = study.definition
    names = list(definition.get("table") or definition.get("quantities") or {})
    final = [each for each in observations if each.final]
    own = list(dict.fromkeys(axis for each in observations for axis in each.at if axis != EPOCH))
    tables = [_table(definition, _cells(names, final, None), None)]
    tables += [_table(definition, _cells(names, final, axis), axis) for axis in own]
    by_pass = _cells(names, observations, EPOCH)
    several = {name: cells for name, cells in by_pass.items() if len({value for _, value in cells}) > 1}
    tables.append(_table(definition, several, EPOCH))  # the end alone is in the first table already
    return [found for found in tables if found.rows]


def as_markdown(found: StudyTable) -> str:
    """The table in Markdown, its best means bold, and its note."""
    header = [*found.axes, "seeds", *found.quantities]
    body = [
        [*row.keys, str(row.seeds), *(f"**{cell.text}**" if cell.best else cell.text for cell in row.cells)]
        for row in found.rows
    ]
    return f"{table(header, body)}\n\n{found.note}"


def write_results(observations: Sequence[Observation], path: Path) -> Path:
    """Write ``results.csv``, one line an observation, and return the path.

    An empty cell was not measured; ``censored`` names the quantities that are lower bounds, ``folder`` the run.
    """
    lines = [
        {**line, "censored": " ".join(sorted(each.censored)), "folder": each.folder.name}
        for line, each in zip(rows(observations), observations, strict=True)
    ]
    content = io.StringIO(newline="")
    writer = csv.DictWriter(content, list(dict.fromkeys(name for line in lines for name in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return write_whole(path, content.getvalue().encode())


def _cells(names: Sequence[str], observations: Sequence[Observation], axis: str | None) -> dict[str, dict[Key, Cell]]:
    """The cells of each quantity that is measured along ``axis`` (by pass, or by nothing, for None) and has a value."""
    found: dict[str, dict[Key, Cell]] = {}
    for name in names:
        cells = [cell for cell in summarise(observations, name) if _is_along(cell, axis)]
        if any(cell.mean is not None for cell in cells):
            found[name] = {(tuple(cell.arm.items()), cell.at.get(axis) if axis else None): cell for cell in cells}
    return found


def _is_along(cell: Cell, axis: str | None) -> bool:
    others = set(cell.at) - {EPOCH}
    return not others and (axis is None or EPOCH in cell.at) if axis in (None, EPOCH) else others == {axis}


def _table(definition: Definition, cells: Mapping[str, Mapping[Key, Cell]], axis: str | None) -> StudyTable:
    keys = _sorted(list(dict.fromkeys(key for of_name in cells.values() for key in of_name)))
    axes = list(dict.fromkeys(name for arm, _ in keys for name, _ in arm))
    best = {name: _best(definition, name, of_name) for name, of_name in cells.items()}
    heads = [axis_label(name) for name in axes] + ([axis_label(axis)] if axis else [])
    return StudyTable(
        title=f"By {axis_label(axis)}" if axis else HEADINGS[weights_of(definition)],
        axes=tuple(heads or [""]),
        quantities=tuple(_heading(definition, name) for name in cells),
        rows=tuple(_row(definition, key, axes, cells, best) for key in keys),
        note=_note(best, several=len({value for _, value in keys}) > 1 and len({arm for arm, _ in keys}) > 1),
    )


def _sorted(keys: Sequence[Key]) -> list[Key]:
    """Arm by arm in the study's order, and each along the table's own axis."""
    arms = list(dict.fromkeys(arm for arm, _ in keys))
    places = levels(value for _, value in keys)
    return sorted(keys, key=lambda key: (arms.index(key[0]), places.index(key[1])))


def _heading(definition: Definition, name: str) -> str:
    way = direction(definition, name)
    return f"{quantity_label(definition, name)}{f', {way}' if way else ''}"


def _row(
    definition: Definition,
    key: Key,
    axes: Sequence[str],
    cells: Mapping[str, Mapping[Key, Cell]],
    best: Mapping[str, set[Key]],
) -> TableRow:
    arm, place = dict(key[0]), key[1]
    words = [value_text(arm.get(axis, NOT_MEASURED)) for axis in axes] + ([] if place is None else [value_text(place)])
    seeds = max(cells[name][key].n for name in cells if key in cells[name])
    texts = (
        TableCell(_cell_text(definition, name, of_name.get(key), seeds), key in best[name])
        for name, of_name in cells.items()
    )
    return TableRow(tuple(words or [ONE_ARM]), seeds, tuple(texts))


def _cell_text(definition: Definition, name: str, cell: Cell | None, seeds: int) -> str:
    """Mean and half interval; how many are lower bounds, and how many there are where it is not all of the row's."""
    if cell is None or cell.mean is None:
        return NOT_MEASURED
    mean = quantity_value(definition, name, cell.mean, cell.half)
    fewer = "" if cell.n == seeds else f" (n = {cell.n})"
    never = f", {cell.censored} of {cell.n} never" if cell.censored else ""
    return f"{'≥ ' if cell.censored else ''}{mean}{fewer}{never}"


def _best(definition: Definition, name: str, cells: Mapping[Key, Cell]) -> set[Key]:
    """The best arm at each place of the table's axis, or, of a single arm, the best place; none without a rival."""
    better = read_quantities(definition)[name].better
    means = {key: cell.mean for key, cell in cells.items() if cell.mean is not None and not cell.censored}
    one_arm = len({arm for arm, _ in means}) == 1
    found = set()
    for place in {None} if one_arm else {value for _, value in means}:
        rivals = {key: mean for key, mean in means.items() if one_arm or key[1] == place}
        if better and len(rivals) > 1:
            found.add((min if better == LOWER else max)(rivals, key=lambda key: rivals[key]))
    return found


def _note(best: Mapping[str, set[Key]], several: bool) -> str:
    if not any(best.values()):
        return NOTE
    return f"{NOTE} Bold: the best mean of its column{' at each place' if several else ''}, whatever its interval."
