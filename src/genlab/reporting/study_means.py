"""Figures of means over seeds: lines along an axis, and rows of dots."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genlab.reporting.figure_specs import FigureSpec
from genlab.reporting.figures import INK, dressed, new_figure
from genlab.reporting.study_axes import (
    SEED_ALPHA,
    WIDTH,
    group_colours,
    group_marker,
    limit,
    mark_cut,
    put_legend,
    tick_measured,
    tick_values,
)
from genlab.reporting.study_labels import ONE_ARM, Definition, axis_label, quantity_label, value_text
from genlab.reporting.study_values import Spot, is_number, levels, spots_of
from genlab.studies.axes import ARM
from genlab.studies.observations import Observation

DODGE = 0.014
"""How far the groups of a figure of lines stand apart, in parts of its width: their bars are told apart."""
SPREAD = 0.07
"""How far all groups together may stand apart, in the same parts."""
ROW_DODGE = 0.22
ASIDE = 0.007
"""How far the seeds' dots stand beside the bar of their mean, in parts of the figure's width."""
ABOVE = 0.13
"""The same in a figure of rows, in parts of a row."""
MARGIN = 0.06
PANELS_ACROSS = 3
LETTERS = 54
"""Letters that the names below all panels of a row have together."""


def draw_lines(definition: Definition, observations: Sequence[Observation], spec: FigureSpec) -> Figure | None:
    """A line a group along one axis; None where nothing was measured."""
    layout, measured = spots_of(observations, spec)
    if not measured:
        return None
    ((quantity, spots),) = measured.items()
    figure = new_figure((WIDTH, 3.2))
    axes = dressed(figure.add_subplot(), spec.title)
    groups = levels(spot.group for spot in spots)
    colours = group_colours(groups)
    where = _horizontal(axes, levels(spot.places[0] for spot in spots), spec.is_log("x"))
    _limit(axes, "y", spots, spec.is_log("y"))
    apart = min(DODGE, SPREAD / len(groups))
    handles = []
    for index, group in enumerate(groups):
        mine = sorted((spot for spot in spots if spot.group == group), key=lambda spot: where[spot.places[0]])
        x = _moved(axes, [where[spot.places[0]] for spot in mine], apart * (index - (len(groups) - 1) / 2))
        handles.append(_line(axes, x, mine, colours[index], group_marker(index)))
    axes.set_xlabel(axis_label(spec.along[0]), color=INK)
    axes.set_ylabel(quantity_label(definition, quantity), color=INK)
    put_legend(figure, layout.legend_title, groups, handles)
    return figure


def draw_points(definition: Definition, observations: Sequence[Observation], spec: FigureSpec) -> Figure | None:
    """A row a place along one axis, a panel a quantity; None where nothing was measured."""
    layout, measured = spots_of(observations, spec)
    if not measured:
        return None
    every = [spot for spots in measured.values() for spot in spots]
    rows, groups = levels(spot.places[0] for spot in every), levels(spot.group for spot in every)
    figure, panels = _panels(len(measured), len(rows), len(groups))
    figure.suptitle(spec.title, x=0.012, ha="left", color=INK, fontsize=11, wrap=True)
    handles: list[Line2D] = []
    for panel, (name, spots) in zip(panels, measured.items(), strict=True):
        _limit(panel, "x", spots, spec.is_log("x"), most={1: 6, 2: 4}.get(len(measured), 3))
        handles = _rows(panel, spots, rows, groups)
        panel.set_xlabel(fill(quantity_label(definition, name), LETTERS // _across(len(measured))), color=INK)
    panels[0].set_yticks(range(len(rows)), [value_text(row) if row != ONE_ARM else "" for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    if spec.along[0] != ARM:
        panels[0].set_ylabel(axis_label(spec.along[0]), color=INK)
    put_legend(figure, layout.legend_title, groups, handles)
    return figure


def _panels(number: int, rows: int, groups: int) -> tuple[Figure, list[Axes]]:
    across = _across(number)
    down = -(-number // across)
    height = 0.3 + rows * (0.2 + 0.14 * groups)
    figure = new_figure((WIDTH, down * (height + 0.6) + 0.35))
    panels = figure.subplots(down, across, sharey=True, squeeze=False).flatten().tolist()
    for empty in panels[number:]:
        empty.set_visible(False)
    return figure, panels[:number]


def _across(panels: int) -> int:
    return panels if panels <= PANELS_ACROSS else 2


def _horizontal(axes: Axes, places: Sequence[Any], log: bool) -> dict[Any, float]:
    """Where the places of an axis lie: numbers on a scale, with room at both ends; names side by side."""
    numeric = all(is_number(place) for place in places)
    where = {place: float(place) if numeric else float(index) for index, place in enumerate(places)}
    low, high = min(where.values()), max(where.values())
    if not numeric:
        axes.set_xticks(list(where.values()), [value_text(place) for place in places])
        axes.set_xlim(low - 0.5, high + 0.5)
        return where
    tick_values(axes, "x", places, log)
    if log:
        room = (high / low) ** MARGIN if high > low else 2.0
        axes.set_xlim(low / room, high * room)
    else:
        span = (high - low) or abs(high) or 1.0
        axes.set_xlim(low - MARGIN * span, high + MARGIN * span)
    return where


def _moved(axes: Axes, x: Sequence[float], parts: float) -> list[float]:
    """``x`` moved to the right by ``parts`` of the figure's width, whatever its scale."""
    transform = axes.transScale.transform
    ends = [transform((end, 1.0))[0] for end in axes.get_xlim()]
    back = axes.transScale.inverted().transform
    return [float(back((transform((each, 1.0))[0] + parts * (ends[1] - ends[0]), 1.0))[0]) for each in x]


