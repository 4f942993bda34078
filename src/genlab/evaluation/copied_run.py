"""Memorisation: how much of the generated text stands in the training text, to the letter or by n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genlab.checks import at_least
from genlab.evaluation.draws import Draws, passages
from genlab.evaluation.protocols import TextData, TextModel
from genlab.evaluation.shares import share_over_groups
from genlab.evaluation.words import ngrams, whole_words, words

Ints = NDArray[np.int64]


def longest_copied_runs(texts: Sequence[str], train: str) -> list[str]:
    """For each text its longest stretch that stands in ``train`` to the letter (the first of equals).

    All places of all texts are put in alphabetical order by prefix doubling (Manber and Myers, "Suffix
    arrays", SIAM J. Computing 22(5), 1993), where a place's longest match in ``train`` is one of its two
    nearest places of ``train``. Takes O(N log N log L) for N characters in all and texts of up to L, whatever
    they repeat.
    """
    codes, starts = _joined(train, texts)
    ranks = _prefix_ranks(codes, max(map(len, texts), default=0))
    lengths = _match_lengths(ranks, len(train))
    runs = []
    for text, start in zip(texts, starts, strict=True):
        own = lengths[start - len(train) : start - len(train) + len(text)]
        place = int(np.argmax(own)) if len(own) else 0
        runs.append(text[place : place + int(own[place])] if len(own) else "")
    return runs


def copied_ngram_share(texts: Sequence[str], train_words: Sequence[str], n: int) -> dict[str, Any]:
    """Share of the word n-grams of ``texts`` that ``train_words`` holds, counted as often as generated."""
    seen = set(ngrams(train_words, n))
    generated = [list(ngrams(whole_words(text), n)) for text in texts]
    copied = [sum(gram in seen for gram in grams) for grams in generated]
    return share_over_groups(copied, [len(grams) for grams in generated])


@dataclass(frozen=True, kw_only=True)
class CopiedRun(Draws):
    """Longest run of characters copied from the training text, and share of word n-grams found there.

    ``value`` is the longest run in characters over ``count`` drawn texts (it grows with their number and
    length; ``mean_longest`` is the mean over texts of each one's longest). ``word_ngrams`` has n = 1 to
    ``max_n``, judged on words as elsewhere: lower-cased, without what stands between them. ``held_out`` is
    the same of real passages in the same number and length, which copy nothing on purpose; None if there are
    not enough.
    """

    name: ClassVar[str] = "copied_run"
    max_n: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("max_n", self.max_n, 1, self.path("max_n"))

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Draw texts from ``model`` and look them up in ``data.train``."""
        real = passages(data.held_out, self.count, self.length)
        groups = [*self.draw(model), *([] if real is None else [real])]
        # One search for all: the cost is that of ordering the training text.
        runs = iter(longest_copied_runs([text for texts in groups for text in texts], data.train))
        train_words = words(data.train)
        figures = [self._figures(texts, [next(runs) for _ in texts], train_words) for texts in groups]
        held_out = None if real is None else figures.pop()
        return {"unit": "characters", **self.report(figures), "held_out": held_out}

    def _figures(self, texts: Sequence[str], runs: Sequence[str], train_words: Sequence[str]) -> dict[str, Any]:
        longest = max(runs, key=len)
        return {
            "value": len(longest),
            "count": len(texts),
            "longest_run": longest,
            "mean_longest": fmean(map(len, runs)),
            "word_ngrams": {str(n): copied_ngram_share(texts, train_words, n) for n in range(1, self.max_n + 1)},
        }


def _joined(train: str, texts: Sequence[str]) -> tuple[Ints, list[int]]:
    """Codes of ``train`` and the texts, each closed by a code that nothing matches; where texts start."""
    symbols = {symbol: code for code, symbol in enumerate(sorted(set(train).union(*texts)), start=1)}
    parts: list[Ints] = []
    starts: list[int] = []
    place = 0
    for number, text in enumerate((train, *texts)):
        starts.append(place)
        parts.append(np.fromiter(map(symbols.__getitem__, text), dtype=np.int64, count=len(text)))
        parts.append(np.array([len(symbols) + 1 + number]))
        place += len(text) + 1
    return np.concatenate(parts), starts[1:]


def _prefix_ranks(codes: Ints, longest: int) -> list[Ints]:
    """Alphabetical ranks of every place by its next 1, 2, 4, ... characters, until more than ``longest``."""
    width, ranks = 1, [codes]
    while width <= longest:
        pairs = ranks[-1] * (len(codes) + 1) + _ahead(ranks[-1], width)
        ranks.append(np.unique(pairs, return_inverse=True)[1] + 1)
        width *= 2
    return ranks


def _match_lengths(ranks: Sequence[Ints], train_length: int) -> Ints:
    """For each place from ``train_length`` on, how many characters from there stand in the training text."""
    order = np.argsort(ranks[-1], kind="stable")
    places, in_train = np.arange(len(order)), order < train_length
    before = np.maximum.accumulate(np.where(in_train, places, -1))
    after = np.minimum.accumulate(np.where(in_train, places, len(order))[::-1])[::-1]
    lengths = np.zeros(len(order), dtype=np.int64)
    for neighbour in (before, after):
        asked = np.flatnonzero(~in_train & (neighbour >= 0) & (neighbour < len(order)))
        here, there = order[asked], order[neighbour[asked]]
        lengths[here] = np.maximum(lengths[here], _shared_prefix(ranks, here, there))
    return lengths[train_length:]


def _shared_prefix(ranks: Sequence[Ints], left: Ints, right: Ints) -> Ints:
    """Number of equal characters from places ``left`` and ``right`` on, by ever shorter ranks."""
    shared = np.zeros(len(left), dtype=np.int64)
    for level, rank in reversed(list(enumerate(ranks))):
        here, there = left + shared, right + shared
        inside = (here < len(rank)) & (there < len(rank))
        # No place equals another up to the end, so the last one may stand in for what is past it.
        equal = rank[np.minimum(here, len(rank) - 1)] == rank[np.minimum(there, len(rank) - 1)]
        shared += 2**level * (inside & equal)
    return shared


def _ahead(ranks: Ints, distance: int) -> Ints:
    """What stands ``distance`` places further, 0 (below every rank) past the end."""
    return np.concatenate([ranks[distance:], np.zeros(min(distance, len(ranks)), dtype=np.int64)])
