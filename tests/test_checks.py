"""What the checks let through, what they refuse, and what they say."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.checks import at_least, in_range, nearest_hint, one_of, positive, refuse, shape_taken

NO_NUMBERS: list[Any] = [
    None,
    "1",
    "",
    "nan",
    b"1",
    [1],
    (1,),
    {},
    object(),
    True,
    False,
    np.True_,
    1j,
    np.array([1.0, 2.0]),
]
NOT_FINITE: list[Any] = [math.nan, math.inf, -math.inf, np.float64("nan"), np.float32("inf")]


def test_the_message_has_argument_rule_value_and_path() -> None:
    with pytest.raises(ValueError, match="latent_dim") as error:
        at_least("latent_dim", 0, 1, "model.latent_dim")
    assert str(error.value) == "`latent_dim` must be an integer >= 1; got 0 (model.latent_dim)"
    assert str(refuse("lr", "fall", "a\nb", "optimizer.lr")) == "`lr` must fall; got 'a\\nb' (optimizer.lr)"


@given(st.integers(), st.integers())
def test_at_least_is_the_comparison(value: int, minimum: int) -> None:
    if value >= minimum:
        assert at_least("n", value, minimum, "p") == value
    else:
        with pytest.raises(ValueError, match="`n` must be an integer >="):
            at_least("n", value, minimum, "p")


@pytest.mark.parametrize("value", [np.int64(3), np.uint8(3), np.int32(3)])
def test_numpy_integers_become_plain_ones(value: Any) -> None:
    assert type(at_least("n", value, 3, "p")) is int


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NOT_FINITE, 3.0, np.float64(3), 3.5, Fraction(7, 2)])
def test_at_least_takes_integers_alone(value: Any) -> None:
    with pytest.raises(ValueError, match=r"(?s)`n` must be an integer >= 0; got .*\(p\)"):
        at_least("n", value, 0, "p")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_positive_is_above_zero(value: float) -> None:
    if value > 0:
        assert positive("lr", value, "p") == value
    else:
        with pytest.raises(ValueError, match="`lr` must be a finite number > 0"):
            positive("lr", value, "p")


@pytest.mark.parametrize("value", [1, np.float32(0.5), np.float64(0.5), np.int64(2), Fraction(1, 2), 5e-324])
def test_positive_returns_a_plain_float(value: Any) -> None:
    result = positive("lr", value, "p")
    assert type(result) is float
    assert result == value


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NOT_FINITE, 0, -0.0, -1e-9])
def test_positive_refuses_the_rest(value: Any) -> None:
    with pytest.raises(ValueError, match=r"(?s)`lr` must be a finite number > 0; got .*\(p\)"):
        positive("lr", value, "p")


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-10, 10),
    st.floats(-10, 10),
    st.booleans(),
    st.booleans(),
)
def test_a_range_has_the_ends_that_it_says(
    value: float, low: float, high: float, low_open: bool, high_open: bool
) -> None:
    inside = low <= value <= high and not (low_open and value == low) and not (high_open and value == high)
    if inside:
        assert in_range("p", value, low, high, "model.p", low_open, high_open) == value
    else:
        with pytest.raises(ValueError, match="`p` must be a number in"):
            in_range("p", value, low, high, "model.p", low_open, high_open)


@pytest.mark.parametrize(
    ("low_open", "high_open", "accepted", "interval"),
    [
        (False, False, {0.0, 1.0}, "[0, 1]"),
        (True, False, {1.0}, "(0, 1]"),
        (False, True, {0.0}, "[0, 1)"),
        (True, True, set[float](), "(0, 1)"),
    ],
)
def test_the_ends_and_how_they_are_written(
    low_open: bool, high_open: bool, accepted: set[float], interval: str
) -> None:
    for end in (0.0, 1.0):
        if end in accepted:
            assert in_range("p", end, 0, 1, "model.p", low_open=low_open, high_open=high_open) == end
        else:
            with pytest.raises(ValueError, match="must") as error:
                in_range("p", end, 0, 1, "model.p", low_open=low_open, high_open=high_open)
            assert str(error.value) == f"`p` must be a number in {interval}; got {end} (model.p)"


@pytest.mark.parametrize("value", [0, 1, np.float32(0.5), np.int8(1), Fraction(1, 3)])
def test_a_range_returns_a_plain_float(value: Any) -> None:
    result = in_range("p", value, 0, 1, "path")
    assert type(result) is float
    assert result == float(value)


@pytest.mark.parametrize("value", [*NO_NUMBERS, *NOT_FINITE])
def test_a_range_refuses_what_is_no_finite_number(value: Any) -> None:
    with pytest.raises(ValueError, match="`p` must be a number in"):
        in_range("p", value, -math.inf, math.inf, "path")


@pytest.mark.parametrize("choices", [["adam", "sgd"], ("adam", "sgd"), {"adam": 1, "sgd": 2}])
def test_a_choice_is_returned(choices: Any) -> None:
    assert one_of("optimizer", "sgd", choices, "p") == "sgd"


def test_a_wrong_choice_names_all_and_the_nearest() -> None:
    with pytest.raises(ValueError, match="optimizer") as error:
        one_of("optimizer", "adma", ["sgd", "adam"], "optimizer.name")
    assert str(error.value) == ("`optimizer` must be one of sgd, adam; got 'adma' (optimizer.name; did you mean adam?)")


@pytest.mark.parametrize("value", ["zzz", "", None, 3, True, ["adam"], "Adam ", "sg"])
def test_what_is_no_choice_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="`optimizer` must be one of sgd, adam; got "):
        one_of("optimizer", value, ["sgd", "adam"], "p")


def test_nothing_near_gives_no_hint() -> None:
    assert nearest_hint("zzz", ["sgd", "adam"]) == ""
    assert nearest_hint("adam", []) == ""
    assert nearest_hint("hiden_size", {"hidden_size", "num_layers"}) == "; did you mean hidden_size?"


@pytest.mark.parametrize("shape", [(3, 28, 28), (1, 32, 32), (1, 28), (28, 28, 1)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^`image_shape` must be \(1, 28, 28\) for the VAE; .*\(data\.dataset\)$"):
        shape_taken(shape, (1, 28, 28), "VAE")


@pytest.mark.parametrize("shape", [(1, 28, 28), [1, 28, 28]])
def test_the_shape_that_is_taken_comes_back_as_a_list(shape: Any) -> None:
    assert shape_taken(shape, (1, 28, 28), "VAE") == [1, 28, 28]
