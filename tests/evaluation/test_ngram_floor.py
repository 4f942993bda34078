"""The floors against the model that makes them, and against published figures."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genlab.baselines.ngram import WittenBell
from genlab.evaluation.ngram_floor import NgramFloor, ngram_floors
from genlab.evaluation.protocols import TextData


def test_unigrams_by_hand() -> None:
    # train "aab", vocabulary {a, b, c}: t = 2, p(a) = (2 + 2/3) / 5, p(c) = (2/3) / 5; "b" is not scored.
    (floor,) = ngram_floors("aab", "bac", order=1, block_length=1)
    expected = -(math.log(8 / 15) + math.log(2 / 15)) / 2
    assert floor["order"] == 1
    assert floor["nats"] == pytest.approx(expected)
    assert floor["bits"] == pytest.approx(expected / math.log(2))
    assert floor["count"] == 2


def test_each_order_is_that_of_its_own_model(fake_model: Any) -> None:
    train, held_out = "the cat sat on the mat. " * 3, "the rat sat on a hat. "
    result = NgramFloor(order=4, block_length=5)(fake_model(), TextData(train=train, held_out=held_out))
    symbols = sorted(set(train + held_out))
    encoded = [np.array([symbols.index(c) for c in text]) for text in (train, held_out)]
    for floor in result["by_order"]:
        model = WittenBell.fit(encoded[0], len(symbols), floor["order"])
        assert floor["nats"] == pytest.approx(-model.log_prob(encoded[1])[1:].mean())
    assert [floor["order"] for floor in result["by_order"]] == [1, 2, 3, 4]
    assert result["value"] == result["by_order"][-1]["bits"]
    assert result["unit"] == "bits per character"
    assert (result["count"], result["seed"]) == (len(held_out) - 1, None)


@pytest.mark.parametrize("held_out", ["", "a"])
@pytest.mark.parametrize("train", ["", "b"])
def test_too_little_text_has_no_value(fake_model: Any, train: str, held_out: str) -> None:
    result = NgramFloor(order=2)(fake_model(), TextData(train=train, held_out=held_out))
    assert (result["value"], result["count"], len(result["by_order"])) == (None, 0, 2)


def test_without_training_text_the_floor_is_uniform() -> None:
    assert [floor["bits"] for floor in ngram_floors("", "abcdabcd", 2, 1000)] == pytest.approx([2.0, 2.0])


@pytest.mark.parametrize("field", ["order", "block_length"])
def test_settings_are_checked(field: str) -> None:
    with pytest.raises(ValueError, match=rf"\(evaluators\.ngram_floor\.{field}\)"):
        NgramFloor(**{field: 0})


def test_tiny_shakespeare_has_the_known_figures() -> None:
    path = Path(os.environ.get("GENLAB_DATA", "nowhere")) / "text" / "tinyshakespeare.txt"
    if not path.is_file():
        pytest.skip("GENLAB_DATA has no text/tinyshakespeare.txt")
    text = path.read_text(encoding="ascii")
    split = int(0.9 * len(text))
    floors = ngram_floors(text[:split], text[split:], order=6, block_length=1000)
    expected = [3.347, 2.486, 2.049, 1.774, 1.669, 1.698]
    assert [floor["nats"] for floor in floors] == pytest.approx(expected, abs=6e-4)
