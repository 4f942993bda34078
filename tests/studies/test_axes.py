"""Values on axes: which are the same, which a selection means, and how a sentence names them."""

from typing import Any

import pytest

from genlab.studies.axes import as_number, is_meant, plain, same_value, settings_of_arms, values_of_axes, where_words


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1e-4, "1e-4", True),  # what YAML calls text
        (0.1 + 0.2, 0.3, True),
        (100, 100.0, True),
        ("adam", "adam", True),
        (100, 101, False),
        ("adam", "sgd", False),
        (True, 1, False),
        (True, True, True),
        (None, 0, False),
        ("nan", "nan", True),
    ],
)
def test_values_are_the_same_by_what_they_mean(one: Any, other: Any, same: bool) -> None:
    assert same_value(one, other) is same
    assert same_value(other, one) is same


@pytest.mark.parametrize(("value", "number"), [("1e-4", 1e-4), (3, 3.0), (True, None), ("x", None), ("inf", None)])
def test_numbers(value: Any, number: float | None) -> None:
    assert as_number(value) == number


def test_first_and_last_are_the_ends_of_what_there_is() -> None:
    present = [25, "100", 3]
    assert [value for value in present if is_meant(value, ["first"], present)] == [3]
    assert [value for value in present if is_meant(value, ["last", 25], present)] == [25, "100"]
    assert is_meant("last", ["last"], ["last", "lower"])  # an arm may be called so
    assert not is_meant("lower", ["last"], ["last", "lower"])


def test_named_arms_have_the_axes_that_they_set() -> None:
    arms = {
        "3 layers": {"model.discriminator.num_layers": 3, "model.generator.num_layers": 4},
        "no dropout": {"model.discriminator.dropout": 0.0},
        "plain": None,
    }
    settings = settings_of_arms({"arms": arms})
    assert settings == {"3 layers": {}, "no dropout": {"dropout": 0.0}, "plain": {}}  # num_layers is of two minds
    values = values_of_axes({"arms": arms, "grid": {"optimizer.lr": [0.1, 0.2]}})
    assert values == {"arm": ["3 layers", "no dropout", "plain"], "lr": [0.1, 0.2], "dropout": [0.0]}


def test_an_axis_of_the_grid_that_arms_set_too_has_the_values_of_both() -> None:
    definition = {"arms": {"slow": {"optimizer.lr": 0.3}, "plain": {}}, "grid": {"optimizer.lr": [0.1, 0.2]}}
    assert values_of_axes(definition) == {"arm": ["slow", "plain"], "lr": [0.1, 0.2, 0.3]}


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ({"hidden_size": (100, 256), "epoch": (25,)}, "hidden size 100 or 256, epoch 25"),
        ({"arm": ("4 layers", "3 layers")}, "4 layers or 3 layers"),
        ({"arm": ("4 layers", "4 layers, dropout 0.2", "3 layers")}, "4 layers, '4 layers, dropout 0.2' or 3 layers"),
        ({"arm": ("4 layers, dropout 0.2",)}, "4 layers, dropout 0.2"),
        ({"epoch": ("last",)}, "the end of training"),
        ({"temperature": ("first",)}, "the smallest temperature"),
        ({"lr": ("1e-4",), "seq_len": (20,)}, "learning rate 0.0001, sequence length 20"),
    ],
)
def test_a_selection_in_words(where: Any, words: str) -> None:
    assert where_words(where) == words


def test_plain() -> None:
    assert [plain(value) for value in (1e-5, 30000, 0.1 + 0.2, "adam", True)] == [
        "1e-05",
        "30000",
        "0.3",
        "adam",
        "True",
    ]
