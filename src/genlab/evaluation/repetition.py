"""Degeneration: texts that say the same few characters again and again."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genlab.checks import at_least
from genlab.evaluation.draws import Draws, passages
from genlab.evaluation.protocols import TextData, TextModel
from genlab.evaluation.shares import share_over_groups


@dataclass(frozen=True)
class Loop:
    """A stretch of text that repeats ``unit`` for ``length`` characters, at least twice in full."""

    length: int = 0
    unit: str = ""


def repeated_ngrams(text: str, n: int, window: int) -> tuple[int, int]:
    """Number of character n-grams of ``text`` that also start in the ``window`` places before, and of all.

    The repetition within the last tokens of Welleck et al., "Neural text generation with unlikelihood
    training" (ICLR 2020), section 6.1, of n-grams instead of single tokens.
    """
    total = max(0, len(text) - n + 1)
    last_start: dict[str, int] = {}
    repeats = 0
    for start in range(total):
        gram = text[start : start + n]
        repeats += start - last_start.get(gram, -window - 1) <= window
        last_start[gram] = start
    return repeats, total


def character_entropy(characters: Iterable[str]) -> float | None:
    """Shannon entropy of the frequencies of ``characters`` in bits; None where there are none."""
    counts = Counter(characters)
    total = counts.total()
    return sum(-c / total * math.log2(c / total) for c in counts.values()) + 0.0 if total else None


def longest_loop(text: str, max_period: int) -> Loop:
    """The longest stretch that repeats a unit of at most ``max_period`` characters at least twice.

    The shortest unit is given, and length 0 where nothing repeats. In ``xabababy`` the loop is ``ababab`` of
    the unit ``ab``.
    """
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    best = Loop()
    for period in range(1, min(max_period, len(text) // 2) + 1):
        start, run = _longest_run(codes[period:] == codes[:-period])
        if run >= period and run + period > best.length:
            best = Loop(run + period, text[start : start + period])
    return best


@dataclass(frozen=True, kw_only=True)
class Repetition(Draws):
    """Share of n-grams of characters seen within the last ``window`` places, character entropy, longest loop.

    ``value`` is the share (None and ``count`` 0 where every text is shorter than ``n``). ``entropy_bits`` is
    the mean over texts, which also falls where each text repeats characters of its own;
    ``entropy_bits_pooled`` is that of all texts as one. ``window`` is also the longest period of a loop.
    ``held_out`` is the same of real passages in the same number and length; None if there are not enough.
    """

    name: ClassVar[str] = "repetition"
    n: int = 6
    window: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("n", self.n, 1, self.path("n"))
        at_least("window", self.window, 1, self.path("window"))

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Draw texts from ``model`` and look for what repeats."""
        real = passages(data.held_out, self.count, self.length)
        return {
            "unit": f"share of character {self.n}-grams",
            "window": self.window,
            **self.report([self._figures(texts) for texts in self.draw(model)]),
            "held_out": None if real is None else self._figures(real),
        }

    def _figures(self, texts: Sequence[str]) -> dict[str, Any]:
        repeats, totals = zip(*(repeated_ngrams(text, self.n, self.window) for text in texts), strict=True)
        entropies = [entropy for text in texts if (entropy := character_entropy(text)) is not None]
        loops = [longest_loop(text, self.window) for text in texts]
        longest = max(loops, key=lambda loop: loop.length)
        return {
            **share_over_groups(repeats, totals),
            "entropy_bits": fmean(entropies) if entropies else None,
            "entropy_bits_pooled": character_entropy("".join(texts)),
            "longest_loop": longest.length,
            "longest_loop_unit": longest.unit,
            "longest_loop_mean": fmean(loop.length for loop in loops),
        }


def _longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Start and length of the longest stretch of True, the first of equals; (0, 0) if there is none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest] - starts[longest])
