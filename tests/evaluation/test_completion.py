"""Completions of half words whose endings are known."""

from typing import Any

import pytest

from genlab.evaluation.completion import Completion, completed_word, completion_figures, word_start
from genlab.evaluation.protocols import TextData

DATA = TextData(train="Harry and Hermione", held_out="hardly Ron", prompts=("Har", "Herm"))


@pytest.mark.parametrize(
    ("prompt", "start"),
    [
        ("Har", "Har"),
        ("said Har", "Har"),
        ("don't", "don't"),
        ("", ""),
        ("Har ", ""),
        ("Har'", ""),
        ("7", ""),
    ],
)
def test_the_word_that_a_prompt_starts(prompt: str, start: str) -> None:
    assert word_start(prompt) == start


@pytest.mark.parametrize(
    ("prompt", "continuation", "word"),
    [
        ("Har", "ry said", "harry"),
        ("said Har", "ry's. ", "harry's"),
        ("Har", "ry", None),
        ("Har", "ry'", None),
        ("Har", "ry' ", "harry"),
        ("Har", " ry", None),
        ("Har", "", None),
        ("Har ", "ry ", None),
        ("don", "'t ", "don't"),
        ("", "ry ", None),
    ],
)
def test_the_word_that_is_made(prompt: str, continuation: str, word: str | None) -> None:
    assert completed_word(prompt, continuation) == word


def test_figures_of_one_prompt() -> None:
    known = {"harry", "hardly", "har"}
    figures = completion_figures("Har", ["ry.", "dly.", "ry.", "vey.", ". "], known)
    assert (figures["value"], figures["successes"], figures["count"]) == (0.6, 3, 5)
    assert figures["words"] == ["harry", "hardly"]


def test_shares_are_over_prompts_and_samples(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: "dly " if prompt == "Har" else "eneutics ")
    result = Completion(count=4)(model, DATA)
    assert (result["value"], result["count"], result["texts"]) == (0.5, 8, 8)
    assert [figure["prompt"] for figure in result["by_prompt"]] == ["Har", "Herm"]
    assert [figure["value"] for figure in result["by_prompt"]] == [1.0, 0.0]
    # Two prompts that could not differ more: the error over prompts, not over eight independent completions.
    assert result["standard_error"] == pytest.approx(0.5)


def test_each_temperature_is_judged(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: "ry " if temperature < 1 else "rq ")
    data = TextData(train="Harry", held_out="", prompts=("Har", "Har"))
    result = Completion(count=3, temperatures=(1.2,))(model, data)
    assert (result["value"], result["count"]) == (1.0, 3)
    assert result["by_temperature"][0]["value"] == 0.0


@pytest.mark.parametrize("prompts", [(), ("7", "Har ", "7")])
def test_without_a_half_word_there_is_no_value(fake_model: Any, prompts: tuple[str, ...]) -> None:
    model = fake_model()
    result = Completion()(model, TextData(train="Harry", held_out="", prompts=prompts))
    assert (result["value"], result["count"], result["by_prompt"]) == (None, 0, [])
    assert result["skipped"] == list(dict.fromkeys(prompts))
    assert model.calls == []


def test_a_length_too_short_for_any_word_counts_against_it(fake_model: Any) -> None:
    result = Completion(count=2, length=2)(fake_model(says=lambda *_: "ry "), DATA)
    assert result["value"] == 0.0


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match=r"\(evaluators\.completion\.length\)"):
        Completion(length=0)
