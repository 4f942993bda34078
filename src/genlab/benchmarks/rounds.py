"""Measuring contenders side by side: rounds in which each has its turn, and what their rates say.

A rate is how much a contender does in a second, or where less is better the seconds that it takes. Ratios are taken
within a round, so that what slows a machine down for a while slows both sides of a ratio.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

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
    """Ours against one peer, at the peer's fastest setting; rates are medians. A ratio above 1 is in our favour.

    ``target`` is what the ratio's median is to reach, None where it is only told.
    """

    ours: str
    peer: str
    setting: str
    our_rate: float
    peer_rate: float
    ratio: Ratio
    target: float | None
    reached: bool | None


@dataclass(frozen=True)
class Limit:
    """What one contender's figure must not exceed, whatever the peers do; the spread is that of the rounds."""

    ours: str
    limit: float
    found: Ratio
    reached: bool


@dataclass(frozen=True)
class Case:
    """One thing measured at one size: every round's rates by contender, and the comparisons drawn from them.

    ``difference`` is the largest difference between the contenders' results (losses in nats; None where results are
    drawn at random) found when it was checked that they do the same. ``peaks`` is the most memory in MiB that a
    contender's process held, the median of the rounds, where each ran in a process of its own.
    """

    what: str
    size: str
    unit: str
    rates: dict[str, list[float]]
    comparisons: list[Comparison]
    difference: float | None = None
    limits: list[Limit] = field(default_factory=list)
    peaks: dict[str, float] = field(default_factory=dict)


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
    return spread(np.asarray(ours, float) / np.asarray(peer, float))


def spread(values: Sequence[float] | NDArray[np.float64]) -> Ratio:
    """The median, quartiles and extremes of some figures."""
    lowest, lower, median, upper, highest = np.quantile(np.asarray(values, float), [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Ratio(median, lower, upper, lowest, highest)


def compare(
    rates: Mapping[str, Sequence[float]], ours: str, peer: str, target: float | None, less_is_better: bool = False
) -> Comparison:
    """Compare with the fastest of a peer's settings, which are the contenders ``peer`` and ``peer, SETTING``.

    Where rates are seconds, so that less is better, the ratio is the peer's over ours.
    """
    settings = [name for name in rates if name == peer or name.startswith(f"{peer}, ")]
    medians = {name: float(np.median(rates[name])) for name in settings}
    fastest = (min if less_is_better else max)(settings, key=medians.__getitem__)
    found = ratio(rates[fastest], rates[ours]) if less_is_better else ratio(rates[ours], rates[fastest])
    setting = fastest.removeprefix(peer).removeprefix(", ")
    our_rate = float(np.median(rates[ours]))
    reached = None if target is None else found.median >= target
    return Comparison(ours, peer, setting, our_rate, medians[fastest], found, target, reached)


def at_most(rates: Mapping[str, Sequence[float]], ours: str, limit: float) -> Limit:
    """Hold a contender's median against a limit."""
    found = spread(rates[ours])
    return Limit(ours, limit, found, found.median <= limit)


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
