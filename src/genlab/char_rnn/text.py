"""From any text to the indices that the network sees: ASCII, the vocabulary, prompts taken from the text."""

import re
import string
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt
from anyascii import anyascii

from genlab.checks import refuse

PRINTABLE = frozenset(string.printable)
_SHOWN = 10  # characters that an error lists before it only counts the rest

_LINE_END = re.compile("\r\n?|[\x85\u2028\u2029]")
_HEADING = re.compile(r"^[^\n.!?,]{1,40}:[ \t]*$", re.MULTILINE)  # "First Citizen:" alone on its line
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
# A word inside a sentence follows another word, perhaps with a comma; after a full stop, a quotation mark or
# a line break a capital may be there for the sentence (or the verse), not for the word.
_INSIDE_SENTENCE = re.compile(r"(?<=[A-Za-z0-9,;] )[A-Z][a-z]+(?:'[a-z]+)*")


@lru_cache(maxsize=1)  # the runs of a sweep read one text
def to_ascii(text: str) -> str:
    r"""Transliterate ``text`` to ASCII and keep only the characters of ``string.printable``; case is kept.

    Quotes, dashes, ellipses, accents and ligatures become their ASCII form. Line ends of every kind
    (``\r\n``, ``\r``, NEL, LS, PS) become ``\n``, so that a file gives the same symbols whichever system
    wrote it. Other control characters, and characters without an ASCII form, are dropped.
    """
    text = _LINE_END.sub("\n", text)
    foreign = set(text) - PRINTABLE
    if not foreign:
        return text
    return text.translate({ord(character): _transliterate(character) for character in foreign})


def _transliterate(character: str) -> str:
    return "".join(c for c in anyascii(character) if c in PRINTABLE)


@dataclass(frozen=True)
class Vocabulary:
    """The characters that a model knows, in ascending order; a character's index is its place in ``symbols``.

    Raises ``ValueError`` unless the symbols are sorted, unique and drawn from ``string.printable``.
    """

    symbols: str

    def __post_init__(self) -> None:
        if not self.symbols:
            raise refuse("symbols", "hold at least one character", self.symbols, "vocabulary")
        if foreign := sorted(set(self.symbols) - PRINTABLE):
            raise refuse("symbols", "be printable ASCII (see `to_ascii`)", _some(foreign), "vocabulary")
        if list(self.symbols) != sorted(set(self.symbols)):
            raise refuse("symbols", "be sorted and unique", self.symbols, "vocabulary")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The vocabulary of ``text``, which must already be ASCII (:func:`to_ascii`)."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str, name: str = "text", path: str = "data.text") -> npt.NDArray[np.int64]:
        """Indices of the characters of ``text``, shape ``(len(text),)``.

        Raises ``ValueError`` that names the characters the vocabulary lacks, the argument ``name`` and the
        config field ``path`` (``"prompt"`` for a prompt).
        """
        if lacking := sorted(set(text) - set(self.symbols)):
            rule = f"hold only the {len(self)} characters of the vocabulary {self.symbols!r}"
            raise refuse(name, rule, _some(lacking), path)
        table = np.zeros(128, dtype=np.uint8)  # one look-up a character, and no symbol is above 127
        table[np.frombuffer(self.symbols.encode("ascii"), dtype=np.uint8)] = np.arange(len(self))
        return table[np.frombuffer(text.encode("ascii"), dtype=np.uint8)].astype(np.int64)

    def decode(self, indices: npt.ArrayLike) -> str:
        """The text of ``indices``, shape ``(T,)``; raises ``ValueError`` for one outside the vocabulary."""
        array = np.asarray(indices)
        if array.size == 0:
            return ""
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            got = f"{array.dtype} of shape {array.shape}"
            raise refuse("indices", "be one row of integers", got, "indices")
        if array.min() < 0 or array.max() >= len(self):
            outside = array[(array < 0) | (array >= len(self))]
            raise refuse("indices", f"lie in [0, {len(self)})", int(outside[0]), "indices")
        codes = np.frombuffer(self.symbols.encode("ascii"), dtype=np.uint8)[array]
        return bytes(codes).decode("ascii")


def _some(characters: list[str]) -> list[str]:
    """The first few of ``characters``, and how many more there are: an error stays one readable line."""
    rest = len(characters) - _SHOWN
    return [*characters[:_SHOWN], f"and {rest} more"] if rest > 0 else characters


@lru_cache(maxsize=1)
def frequent_names(text: str, count: int = 8, min_length: int = 4) -> tuple[str, ...]:
    """The ``count`` most frequent proper names of ``text`` (ASCII), most frequent first, ties in ASCII order.

    A name is a word ``Xxxx`` of at least ``min_length`` letters that stands capitalised inside a sentence
    more often than it stands in lower case anywhere: 'The' and 'However' are no names. Words in capitals and
    lines that are only a heading ('KING RICHARD II:', 'First Citizen:') do not count. A possessive counts for
    its word. A text without names gives fewer than ``count``, perhaps none.
    """
    body = _HEADING.sub("", text)
    words = Counter(_without_possessive(word) for word in _WORD.findall(body))
    inside = Counter(_without_possessive(word) for word in _INSIDE_SENTENCE.findall(body))
    names = [
        name
        for name, seen in inside.items()
        if name.isalpha() and len(name) >= min_length and seen > words[name.lower()]
    ]
    return tuple(sorted(names, key=lambda name: (-words[name], name))[:count])


def _without_possessive(word: str) -> str:
    return word.removesuffix("'s")


def half_word(word: str) -> str:
    """The first half of ``word``, rounded up: 'Harry' gives 'Har'."""
    return word[: (len(word) + 1) // 2]
