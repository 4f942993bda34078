"""Training curves of one run: a figure for each quantity that was logged, or for each family of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from genlab.reporting.figures import COLOURS, HELD_OUT_COLOUR, INK, TRAIN_COLOUR, dressed, new_figure, write_figure
from genlab.reporting.runs import RunRecord, Series

BOOKKEEPING = ("iterations_per_second", "lr", "learning_rate", "step", "epoch", "seconds")
"""Quantities that say how a run went, not what it learned: they get no figure."""

FAMILIES = ("loss", "accuracy")
"""``loss_generator`` and ``loss_discriminator_real`` are of the family ``loss``: they share its figure."""

UNITS = {
    "accuracy": "share of right predictions",
    "bits_per_char": "bits per character",
    "elbo": "nats an image",
    "log_likelihood": "nats an image",
    "kl": "nats an image",
}
MEAN_FROM = 200  # raw values from which their running mean is drawn besides
MEANS = 50  # stretches of a run that are told apart in a running mean
LOG_FROM = 20  # a loss that falls by this factor is drawn on a logarithmic axis


@dataclass(frozen=True)
class Quantity:
    """One quantity, as it was logged in training (raw, smoothed) and on held-out data."""

    name: str
    raw: Series | None
    smoothed: Series | None
    held_out: Series | None

    @cached_property
    def mean(self) -> Series | None:
        """The running mean of a long raw series that was logged without a smoothed one."""
        long = self.raw is not None and len(self.raw[0]) >= MEAN_FROM
        return running_mean(self.raw) if self.raw is not None and long and self.smoothed is None else None

    @property
    def line(self) -> Series | None:
        """What is drawn boldly of training."""
        return next((series for series in (self.smoothed, self.mean, self.raw) if series is not None), None)


def draw_curves(record: RunRecord, folder: Path) -> list[Path]:
    """Write one PNG for each family of quantities into ``folder`` and return the paths (``loss.png``, ...).

    ``train/x``, ``train/smoothed_x`` and ``val/x`` share the figure of ``x``; what belongs to one of ``FAMILIES``
    shares the family's. Bits per character have no figure of their own beside a loss: they are its second axis.
    """
    quantities = group_quantities(record.metrics)
    in_bits = any(quantity.name == "bits_per_char" for quantity in quantities)
    if any(quantity.name == "loss" for quantity in quantities):
        quantities = [quantity for quantity in quantities if quantity.name != "bits_per_char"]
    quantities = _without_mirrored(quantities, "loss", "elbo")
    paths = []
    for name, members in group_families(quantities).items():
        figure = _draw(name, members, record.name, per_character=in_bits and name == "loss")
        colours = 32 if len(members) == 1 else 96  # faint lines across each other have many hues
        paths.append(write_figure(figure, folder / f"{name.replace('/', '_')}.png", colours))
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


def group_families(quantities: Sequence[Quantity]) -> dict[str, list[Quantity]]:
    """``quantities`` by the figure that they share: a family's, or one of their own."""
    families: dict[str, list[Quantity]] = {}
    for quantity in quantities:
        families.setdefault(_family(quantity.name), []).append(quantity)
    return families


