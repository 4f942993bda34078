"""A map of a quantity over two axes of a study, its values written into it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from genlab.reporting.figure_specs import FigureSpec
from genlab.reporting.figures import INK, TRAIN_COLOUR, dressed, new_figure
from genlab.reporting.study_axes import WIDTH
from genlab.reporting.study_labels import Definition, axis_label, quantity_value, value_text
from genlab.reporting.study_values import Spot, levels, spots_of
from genlab.studies.observations import Observation
from genlab.studies.quantities import LOWER, read_quantities

DARK = 0.62
"""From here on letters are white."""
NOT_MEASURED = "#eeeeea"


def draw_heat(definition: Definition, observations: Sequence[Observation], spec: FigureSpec) -> Figure | None:
    """A map a group; the first axis goes down, the second across. None where nothing was measured."""
    _, measured = spots_of(observations, spec)
    if not measured:
        return None
    ((quantity, spots),) = measured.items()
    rows, columns = (levels(spot.places[side] for spot in spots) for side in (0, 1))
    groups = levels(spot.group for spot in spots)
    figure = new_figure((WIDTH, 0.45 + (0.8 + 0.52 * len(rows)) * len(groups)))
    figure.suptitle(spec.title, x=0.012, ha="left", color=INK, fontsize=11)
    depths = _depths([spot.mean for spot in spots], read_quantities(definition)[quantity].better == LOWER)
    for axes, group in zip(figure.subplots(len(groups), 1, squeeze=False).flatten(), groups, strict=True):
        dressed(axes, str(group))
        shown = [(spot, depth) for spot, depth in zip(spots, depths, strict=True) if spot.group == group]
        _map(axes, definition, quantity, shown, (rows, columns))
        axes.set_ylabel(axis_label(spec.along[0]), color=INK)
        axes.set_xlabel(axis_label(spec.along[1]), color=INK)
    return figure


def _map(
    axes: Axes,
    definition: Definition,
    quantity: str,
    shown: Sequence[tuple[Spot, float]],
    sides: tuple[Sequence[Any], Sequence[Any]],
) -> None:
    """One map; cells without a value are grey."""
    rows, columns = sides
    ground = np.full((len(rows), len(columns)), np.nan)
    for spot, depth in shown:
        row, column = rows.index(spot.places[0]), columns.index(spot.places[1])
        ground[row, column] = depth
        words = quantity_value(definition, quantity, spot.mean, spot.half).replace(" ±", "\n±")
        ink = "white" if depth > DARK else INK
        axes.text(column, row, words, ha="center", va="center", fontsize=9, color=ink)
    colours = LinearSegmentedColormap.from_list("blues", ["#f2f7fb", "#7fb5d8", TRAIN_COLOUR])
    axes.set_facecolor(NOT_MEASURED)  # where there is no value the map lets it through
    axes.imshow(np.ma.masked_invalid(ground), cmap=colours, vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(len(rows)), [value_text(row) for row in rows])
    axes.set_xticks(range(len(columns)), [value_text(column) for column in columns])
    _part(axes, len(rows), len(columns))


def _depths(means: Sequence[float], lower_is_better: bool) -> list[float]:
    """From 0 (light) to 1 (dark) over the range of ``means``; the better the darker."""
    low, span = min(means), (max(means) - min(means)) or 1.0
    shares = [(mean - low) / span for mean in means]
    return [1 - share for share in shares] if lower_is_better else shares


def _part(axes: Axes, rows: int, columns: int) -> None:
    """White lines between the cells, and none around."""
    axes.grid(visible=False)
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    axes.spines["bottom"].set_visible(False)
