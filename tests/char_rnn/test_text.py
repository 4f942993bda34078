"""ASCII, the vocabulary and the prompts."""

import os
import string
from pathlib import Path

import numpy as np
import pytest
from anyascii import anyascii
from hypothesis import given
from hypothesis import strategies as st

from genlab.char_rnn.text import Vocabulary, frequent_names, half_word, to_ascii

PRINTABLE_TEXT = st.text(alphabet=string.printable, min_size=1)

NOVEL = """\
The boys met Harry at noon. The sun shone, and Harry smiled. "What is it?" asked Harry. "Perhaps rain," said
Dumbledore. However, Harry's owl was late, and so was Dumbledore. The owl knew; what could the owl do? Perhaps
nothing. Perhaps; but Rain is no name. However, they told Hermione. THE END. THE END. THE END. The the what.
"""
PLAY = (
    "KING RICHARD II:\nSpeak, good Romeo, and tell Juliet all.\n\nFirst Citizen:\nThe moon hears Romeo now.\n\n"
) * 3


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            "\u201cDon\u2019t,\u201d she said\u2014\u2018no\u2019 \u2013 wait\u2026",
            "\"Don't,\" she said-'no' - wait...",
        ),
        ("café naïve Ångström Dvořák", "cafe naive Angstrom Dvorak"),
        ("cafe\u0301", "cafe"),
        ("ﬁne ﬂow œuvre Straße", "fine flow oeuvre Strasse"),
        ("a\u00a0b\u2003c", "a b c"),
        ("Keep CASE\tand\x0bspace\x0c", "Keep CASE\tand\x0bspace\x0c"),
        ("a\r\nb\rc\nd\x85e\u2028f\u2029g\r\n\r\n", "a\nb\nc\nd\ne\nf\ng\n\n"),
        ("\ufeffa\u200bb\x00c\x07d\x7fe\ue000", "abcde"),
        ("", ""),
    ],
)
def test_text_is_transliterated_and_not_dropped(raw: str, expected: str) -> None:
    assert to_ascii(raw) == expected


@given(st.text())
def test_ascii_is_printable_and_a_fixed_point(text: str) -> None:
    once = to_ascii(text)
    assert set(once) <= set(string.printable)
    assert to_ascii(once) == once


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Zl", "Zp", "Cs"])))
def test_transliteration_is_that_of_anyascii_outside_control_characters(text: str) -> None:
    assert to_ascii(text) == "".join(c for c in anyascii(text) if c in string.printable)


@given(PRINTABLE_TEXT)
def test_a_vocabulary_encodes_and_decodes_its_own_text(text: str) -> None:
    vocabulary = Vocabulary.from_text(text)
    indices = vocabulary.encode(text)
    assert indices.dtype == np.int64
    assert indices.shape == (len(text),)
    assert set(indices.tolist()) == set(range(len(vocabulary)))  # every symbol is used, none lies beyond the end
    assert vocabulary.decode(indices) == text
    assert vocabulary.decode(indices.tolist()) == text


@given(PRINTABLE_TEXT, PRINTABLE_TEXT)
def test_encoding_is_refused_exactly_when_a_character_is_lacking(known: str, other: str) -> None:
    vocabulary = Vocabulary.from_text(known)
    if set(other) <= set(known):
        assert vocabulary.decode(vocabulary.encode(other)) == other
    else:
        with pytest.raises(ValueError, match="vocabulary"):
            vocabulary.encode(other)


def test_indices_follow_the_order_of_the_characters() -> None:
    vocabulary = Vocabulary.from_text("banana!\n")
    assert vocabulary.symbols == "\n!abn"
    assert vocabulary.encode("nab").tolist() == [4, 2, 3]
    assert vocabulary == Vocabulary("\n!abn")
    assert len(vocabulary) == 5


def test_nothing_encodes_to_nothing_and_back() -> None:
    vocabulary = Vocabulary("ab")
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.encode("").dtype == np.int64
    assert vocabulary.decode([]) == ""


def test_all_printable_characters_fit() -> None:
    vocabulary = Vocabulary.from_text(string.printable)
    assert len(vocabulary) == 100
    assert vocabulary.decode(np.arange(100)) == "".join(sorted(string.printable))


def test_the_error_names_lacking_characters_vocabulary_argument_and_path() -> None:
    with pytest.raises(ValueError, match="prompt") as error:
        Vocabulary("\nab").encode("b#\té~", name="prompt", path="prompt")
    message = str(error.value)
    assert message == (
        "`prompt` must hold only the 3 characters of the vocabulary '\\nab'; got ['\\t', '#', '~', 'é'] (prompt)"
    )


def test_the_error_stays_short_for_a_foreign_alphabet() -> None:
    foreign = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 500))
    with pytest.raises(ValueError, match="and 490 more") as error:
        Vocabulary("ab").encode(foreign)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize("indices", [[-1], [0, 2], [[0, 1]], [0.0, 1.0], [True]])
def test_indices_outside_the_vocabulary_are_refused(indices: list[object]) -> None:
    with pytest.raises(ValueError, match="`indices` must"):
        Vocabulary("ab").decode(np.asarray(indices))


@pytest.mark.parametrize(
    ("symbols", "rule"),
    [
        ("", "at least one"),
        ("ba", "sorted"),
        ("aa", "unique"),
        ("aé", "printable ASCII"),
        ("\x00a", "printable"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(symbols: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Vocabulary(symbols)


def test_names_are_proper_and_ordered_by_frequency() -> None:
    assert frequent_names(NOVEL) == ("Harry", "Dumbledore", "Hermione")


def test_names_respect_count_and_length() -> None:
    assert frequent_names(NOVEL, count=1) == ("Harry",)
    assert frequent_names(NOVEL, min_length=6) == ("Dumbledore", "Hermione")


def test_a_possessive_counts_for_its_word() -> None:
    text = "and Anna's cat, and Anna's dog, and Anna's hat, but Boris or Boris, and they've Don't"
    assert frequent_names(text) == ("Anna", "Boris")


def test_headings_of_a_play_are_no_names() -> None:
    assert frequent_names(PLAY) == ("Romeo", "Juliet")


@pytest.mark.parametrize("text", ["", "no names at all here", "The end. The end.", "IN CAPITALS ALL OF IT"])
def test_a_text_without_names_gives_none(text: str) -> None:
    assert frequent_names(text) == ()


@given(st.text(alphabet="AaBb. ,\n':", max_size=200))
def test_names_stand_in_the_text(text: str) -> None:
    for name in frequent_names(text, min_length=1):
        assert name in text
        assert name.istitle()


@pytest.mark.parametrize(
    ("word", "half"), [("Harry", "Har"), ("Dumbledore", "Dumbl"), ("Ron", "Ro"), ("A", "A"), ("", "")]
)
def test_half_a_word_is_rounded_up(word: str, half: str) -> None:
    assert half_word(word) == half


def test_names_of_shakespeare() -> None:
    path = Path(os.environ.get("GENLAB_DATA", "")) / "text" / "tinyshakespeare.txt"
    if not path.is_file():
        pytest.skip("needs Tiny Shakespeare below GENLAB_DATA")
    names = frequent_names(to_ascii(path.read_text(encoding="utf-8")), count=12)
    assert len(names) == 12
    assert {"Romeo", "Richard", "Edward", "Warwick"} <= set(names)
    assert not {"That", "What", "This", "Lord", "Citizen", "First"} & set(names)
