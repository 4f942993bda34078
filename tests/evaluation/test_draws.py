"""How texts are drawn, and which settings are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from genlab.evaluation.draws import Draws, passages


def test_every_temperature_is_drawn_in_turn_from_the_same_seed(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: f"at {temperature}")
    draws = Draws(count=2, length=6, temperature=0.5, temperatures=(1.0, 2.0), seed=7)
    assert draws.draw(model) == [["at 0.5"] * 2, ["at 1.0"] * 2, ["at 2.0"] * 2]
    assert [call["temperature"] for call in model.calls] == [0.5, 1.0, 2.0]
    assert {(call["count"], call["length"], call["seed"]) for call in model.calls} == {(2, 6, 7)}


def test_the_report_tells_the_settings_and_the_other_temperatures() -> None:
    draws = Draws(count=2, length=6, temperature=0.5, temperatures=(1.0,), seed=0)
    assert draws.report([{"value": 1}, {"value": 2}]) == {
        "value": 1,
        "seed": 0,
        "temperature": 0.5,
        "texts": 2,
        "length": 6,
        "by_temperature": [{"temperature": 1.0, "value": 2}],
    }


def test_prompts_decide_the_number_of_texts(fake_model: Any) -> None:
    model = fake_model(says=lambda prompt, temperature: prompt + "!")
    assert Draws(count=9).draw_at(model, 1.0, ["a", "b"]) == ["a!", "b!"]
    assert Draws(count=9).draw_at(model, 1.0, []) == []
    assert len(model.calls) == 1


def test_a_model_that_gives_too_few_texts_is_refused(fake_model: Any) -> None:
    model = fake_model()
    model.sample = lambda *args, **kwargs: ["one"]
    with pytest.raises(ValueError, match="`sample` must return 3 texts; got 1"):
        Draws(count=3).draw(model)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", 0),
        ("count", 1.5),
        ("length", 0),
        ("seed", -1),
        ("temperature", 0.0),
        ("temperature", float("nan")),
        ("temperatures", (0.5, -1.0)),
        ("temperatures", "0.5"),
        ("temperatures", 0.5),
    ],
)
def test_settings_out_of_range_name_their_place_in_the_config(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^`{field}` must .*\(evaluators\.draws\.{field}\)$"):
        Draws(**{field: value})


def test_temperatures_may_come_as_a_list_of_the_config() -> None:
    draws = Draws(temperatures=OmegaConf.create([1, 0.5]))
    assert draws.temperatures == (1.0, 0.5)
    assert hash(draws) == hash(Draws(temperatures=(1.0, 0.5)))


@given(st.text("ab", max_size=60), st.integers(1, 6), st.integers(1, 12))
def test_passages_are_apart_and_of_the_length(text: str, count: int, length: int) -> None:
    found = passages(text, count, length)
    if len(text) < count * length:
        assert found is None
    else:
        assert found is not None
        assert [len(passage) for passage in found] == [length] * count
        stride = len(text) // count
        assert found == [text[i * stride : i * stride + length] for i in range(count)]
