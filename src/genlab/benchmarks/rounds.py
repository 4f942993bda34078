"""Measuring contenders side by side: rounds in which each has its turn, and what their rates say.

A rate is how much a contender does in a second. Ratios are taken within a round, so that what slows a machine down for
a while slows both sides of a ratio.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
import torch

Measure = Callable[[], float]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Ratio:
    """The ratios of all rounds: their median, quartiles and extremes."""

    median: float
    lower_quartile: float
    upper_quartile: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Comparison:
    """Ours against one peer, at the peer's fastest setting; rates are medians."""

    ours: str
    peer: str
    setting: str
    our_rate: float
    peer_rate: float
    ratio: Ratio
    target: float
    reached: bool


@dataclass(frozen=True)
class Case:
    """One thing measured at one size: every round's rates by contender, and the comparisons drawn from them.

    ``difference`` is the largest difference between the contenders' results (losses in nats; None where results are
    drawn at random) found when it was checked that they do the same.
    """

    what: str
    size: str
    unit: str
    rates: dict[str, list[float]]
    comparisons: list[Comparison]
    difference: float | None = None


def alternate(contenders: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Each contender's rate in every round; the order is turned around from round to round."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
            rates[name].append(contenders[name]())
    return rates


def ratio(ours: Sequence[float], peer: Sequence[float]) -> Ratio:
    """How ours compares with a peer's rates, round by round. Raises ``ValueError`` for rounds that do not pair up."""
    if len(ours) != len(peer) or not ours:
        raise ValueError(f"`peer` must have as many rounds as ours, at least 1; got {len(peer)} for {len(ours)}")
    ratios = np.asarray(ours, float) / np.asarray(peer, float)
    lowest, lower, median, upper, highest = np.quantile(ratios, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Ratio(median, lower, upper, lowest, highest)


def compare(rates: Mapping[str, Sequence[float]], ours: str, peer: str, target: float) -> Comparison:
    """Compare with the fastest of a peer's settings, which are the contenders ``peer`` and ``peer, SETTING``."""
    settings = [name for name in rates if name == peer or name.startswith(f"{peer}, ")]
    fastest = max(settings, key=lambda name: float(np.median(rates[name])))
    found = ratio(rates[ours], rates[fastest])
    our_rate, peer_rate = float(np.median(rates[ours])), float(np.median(rates[fastest]))
    setting = fastest.removeprefix(peer).removeprefix(", ")
    return Comparison(ours, peer, setting, our_rate, peer_rate, found, target, found.median >= target)


def thread_settings() -> dict[str, int]:
    """The numbers of torch threads that a peer is tried with: one, two, and torch's own choice."""
    default = torch.get_num_threads()
    numbers = {number for number in (1, 2) if number <= default} | {default}
    return {f"{number} thread{'s' if number > 1 else ''}": number for number in sorted(numbers)}


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let torch use so many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def with_threads(number: int, function: Callable[P, T]) -> Callable[P, T]:
    """``function``, called with so many torch threads."""

    def call(*args: P.args, **options: P.kwargs) -> T:
        with torch_threads(number):
            return function(*args, **options)

    return call
