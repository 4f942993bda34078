"""Figures of what was measured: class histogram, confusion, calibration, and a map of two latent dimensions."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from genlab.reporting.figures import HELD_OUT_COLOUR, INK, SOFT, TRAIN_COLOUR, dressed, new_figure, write_figure
from genlab.reporting.runs import RunRecord

MANY_CLASSES = 12
"""With more classes than this a matrix has no figures in its cells, and a map no legend of words."""


def draw_figures(record: RunRecord, folder: Path) -> list[Path]:
    """Write a PNG into ``folder`` for each of the run's evaluation results that has one, and return the paths."""
    paths = []
    for name, (needed, draw) in FIGURES.items():
        result = record.evaluation.get(name, {})
        if all(result.get(key) for key in needed):
            paths.append(write_figure(draw(result, record.name), folder / f"{name}.png", colours=64))
    return paths


def latent_scatter(points: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], title: str) -> Figure:
    """Points (N, 2) of classes ``labels`` (N,), each class in a colour of its own, with a legend."""
    figure = new_figure((6.4, 5.6))
    axes = dressed(figure.add_subplot(), title)
    classes = sorted(set(labels.tolist()))
    colours = colormaps["tab10" if len(classes) <= 10 else "gist_rainbow"].resampled(max(10, len(classes)))
    places = np.searchsorted(classes, labels)
    size = 4.0 if len(points) > 2000 else 12.0
    axes.scatter(points[:, 0], points[:, 1], s=size, color=colours(places), alpha=0.65, linewidths=0)
    for place, label in enumerate(classes):
        axes.scatter([], [], s=40, color=colours(place), label=str(label))
    axes.set_xlabel("z1", color=INK)
    axes.set_ylabel("z2", color=INK)
    axes.set_aspect("equal", adjustable="datalim")
    if len(classes) <= MANY_CLASSES:
        axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _class_histogram(result: Mapping[str, Any], name: str) -> Figure:
    """The share of each class among generated images, with its interval, beside the share in the training set."""
    counts, shares, prior = (np.array([row[key] for row in result["by_class"]]) for key in ("count", "share", "prior"))
    ends = np.array([row["interval"] for row in result["by_class"]]).T
    errors = np.maximum(0, np.stack([shares - ends[0], ends[1] - shares]))
    figure = new_figure()
    axes = dressed(figure.add_subplot(), f"Classes that {name} generates, {counts.sum():,.0f} images")
    places = np.arange(len(counts))
    axes.bar(places - 0.2, shares, 0.38, color=TRAIN_COLOUR, label="generated, with 95 % interval")
    axes.errorbar(places - 0.2, shares, errors, fmt="none", ecolor=INK, elinewidth=1.2, capsize=2.5)
    axes.bar(places + 0.2, prior, 0.38, color="#c2c4bd", label="training images")
    axes.set_ylim(0, 1.25 * max(float(ends[1].max()), float(prior.max())))
    axes.set_xlabel("class that the judge reads", color=INK)
    axes.set_ylabel("share of images", color=INK)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
    axes.grid(visible=False, axis="x")
    _number_classes(axes, "x", len(counts))
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=2, loc="upper left")
    return figure


def _confusion(result: Mapping[str, Any], name: str) -> Figure:
    """Counts of what is read as what; mistakes are shaded by the logarithm of their number, so that one shows."""
    matrix = np.array(result["matrix"], dtype=float)
    classes, mistakes = len(matrix), np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    figure = new_figure((6.4, 5.6))
    title = f"What {name} takes for what: {mistakes.sum():,.0f} mistakes in {matrix.sum():,.0f}"
    axes = dressed(figure.add_subplot(), title)
    axes.imshow(_shaded(mistakes), aspect="equal")
    if classes <= MANY_CLASSES:
        for (row, column), count in np.ndenumerate(matrix):
            if count:
                soft = SOFT if row == column else INK
                axes.text(column, row, f"{count:,.0f}", ha="center", va="center", fontsize=8, color=soft)
    axes.set_xlabel("read as", color=INK)
    axes.set_ylabel("is", color=INK)
    axes.grid(visible=False)
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines["bottom"].set_visible(False)
    _number_classes(axes, "xy", classes)
    return figure


def _shaded(mistakes: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Colours (K, K, 3): from white to vermilion by the logarithm of the count, the diagonal a faint grey."""
    most = max(1.0, float(mistakes.max()))
    depth = np.where(mistakes > 0, 0.15 + 0.75 * np.log1p(mistakes) / np.log1p(most), 0)[..., None]
    colours = (1 - depth) * np.array(to_rgb("#fafaf8")) + depth * np.array(to_rgb(HELD_OUT_COLOUR))
    colours[np.arange(len(mistakes)), np.arange(len(mistakes))] = to_rgb("#efefec")
    return np.asarray(colours)


def _calibration(result: Mapping[str, Any], name: str) -> Figure:
    """Accuracy against confidence by bin, and below how many images each bin holds."""
    bins = [each for each in result["reliability"] if each["count"]]
    figure = new_figure((6.4, 4.6))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    error = result.get("value")
    words = "" if error is None else f": expected error {100 * error:.2g} %"
    dressed(upper, f"Calibration of {name}{words}")
    upper.plot([0, 1], [0, 1], color=SOFT, linewidth=1.2, linestyle="--", label="as sure as it is right")
    points = [[each[key] for each in bins] for key in ("confidence", "accuracy")]
    upper.plot(*points, color=TRAIN_COLOUR, marker="o", markersize=6, markeredgecolor="white", label=name)
    upper.set_ylabel("share that is right", color=INK)
    upper.legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper left")
    dressed(lower, "")
    centres, widths = [(b["low"] + b["high"]) / 2 for b in bins], [0.9 * (b["high"] - b["low"]) for b in bins]
    lower.bar(centres, [each["count"] for each in bins], widths, color="#c2c4bd")
    lower.set_yscale("log")
    lower.set_ylim(bottom=0.8)
    lower.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{count:,.0f}"))
    lower.yaxis.set_minor_locator(NullLocator())
    lower.set_ylabel("images", color=INK)
    lower.set_xlabel("confidence", color=INK)
    percent = FuncFormatter(lambda share, _: f"{100 * share:g} %")
    for axis in (upper.yaxis, lower.xaxis):
        axis.set_major_formatter(percent)
    upper.set_xlim(min(points[0]) - 0.05 if bins else 0, 1.02)
    upper.set_ylim(top=1.05)
    return figure


def _number_classes(axes: Axes, which: str, classes: int) -> None:
    step = 1 if classes <= MANY_CLASSES else 5
    for axis in which:
        axes.set(**{f"{axis}ticks": np.arange(0, classes, step)})


FIGURES: dict[str, tuple[Sequence[str], Callable[[Mapping[str, Any], str], Figure]]] = {
    "class_histogram": (("by_class",), _class_histogram),
    "confusion": (("matrix",), _confusion),
    "calibration": (("reliability",), _calibration),
}
"""The results that have a figure, what each must hold for it, and how it is drawn."""
