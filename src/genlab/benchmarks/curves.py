"""How cost grows with a size: what was measured, and a small picture of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator

from genlab.reporting.figures import COLOURS, dressed, new_figure, write_figure

PICTURE_INCHES = (5.2, 3.2)


@dataclass(frozen=True)
class Curve:
    """``costs`` (in ``unit``, a list of rounds a size) of each contender at the ``sizes`` of ``axis``.

    ``name`` is that of the picture's file; ``what`` says what was done at each size.
    """

    name: str
    axis: str
    unit: str
    what: str
    sizes: list[float]
    costs: dict[str, list[list[float]]]


def draw_curves(curves: list[Curve], folder: Path) -> list[str]:
    """Draw each curve into ``folder``; the names of the files."""
    return [draw_curve(curve, folder / f"{curve.name}.png").name for curve in curves]


def draw_curve(curve: Curve, path: Path) -> Path:
    """Medians as lines on logarithmic axes, the rounds as dots."""
    figure = new_figure(PICTURE_INCHES)
    axes = dressed(figure.subplots(), curve.what)
    for (contender, costs), colour in zip(curve.costs.items(), COLOURS, strict=False):
        axes.plot(curve.sizes, [float(np.median(rounds)) for rounds in costs], color=colour, label=contender)
        for size, rounds in zip(curve.sizes, costs, strict=True):
            axes.plot([size] * len(rounds), rounds, "o", color=colour, markersize=3)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(curve.sizes, [f"{size:g}" for size in curve.sizes])
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:,.4g}"))
    axes.minorticks_off()
    axes.set_xlabel(curve.axis)
    axes.set_ylabel(curve.unit)
    axes.legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_figure(figure, path)
