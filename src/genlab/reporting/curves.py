"""Training curves of one run: a figure for each quantity that was logged."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike
from PIL import Image

from genlab.reporting.runs import RunRecord, Series

TRAIN_COLOUR = "#0072B2"  # blue and vermilion of Okabe and Ito's palette: told apart by colour-blind readers
HELD_OUT_COLOUR = "#D55E00"
INK = "#2b2b2b"
SIZE_INCHES = (6.4, 3.5)
DPI = 200
PALETTE_COLOURS = 32  # flat colours and their antialiased edges; a third of the size of full colour

BOOKKEEPING = ("iterations_per_second", "lr", "learning_rate", "step", "epoch", "seconds")
"""Quantities that say how a run went, not what it learned: they get no figure."""


@dataclass(frozen=True)
class Quantity:
    """One quantity, as it was logged in training (raw, smoothed) and on held-out data."""

    name: str
    raw: Series | None
    smoothed: Series | None
    held_out: Series | None


def draw_curves(record: RunRecord, folder: Path) -> list[Path]:
    """Write one PNG for each quantity of ``record`` into ``folder`` and return the paths (``loss.png``, ...).

    ``train/x``, ``train/smoothed_x`` and ``val/x`` share the figure of ``x``. Bits per character have no
    figure of their own beside a loss: they are its second axis.
    """
    quantities = group_quantities(record.metrics)
    in_bits = any(quantity.name == "bits_per_char" for quantity in quantities)
    if any(quantity.name == "loss" for quantity in quantities):
        quantities = [quantity for quantity in quantities if quantity.name != "bits_per_char"]
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for quantity in quantities:
        figure = _draw(quantity, record.name, per_character=in_bits and quantity.name == "loss")
        path = folder / f"{quantity.name.replace('/', '_')}.png"
        path.write_bytes(small_png(figure))
        paths.append(path)
    return paths


def group_quantities(metrics: Mapping[str, Series]) -> list[Quantity]:
    """The quantities among ``metrics``, in the order in which they first appear, without the bookkeeping."""
    names: dict[str, None] = {}
    finite = {name: _finite(series) for name, series in metrics.items()}
    finite = {name: series for name, series in finite.items() if series[0].size}
    for metric in finite:
        stage, _, quantity = metric.partition("/")
        quantity = quantity.removeprefix("smoothed_")
        if stage in ("train", "val") and quantity and quantity not in BOOKKEEPING:
            names[quantity] = None
    return [
        Quantity(
            name,
            raw=finite.get(f"train/{name}"),
            smoothed=finite.get(f"train/smoothed_{name}"),
            held_out=finite.get(f"val/{name}"),
        )
        for name in names
    ]


def small_png(figure: Figure) -> bytes:
    """``figure`` as a PNG of ``DPI`` in a palette of few colours: sharp on any screen and small in a page."""
    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=DPI)
    small = io.BytesIO()
    with Image.open(full) as image:
        image.convert("RGB").quantize(PALETTE_COLOURS).save(small, format="png", optimize=True)
    return small.getvalue()


def _finite(series: Series) -> Series:
    steps, values = series
    keep = np.isfinite(values)  # a run that blew up logs inf and nan: they have no place on an axis
    return steps[keep], values[keep]


def _draw(quantity: Quantity, run_name: str, per_character: bool) -> Figure:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    _plot(axes, quantity)
    _dress(axes, quantity, run_name, per_character)
    return figure


def _plot(axes: Axes, quantity: Quantity) -> None:
    faint = quantity.smoothed is not None
    if quantity.raw is not None:
        label = "training, each logged step" if faint else "training"
        alpha, width = (0.28, 0.8) if faint else (1.0, 1.4)
        _line(axes, quantity.raw, label, alpha=alpha, linewidth=width)
    if quantity.smoothed is not None:
        _line(axes, quantity.smoothed, "training, smoothed", alpha=1.0, linewidth=1.8)
    if quantity.held_out is not None:
        dots = Line2D(*quantity.held_out, color=HELD_OUT_COLOUR, label="held-out", linestyle=":", linewidth=1.0)
        dots.set(marker="o", markersize=5, markeredgecolor="white", zorder=4)
        axes.add_line(dots)
    axes.autoscale_view()


def _line(axes: Axes, series: Series, label: str, alpha: float, linewidth: float) -> None:
    marker = "o" if len(series[0]) == 1 else ""  # a line through one point would not be seen
    axes.plot(*series, color=TRAIN_COLOUR, label=label, marker=marker, alpha=alpha, linewidth=linewidth)


def _dress(axes: Axes, quantity: Quantity, run_name: str, per_character: bool) -> None:
    words = quantity.name.replace("_", " ").replace("/", " ")
    axes.set_title(f"{words[:1].upper()}{words[1:]} of {run_name}", loc="left", color=INK, fontsize=11)
    axes.set_xlabel("iteration", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    axes.set_ylabel("nats per character" if per_character else _unit(words), color=INK)
    if words.split()[0] == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    if per_character:
        bits = axes.secondary_yaxis("right", functions=(_to_bits, _to_nats))
        bits.set_ylabel("bits per character", color=INK)
        bits.spines["right"].set_visible(False)
        bits.tick_params(colors=INK, length=0)
    axes.grid(color="#e3e3e3", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#b0b0b0")
    axes.tick_params(colors=INK, length=0)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)


def _unit(words: str) -> str:
    return {"accuracy": "share of right predictions", "bits per char": "bits per character"}.get(words, words)


def _to_bits(nats: ArrayLike) -> ArrayLike:
    return np.asarray(nats) / math.log(2)


def _to_nats(bits: ArrayLike) -> ArrayLike:
    return np.asarray(bits) * math.log(2)
