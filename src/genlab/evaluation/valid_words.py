"""Spelling: the share of generated words that are words of the corpus."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.evaluation.draws import Draws
from genlab.evaluation.protocols import TextData, TextModel
from genlab.evaluation.shares import share, share_over_groups
from genlab.evaluation.words import lexicon, whole_words, words


def valid_word_share(texts: Sequence[str], known: Collection[str]) -> dict[str, Any]:
    """Share of the words of ``texts`` that are in ``known``, but for words that a text's end cuts off."""
    generated = [whole_words(text) for text in texts]
    valid = [sum(word in known for word in text_words) for text_words in generated]
    return share_over_groups(valid, [len(text_words) for text_words in generated])


def unknown_words(texts: Sequence[str], known: Collection[str], most: int = 10) -> list[str]:
    """The most frequent words of ``texts`` that are not in ``known``; equals in alphabetical order."""
    counts = Counter(word for text in texts for word in whole_words(text) if word not in known)
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]]


@dataclass(frozen=True, kw_only=True)
class ValidWords(Draws):
    """Share of generated words that occur in the training or the held-out text, case aside.

    ``count`` is the number of words judged (0, and ``value`` None, where the texts have no whole word).
    ``in_train`` judges by the training text alone, and ``held_out_in_train`` is what the held-out text itself
    scores so: new text by the real author. ``distinct_words`` judges each different word once, which a model
    that repeats a few safe words cannot inflate.
    """

    name: ClassVar[str] = "valid_words"

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Draw texts from ``model`` and look their words up."""
        trained_on = lexicon(data.train)
        known = trained_on | lexicon(data.held_out)
        held_out = words(data.held_out)
        return {
            "unit": "share of generated words",
            **self.report([_figures(texts, known, trained_on) for texts in self.draw(model)]),
            "held_out_in_train": share(sum(word in trained_on for word in held_out), len(held_out)),
        }


def _figures(texts: Sequence[str], known: Collection[str], trained_on: Collection[str]) -> dict[str, Any]:
    different = {word for text in texts for word in whole_words(text)}
    return {
        **valid_word_share(texts, known),
        "in_train": valid_word_share(texts, trained_on),
        "distinct_words": share(sum(word in known for word in different), len(different)),
        "unknown_words": unknown_words(texts, known),
    }
