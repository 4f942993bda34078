"""Cross-entropy where it is known."""

import math
from typing import Any

import numpy as np
import pytest

from genlab.evaluation.bits_per_char import BitsPerChar, cross_entropy
from genlab.evaluation.protocols import TextData


def test_a_choice_of_four_takes_two_bits(fake_model: Any) -> None:
    result = BitsPerChar(block_length=2)(fake_model(), TextData(train="", held_out="abcabc"))
    assert result["value"] == result["bits"] == pytest.approx(2.0)
    assert result["nats"] == pytest.approx(2 * math.log(2))
    assert result["bits_standard_error"] == pytest.approx(0.0)
    assert (result["count"], result["seed"], result["unit"]) == (5, None, "bits per character")


def test_the_standard_error_compares_blocks_and_the_mean_takes_all() -> None:
    figures = cross_entropy(np.array([-1.0, -3.0, -2.0, -6.0, -8.0]), block_length=2)
    assert figures["nats"] == pytest.approx(4.0)
    assert figures["nats_standard_error"] == pytest.approx(np.std([2.0, 4.0], ddof=1) / math.sqrt(2))
    assert figures["bits_standard_error"] == pytest.approx(figures["nats_standard_error"] / math.log(2))


def test_one_block_has_no_standard_error() -> None:
    figures = cross_entropy(np.full(7, -1.0), block_length=4)
    assert figures["nats"] == 1.0
    assert figures["nats_standard_error"] is None
    assert figures["bits_standard_error"] is None


@pytest.mark.parametrize("held_out", ["", "a"])
def test_fewer_than_two_characters_have_no_value(fake_model: Any, held_out: str) -> None:
    result = BitsPerChar()(fake_model(), TextData(train="a", held_out=held_out))
    assert (result["value"], result["count"], result["not_finite"]) == (None, 0, 0)


@pytest.mark.parametrize("value", [float("nan"), -math.inf])
def test_a_model_that_diverged_has_no_value_and_says_so(fake_model: Any, value: float) -> None:
    result = BitsPerChar()(fake_model(log_prob_of_each=value), TextData(train="", held_out="abc"))
    assert (result["value"], result["nats"], result["count"], result["not_finite"]) == (None, None, 2, 2)


def test_another_number_of_values_is_refused(fake_model: Any) -> None:
    model = fake_model()
    model.log_prob = lambda text: np.zeros(len(text))
    with pytest.raises(ValueError, match=r"`log_prob` must have shape \(2,\); got \(3,\)"):
        BitsPerChar()(model, TextData(train="", held_out="abc"))


def test_the_block_length_is_checked() -> None:
    with pytest.raises(ValueError, match=r"\(evaluators\.bits_per_char\.block_length\)"):
        BitsPerChar(block_length=0)
