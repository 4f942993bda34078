"""Copied runs against a slow search, and where they are known."""

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation.copied_run import CopiedRun, copied_ngram_share, longest_copied_runs
from genlab.evaluation.protocols import TextData


def slow_longest_run(text: str, train: str) -> str:
    runs = (text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1) if text[i:j] in train)
    return max(runs, key=len, default="")


@given(st.lists(st.text("abc", max_size=12), max_size=4), st.text("abc", max_size=40))
def test_runs_are_those_of_a_slow_search(texts: list[str], train: str) -> None:
    assert longest_copied_runs(texts, train) == [slow_longest_run(text, train) for text in texts]


@pytest.mark.parametrize(
    ("text", "train", "expected"),
    [
        ("", "abc", ""),
        ("abc", "", ""),
        ("xyz", "abc", ""),
        ("a", "a", "a"),
        ("xxhello worldxx", "say hello world again", "hello world"),
        ("abcd" * 5, "abcd" * 50, "abcd" * 5),
        ("Abc", "abc", "bc"),
    ],
)
def test_by_hand(text: str, train: str, expected: str) -> None:
    assert longest_copied_runs([text], train) == [expected]


def test_a_run_stays_within_one_text() -> None:
    assert longest_copied_runs(["ab", "cd"], "abcd") == ["ab", "cd"]


def test_no_text_has_no_run() -> None:
    assert longest_copied_runs([], "abc") == []


@pytest.mark.parametrize("alphabet", [1, 65])
def test_a_million_characters_take_seconds(alphabet: int) -> None:
    # One letter alone is the worst case of searches that go on character by character.
    generator = np.random.default_rng(0)
    train = "".join(map(chr, generator.integers(48, 48 + alphabet, 1_000_000)))
    texts = [train[start : start + 500] + "#" * 500 for start in range(0, 20_000, 1000)]
    start = time.perf_counter()
    runs = longest_copied_runs(texts, train)
    assert time.perf_counter() - start < 30, "a search that compares all pairs would take minutes"
    assert {len(run) for run in runs} == {500}


def test_ngrams_ignore_case_and_what_stands_between_words() -> None:
    train_words = ["the", "cat", "sat", "on"]
    figures = copied_ngram_share(["The cat! Sat: the cat cu"], train_words, 2)
    assert (figures["successes"], figures["count"]) == (3, 4)
    assert copied_ngram_share(["one"], train_words, 2)["value"] is None


def test_a_model_that_recites_is_found_out(fake_model: Any) -> None:
    train = "It was the best of times, it was the worst of times. "
    data = TextData(train=train, held_out="Never was there anything like this in any of the towns. ")
    model = fake_model(says=lambda prompt, temperature: train if temperature < 1 else "zzz zz z ")
    result = CopiedRun(count=2, length=24, max_n=2, temperature=0.5, temperatures=(1.5,))(model, data)
    assert (result["value"], result["mean_longest"], result["count"]) == (24, 24, 2)
    assert result["longest_run"] == train[:24]
    assert [result["word_ngrams"][n]["value"] for n in "12"] == [1.0, 1.0]
    (hot,) = result["by_temperature"]
    assert (hot["value"], hot["word_ngrams"]["1"]["value"]) == (1, 0.0)
    assert result["held_out"]["value"] == len(" was the")


def test_empty_texts_copy_nothing(fake_model: Any) -> None:
    result = CopiedRun(count=2)(fake_model(), TextData(train="abc", held_out=""))
    assert (result["value"], result["count"], result["longest_run"]) == (0, 2, "")
    assert (result["word_ngrams"]["1"]["value"], result["held_out"]) == (None, None)


def test_an_empty_training_text_cannot_be_copied(fake_model: Any) -> None:
    result = CopiedRun(count=1)(fake_model(says=lambda *_: "abc def "), TextData(train="", held_out=""))
    assert (result["value"], result["word_ngrams"]["1"]["value"]) == (0, 0.0)


@pytest.mark.parametrize("field", ["max_n", "length"])
def test_settings_are_checked(field: str) -> None:
    settings: dict[str, Any] = {field: 0}
    with pytest.raises(ValueError, match=rf"`{field}` .*\(evaluators\.copied_run\.{field}\)"):
        CopiedRun(**settings)