def _line(axes: Axes, x: Sequence[float], spots: Sequence[Spot], colour: str, marker: str) -> Line2D:
    """The line of one group, whose ``spots`` stand at ``x``, its seeds a little to the left."""
    means = [spot.mean for spot in spots]
    axes.errorbar(x, means, [spot.half or 0.0 for spot in spots], fmt="none", ecolor=colour, elinewidth=1.1, alpha=0.8)
    for place, beside, spot in zip(x, _moved(axes, x, -ASIDE), spots, strict=True):
        dots = [beside] * len(spot.values)
        axes.plot(dots, spot.values, "o", color=colour, alpha=SEED_ALPHA, markersize=3.2, markeredgewidth=0)
        mark_cut(axes, "y", place, spot.ends, colour)
    (line,) = axes.plot(x, means, color=colour, marker=marker, markersize=6, markeredgecolor="white", linewidth=1.6)
    return line


def _rows(axes: Axes, spots: Sequence[Spot], rows: Sequence[Any], groups: Sequence[Any]) -> list[Line2D]:
    """The dots of one panel; a handle of each group for the legend."""
    dressed(axes, "")
    axes.grid(visible=False, axis="x")
    colours = group_colours(groups)
    for spot in spots:
        group = groups.index(spot.group)
        height = rows.index(spot.places[0]) + ROW_DODGE * (group - (len(groups) - 1) / 2)
        dots = [height - ABOVE] * len(spot.values)
        axes.plot(spot.values, dots, "o", color=colours[group], alpha=SEED_ALPHA, markersize=3.6, markeredgewidth=0)
        axes.errorbar(spot.mean, height, xerr=spot.half or 0.0, ecolor=colours[group], elinewidth=1.3, fmt="none")
        mark_cut(axes, "x", height, spot.ends, colours[group])
        marker = "D" if len(groups) == 1 else group_marker(group)
        axes.plot(spot.mean, height, marker, color=colours[group], markersize=6, markeredgecolor="white")
    markers = ["D"] if len(groups) == 1 else [group_marker(index) for index in range(len(groups))]
    return [
        Line2D([], [], color=colour, marker=marker, linestyle="none")
        for colour, marker in zip(colours, markers, strict=True)
    ]


def _limit(axes: Axes, which: str, spots: Sequence[Spot], log: bool, most: int = 6) -> None:
    tick_measured(axes, which, log, most)
    ends = np.array([spot.ends for spot in spots]).ravel()
    limit(axes, which, [value for spot in spots for value in (*spot.values, spot.mean)], ends.tolist(), log)
