"""What a word is, and an n-gram.

A word is a run of ASCII letters, with apostrophes only inside it: ``don't`` and ``o'er`` are words, and of
``'tis`` the word is ``tis``. Digits, hyphens and underscores end a word. Words are lower-cased, since a
capital tells where a word stands (or who speaks: ``KING``) and not how it is spelt.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
_CUT_OFF = re.compile(r"[A-Za-z]'?\Z")


def words(text: str) -> list[str]:
    """The words of ``text`` in order, lower-cased."""
    return [word.lower() for word in WORD.findall(text)]


def whole_words(text: str) -> list[str]:
    """The words of ``text`` but for the last one if the text ends inside it.

    A text that ends in a letter, or in a letter and an apostrophe, is taken to end inside its last word.
    """
    return words(text)[:-1] if _CUT_OFF.search(text) else words(text)


@lru_cache(maxsize=2)  # the training text's and the held-out text's: the runs of a sweep share them
def lexicon(text: str) -> frozenset[str]:
    """The different words of ``text``."""
    return frozenset(words(text))


def ngrams(items: Sequence[str], n: int) -> Iterator[tuple[str, ...]]:
    """Each run of ``n`` neighbours in ``items``: a list of words, or a text as a sequence of characters."""
    return zip(*(items[start:] for start in range(n)), strict=False)
