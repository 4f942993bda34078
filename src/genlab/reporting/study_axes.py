"""What the figures of a study share: colours and marks of the groups, exact ticks, limits, legends."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from genlab.reporting.figures import COLOURS, INK
from genlab.reporting.study_labels import value_text
from genlab.reporting.study_values import is_number

WIDTH = 5.6
"""Inches that every figure of a study is wide."""
SEED_ALPHA = 0.5
MARKERS = "osD^vPXh"
FEW = 4
"""With more groups than this on an ordered axis, colours go from dark to light instead of being told apart."""
MANY_TICKS = 9
BEYOND = 0.45
"""How far an interval may stretch a figure beyond its dots, in parts of their range; longer bars run off its edge."""
LETTERS = 66
"""Letters that stand beside each other below a figure."""
LEGEND_LINE = 0.2
"""Inches that a line of the legend is high."""


def group_colours(groups: Sequence[Any]) -> list[str]:
    """A colour a group: by the palette, or from dark to light for many that have an order."""
    if len(groups) > FEW and all(is_number(group) for group in groups):
        return [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0.0, 0.76, len(groups)))]
    return [COLOURS[place % len(COLOURS)] for place in range(len(groups))]


def group_marker(place: int) -> str:
    """The mark of group number ``place``: colours are not all that tells groups apart."""
    return MARKERS[place % len(MARKERS)]


def put_legend(figure: Figure, title: str, groups: Sequence[Any], handles: Sequence[Line2D]) -> None:
    """A legend below the figure, which grows by it, in as many columns as there is room for; none for one group."""
    if len(groups) < 2:
        return
    names = [value_text(group) for group in groups]
    columns = max(1, min(len(names), LETTERS // (max(map(len, names)) + 6)))
    lines = -(-len(names) // columns) + bool(title)
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE * lines + 0.1)
    legend = figure.legend(handles, names, loc="outside lower left", ncols=columns, title=title or None)
    legend.set(frame_on=False)
    legend.get_title().set(color=INK, fontsize=9)
    legend.set_alignment("left")
    for text in legend.get_texts():
        text.set(color=INK, fontsize=9)


def tick_values(axes: Axes, which: str, values: Sequence[Any], log: bool) -> None:
    """Ticks at the very values of a swept axis, where they are few; ``which`` is x or y."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    if len(values) <= MANY_TICKS:
        axis.set_major_locator(FixedLocator(list(values)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: value_text(_nearest(values, value))))


def tick_measured(axes: Axes, which: str, log: bool, most: int = 6) -> None:
    """At most so many ticks of a measured quantity, at round values."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: value_text(float(f"{value:.3g}"))))
    else:
        axis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:,.{_decimals(axis.get_majorticklocs().tolist())}f}")
        )


def _decimals(ticks: Sequence[float]) -> int:
    """The fewest decimals that tell every tick exactly."""
    size = max(map(abs, ticks), default=1.0) or 1.0
    return next((d for d in range(8) if all(abs(round(tick, d) - tick) < 1e-9 * size for tick in ticks)), 8)


def limit(axes: Axes, which: str, values: Iterable[float], ends: Iterable[float], log: bool) -> None:
    """Show every one of ``values``, and of the ``ends`` of intervals what lies not too far beyond them."""
    scale, back = (np.log10, lambda x: 10**x) if log else (np.asarray, float)
    dots = scale(np.array([value for value in values if value > 0 or not log], dtype=float))
    bars = scale(np.array([end for end in ends if end > 0 or not log], dtype=float))
    low, high = float(dots.min()), float(dots.max())
    span = (high - low) or abs(high) or 1.0
    low = max(low - BEYOND * span, min([low, *bars.tolist()])) - 0.06 * span
    high = min(high + BEYOND * span, max([high, *bars.tolist()])) + 0.06 * span
    (axes.set_xlim if which == "x" else axes.set_ylim)(back(low), back(high))


def _nearest(values: Sequence[Any], value: float) -> Any:
    return min(values, key=lambda each: abs(each - value))


def mark_cut(axes: Axes, which: str, place: float, ends: tuple[float, float], colour: str) -> None:
    """A small arrow at the edge of the figure for each end of an interval that lies beyond it."""
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    markers = "<>" if which == "x" else "v^"
    for edge, marker, is_beyond in ((low, markers[0], ends[0] < low), (high, markers[1], ends[1] > high)):
        if is_beyond:
            where = (edge, place) if which == "x" else (place, edge)
            axes.plot(*where, marker, color=colour, markersize=4, markeredgewidth=0, clip_on=False)
