"""Variety: how many of the n-grams of the generated texts are different ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.checks import at_least
from genlab.evaluation.draws import Draws, passages
from genlab.evaluation.protocols import TextData, TextModel
from genlab.evaluation.words import ngrams, whole_words


def distinct_n(sequences: Sequence[Sequence[str]], n: int) -> float | None:
    """Different n-grams over all n-grams of all ``sequences`` together; None where none has ``n`` items.

    A sequence is a list of words, or a text as its characters; no n-gram spans two. Falls with the amount of
    text: compare equal amounts. Source: Li et al., "A diversity-promoting objective function for neural
    conversation models" (NAACL 2016), section 5.
    """
    total = _total(sequences, n)
    return len({gram for items in sequences for gram in ngrams(items, n)}) / total if total else None


@dataclass(frozen=True, kw_only=True)
class DistinctN(Draws):
    """distinct-1 to distinct-``max_n`` over words and over characters, of all drawn texts together.

    ``value`` is distinct-2 over words and ``count`` its number of bigrams (None and 0 where no text has two
    whole words). ``held_out`` is the same of real passages in the same number and length; None if there are
    not enough.
    """

    name: ClassVar[str] = "distinct_n"
    max_n: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("max_n", self.max_n, 2, self.path("max_n"))

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Draw texts from ``model`` and count their n-grams."""
        real = passages(data.held_out, self.count, self.length)
        return {
            "unit": "different word bigrams per word bigram",
            **self.report([self._figures(texts) for texts in self.draw(model)]),
            "held_out": None if real is None else self._figures(real),
        }

    def _figures(self, texts: Sequence[str]) -> dict[str, Any]:
        in_words, orders = [whole_words(text) for text in texts], range(1, self.max_n + 1)
        return {
            "value": distinct_n(in_words, 2),
            "count": _total(in_words, 2),
            "words": {str(n): distinct_n(in_words, n) for n in orders},
            "characters": {str(n): distinct_n(texts, n) for n in orders},
        }


def _total(sequences: Sequence[Sequence[str]], n: int) -> int:
    return sum(max(0, len(items) - n + 1) for items in sequences)