def running_mean(series: Series) -> Series:
    """The mean of each value (n,) and its neighbours, a ``MEANS``-th of the run to both sides together.

    At the ends there are fewer neighbours.
    """
    steps, values = series
    half = max(1, len(values) // MEANS // 2)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return steps, (sums[last] - sums[first]) / (last - first)


def _finite(series: Series) -> Series:
    steps, values = series
    keep = np.isfinite(values)  # a run that blew up logs inf and nan: they have no place on an axis
    return steps[keep], values[keep]


def _without_mirrored(quantities: Sequence[Quantity], name: str, other: str) -> list[Quantity]:
    """``quantities`` without ``name`` if all that it is is minus the other: one picture of it is enough."""
    by_name = {quantity.name: quantity for quantity in quantities}
    one, two = (by_name[each].raw if each in by_name else None for each in (name, other))
    same = one is not None and two is not None and np.array_equal(one[0], two[0])
    if not (same and one is not None and two is not None and np.allclose(one[1], -two[1], rtol=1e-4)):
        return list(quantities)
    return [quantity for quantity in quantities if quantity.name != name]


def _family(name: str) -> str:
    return next((family for family in FAMILIES if name.startswith(f"{family}_")), name)


def _draw(name: str, members: Sequence[Quantity], run_name: str, per_character: bool) -> Figure:
    figure = new_figure()
    axes = figure.add_subplot()
    if len(members) == 1:
        _plot(axes, members[0])
    else:
        for index, quantity in enumerate(members):
            _plot_member(axes, quantity, name, COLOURS[index % len(COLOURS)])
    axes.autoscale_view()
    _limit(axes, name, members)
    _dress(axes, name, run_name, per_character)
    return figure


def _plot(axes: Axes, quantity: Quantity) -> None:
    """A quantity that has the figure to itself: training in one colour, held-out data in another."""
    bold = quantity.smoothed or quantity.mean
    if quantity.raw is not None:
        label = "training, each logged step" if bold is not None else "training"
        alpha, width = (0.28, 0.8) if bold is not None else (1.0, 1.4)
        _line(axes, quantity.raw, label, TRAIN_COLOUR, alpha=alpha, linewidth=width)
    if bold is not None:
        label = "training, smoothed" if quantity.smoothed is not None else "training, running mean"
        _line(axes, bold, label, TRAIN_COLOUR, alpha=1.0, linewidth=1.8)
    if quantity.held_out is not None:
        _dots(axes, quantity.held_out, "held-out", HELD_OUT_COLOUR)


def _plot_member(axes: Axes, quantity: Quantity, family: str, colour: str) -> None:
    """One quantity among those of its family, in a colour of its own."""
    label = member_label(quantity.name, family)
    if quantity.line is not quantity.raw and quantity.raw is not None:
        _line(axes, quantity.raw, "", colour, alpha=0.18, linewidth=0.6)
    if quantity.line is not None:
        _line(axes, quantity.line, label, colour, alpha=1.0, linewidth=1.6)
    if quantity.held_out is not None:
        _dots(axes, quantity.held_out, f"{label}, held-out", colour)


def member_label(name: str, family: str) -> str:
    """``loss_discriminator_real`` as the legend of the losses says it: ``discriminator on real images``."""
    words = name.removeprefix(family).replace("_", " ").replace("/", " ").split() or ["all"]
    if words[-1] in ("real", "fake"):
        words[-1:] = ["on", words[-1], "images"]
    return " ".join(words)


def _line(axes: Axes, series: Series, label: str, colour: str, alpha: float, linewidth: float) -> None:
    marker = "o" if len(series[0]) == 1 else ""  # a line through one point would not be seen
    shown = label or "_"  # matplotlib's way to keep a line out of the legend
    axes.plot(*series, color=colour, label=shown, marker=marker, alpha=alpha, linewidth=linewidth)


def _dots(axes: Axes, series: Series, label: str, colour: str) -> None:
    dots = Line2D(*series, color=colour, label=label, linestyle=":", linewidth=1.0)
    dots.set(marker="o", markersize=5, markeredgecolor="white", zorder=4)
    axes.add_line(dots)


def _limit(axes: Axes, name: str, members: Sequence[Quantity]) -> None:
    """Spend the axis on what a run came to: a few wild steps, or the fall of the first ones, may leave it."""
    values = [_usual(member) for member in members]
    low, high = min(low for low, _ in values), max(high for _, high in values)
    if len(members) == 1 and name == "loss" and 0 < low * LOG_FROM < high:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.3, high * 1.3)
    elif any(member.mean is not None for member in members) and low < high:
        if name == "accuracy" and len(members) == 1:
            low = max(low, min(_worst_held_out(members[0]), 1 - 4 * (1 - high)))
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))


def _usual(quantity: Quantity) -> tuple[float, float]:
    """The range of a quantity without the three hundredths at either end of what was logged in training."""
    ranges = [np.percentile(series[1], [3, 97]) for series in (quantity.raw, quantity.line) if series is not None]
    if quantity.held_out is not None:
        ranges.append(np.array([quantity.held_out[1].min(), quantity.held_out[1].max()]))
    return float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))


def _worst_held_out(quantity: Quantity) -> float:
    return 1.0 if quantity.held_out is None else float(quantity.held_out[1].min())


def _dress(axes: Axes, name: str, run_name: str, per_character: bool) -> None:
    words = name.replace("_", " ").replace("/", " ")
    title = {"elbo": "ELBO", "kl": "KL"}.get(words, f"{words[:1].upper()}{words[1:]}")
    dressed(axes, f"{title} of {run_name}")
    axes.set_xlabel("iteration", color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    axes.set_ylabel("nats per character" if per_character else UNITS.get(name, words), color=INK)
    if words.split()[0] == "accuracy":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    if axes.get_yscale() == "log":
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if per_character:
        bits = axes.secondary_yaxis("right", functions=(_to_bits, _to_nats))
        bits.set_ylabel("bits per character", color=INK)
        bits.spines["right"].set_visible(False)
        bits.tick_params(colors=INK, length=0)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)


def _to_bits(nats: ArrayLike) -> ArrayLike:
    return np.asarray(nats) / math.log(2)


def _to_nats(bits: ArrayLike) -> ArrayLike:
    return np.asarray(bits) * math.log(2)
