"""Shares of valid words of texts whose words are known."""

from typing import Any

import pytest

from genlab.evaluation.protocols import TextData
from genlab.evaluation.valid_words import ValidWords, unknown_words, valid_word_share

DATA = TextData(train="The cat sat. A dog ran.", held_out="The bird sat and flew.")


def test_the_cut_off_word_is_not_judged() -> None:
    figures = valid_word_share(["the cat xyz do", "dog sa"], {"the", "cat", "dog"})
    assert (figures["value"], figures["successes"], figures["count"]) == (0.75, 3, 4)


def test_unknown_words_come_by_frequency_then_alphabet() -> None:
    assert unknown_words(["zz b a zz the c."], {"the"}, most=3) == ["zz", "a", "b"]


def test_words_of_both_texts_are_valid_and_each_text_is_told_apart(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: "The BIRD ran, blib ran.")
    result = ValidWords(count=3, length=100)(model, DATA)
    assert (result["value"], result["count"], result["texts"]) == (pytest.approx(0.8), 15, 3)
    assert result["in_train"]["value"] == pytest.approx(0.6)
    assert result["distinct_words"]["value"] == pytest.approx(0.75)
    assert result["held_out_in_train"]["value"] == pytest.approx(2 / 5)
    assert result["unknown_words"] == ["blib"]
    assert result["standard_error"] == pytest.approx(0.0)
    assert result["interval"][0] < 0.8 < result["interval"][1]


def test_each_temperature_has_its_own_figures(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: "cat." if temperature < 1 else "cta cqt.")
    result = ValidWords(count=2, temperature=0.5, temperatures=(1.5,))(model, DATA)
    assert result["value"] == 1.0
    (hot,) = result["by_temperature"]
    assert (hot["temperature"], hot["value"]) == (1.5, 0.0)


@pytest.mark.parametrize("text", ["", "x", "cat", "12 34 --"])
def test_without_whole_words_there_is_no_value(fake_model: Any, text: str) -> None:
    result = ValidWords()(fake_model(says=lambda prompt, temperature: text), DATA)
    assert (result["value"], result["count"], result["interval"]) == (None, 0, None)


def test_an_empty_corpus_makes_every_word_invalid(fake_model: Any) -> None:
    result = ValidWords()(fake_model(says=lambda *_: "some words "), TextData(train="", held_out=""))
    assert (result["value"], result["held_out_in_train"]["value"]) == (0.0, None)
