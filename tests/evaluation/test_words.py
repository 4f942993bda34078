"""What counts as a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation.words import lexicon, ngrams, whole_words, words

PRINTABLE = st.text(st.characters(max_codepoint=126))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n 12 -- '' ", []),
        ("I", ["i"]),
        ("Don't, o'er 'tis dogs' KING:", ["don't", "o'er", "tis", "dogs", "king"]),
        ("well-known foo_bar x86 a''b", ["well", "known", "foo", "bar", "x", "a", "b"]),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}s", ["caf", "s"]),
    ],
)
def test_words_are_letters_with_apostrophes_inside(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("wor", []),
        ("one two", ["one"]),
        ("one two ", ["one", "two"]),
        ("one two.", ["one", "two"]),
        ("one don'", ["one"]),
        ("one '", ["one"]),
        ("two7", ["two"]),
        ("end\n", ["end"]),
    ],
)
def test_a_last_word_that_may_go_on_is_left_out(text: str, expected: list[str]) -> None:
    assert whole_words(text) == expected


@given(PRINTABLE, PRINTABLE)
def test_whole_words_stay_whatever_follows(text: str, more: str) -> None:
    whole = whole_words(text)
    assert words(text + more)[: len(whole)] == whole


def test_a_lexicon_joins_texts() -> None:
    assert lexicon("A cat, a DOG") == {"a", "cat", "dog"}
    assert lexicon("") == lexicon("1") == frozenset()


@given(st.lists(st.sampled_from("abc"), max_size=8), st.integers(1, 10))
def test_ngrams_are_every_run(items: list[str], n: int) -> None:
    expected = [tuple(items[start : start + n]) for start in range(max(0, len(items) - n + 1))]
    assert list(ngrams(items, n)) == expected
    assert list(ngrams("".join(items), n)) == expected
