"""Interpolated Witten-Bell n-gram model of a sequence of symbols, in NumPy.

The estimate of order ``k`` mixes the relative frequency after a context of ``k - 1`` symbols with the
estimate of order ``k - 1``, the more of the latter the more different symbols followed that context:

    p_k(w | h) = (c(h w) + t(h) p_{k-1}(w | h')) / (c(h) + t(h)),    p_0(w) = 1 / vocabulary size

where ``c`` counts occurrences in training, ``t(h)`` is the number of different symbols seen after ``h``,
``c(h)`` is the number of symbols seen after ``h`` and ``h'`` is ``h`` without its first symbol. After a
context that training never had, ``p_k`` is ``p_{k-1}``. The uniform ``p_0`` keeps every symbol of the
vocabulary possible.

Sources: Witten and Bell, "The zero-frequency problem" (IEEE Trans. Information Theory 37(4), 1991), method C;
Chen and Goodman, "An empirical study of smoothing techniques for language modeling" (Harvard TR-10-98, 1998),
section 2.5, where it is written as this interpolation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genlab.checks import at_least, refuse

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """The counts of one order. A gram's id is its place in ``keys``; its context is an id of the order below.

    So a gram of any length is one integer, ``context id * vocabulary size + symbol``, that cannot overflow.
    """

    keys: Ints  # (grams,), sorted
    counts: Ints  # (grams,), c(h w)
    context_counts: Ints  # (contexts,), c(h)
    context_types: Ints  # (contexts,), t(h)

    def find(self, keys: Ints) -> Ints:
        """Ids of the grams with these keys; -1 where training has none."""
        if not len(self.keys):
            return np.full(keys.shape, -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)


@dataclass(frozen=True)
class WittenBell:
    """A fitted model: make one with :meth:`fit`. ``levels[k - 1]`` holds the counts of order ``k``."""

    vocabulary_size: int
    levels: tuple[Level, ...]

    @property
    def order(self) -> int:
        """The longest gram: a symbol is predicted from ``order - 1`` before it (0: uniform)."""
        return len(self.levels)

    @classmethod
    def fit(cls, indices: Ints, vocabulary_size: int, order: int) -> "WittenBell":
        """Count ``indices``, integers (T,) in [0, vocabulary_size), up to grams of ``order`` symbols.

        Raises ValueError if ``vocabulary_size`` is below 1, ``order`` below 0 or an index outside the
        vocabulary.
        """
        at_least("vocabulary_size", vocabulary_size, 1, "WittenBell.fit")
        at_least("order", order, 0, "WittenBell.fit")
        symbols = _checked(indices, vocabulary_size)
        contexts, context_number = np.zeros(len(symbols), dtype=np.int64), 1
        levels: list[Level] = []
        for _ in range(order):
            level, grams = _count(symbols, contexts, context_number, vocabulary_size)
            levels.append(level)
            contexts, context_number = _shifted(grams), len(level.keys)
        return cls(vocabulary_size, tuple(levels))

    def log_prob(self, indices: Ints) -> Floats:
        """Log-probability of each symbol given those before it, in nats: (T,) integers -> (T,).

        The first symbols have fewer before them and are predicted from those. Raises ValueError if an index
        is outside the vocabulary; a symbol of the vocabulary that training lacked has a finite value.
        """
        last: Floats = self.log_prob_by_order(indices)[-1]
        return last

    def log_prob_by_order(self, indices: Ints) -> Floats:
        """As :meth:`log_prob` for every order: (T,) integers -> (order + 1, T), row 0 uniform.

        Row ``k`` equals the ``log_prob`` of a model fitted with order ``k``.
        """
        symbols = _checked(indices, self.vocabulary_size)
        rows = np.empty((self.order + 1, len(symbols)))
        rows[0] = 1.0 / self.vocabulary_size
        for k, (level, contexts) in enumerate(zip(self.levels, self._contexts(symbols), strict=True)):
            rows[k + 1] = self._interpolated(level, contexts, symbols, rows[k])
        return np.log(rows)

    def distribution(self, context: Ints) -> Floats:
        """Probabilities of the next symbol after ``context``: (T,) integers, T >= 0 -> (vocabulary_size,)."""
        # A symbol is put after the context so that its own place has the ids of every context before it.
        symbols = _checked(np.append(np.asarray(context, dtype=np.int64), 0), self.vocabulary_size)
        every_symbol = np.arange(self.vocabulary_size, dtype=np.int64)
        probabilities = np.full(self.vocabulary_size, 1.0 / self.vocabulary_size)
        for level, contexts in zip(self.levels, self._contexts(symbols), strict=True):
            last = np.full(self.vocabulary_size, contexts[-1])
            probabilities = self._interpolated(level, last, every_symbol, probabilities)
        return probabilities

    def _contexts(self, symbols: Ints) -> Iterator[Ints]:
        """For each order the id of the context before each symbol; -1 where it is unknown or too short."""
        contexts = np.zeros(len(symbols), dtype=np.int64)
        for level in self.levels:
            yield contexts
            grams = level.find(contexts * self.vocabulary_size + symbols)
            contexts = _shifted(np.where(contexts >= 0, grams, -1))

    def _interpolated(self, level: Level, contexts: Ints, symbols: Ints, lower: Floats) -> Floats:
        # The last gram of the training text is a context that nothing followed: as unknown as one never seen.
        known = contexts >= 0
        known[known] = level.context_counts[contexts[known]] > 0
        context = contexts[known]
        gram = level.find(context * self.vocabulary_size + symbols[known])
        counts = np.zeros(len(gram))
        counts[gram >= 0] = level.counts[gram[gram >= 0]]
        types = level.context_types[context]
        mixed = lower.copy()
        mixed[known] = (counts + types * lower[known]) / (level.context_counts[context] + types)
        return mixed


def _count(symbols: Ints, contexts: Ints, context_number: int, vocabulary_size: int) -> tuple[Level, Ints]:
    """Counts of one order, and the id of the gram that ends at each symbol (-1 where none fits)."""
    whole = contexts >= 0
    keys, inverse, counts = np.unique(
        contexts[whole] * vocabulary_size + symbols[whole], return_inverse=True, return_counts=True
    )
    grams = np.full(len(symbols), -1, dtype=np.int64)
    grams[whole] = inverse
    context_counts = np.bincount(contexts[whole], minlength=context_number)
    context_types = np.bincount(keys // vocabulary_size, minlength=context_number)
    return Level(keys, counts, context_counts, context_types), grams


def _shifted(grams: Ints) -> Ints:
    """The gram that ends just before each symbol; -1 before the first."""
    return np.concatenate([np.full(min(1, len(grams)), -1, dtype=np.int64), grams[:-1]])


def _checked(indices: Ints, vocabulary_size: int) -> Ints:
    symbols = np.asarray(indices)
    if symbols.ndim != 1 or (len(symbols) and not np.issubdtype(symbols.dtype, np.integer)):
        found = f"{symbols.dtype} of shape {symbols.shape}"
        raise refuse("indices", "be a one-dimensional array of integers", found, "WittenBell")
    outside = symbols[(symbols < 0) | (symbols >= vocabulary_size)]
    if len(outside):
        raise refuse("indices", f"lie in [0, {vocabulary_size})", int(outside[0]), "WittenBell")
    return symbols.astype(np.int64)
