"""Measures of models that can be told what to draw, on ones that obey, mix names up, or do not listen."""

from types import SimpleNamespace

import pytest
import torch

from genlab.evaluation.control import Control, best_names
from genlab.evaluation.disentanglement import Disentanglement, agreeing
from genlab.evaluation.fid_by_digit import FidByDigit
from genlab.evaluation.style_spread import StyleSpread, spread_within

SHIFTED = (1, 2, 3, 0)


def test_a_model_that_obeys_has_control_and_one_that_mixes_names_up_has_none(fakes: SimpleNamespace) -> None:
    data = fakes.image_data()
    obeys = Control(count=200)(fakes.Steered(), data)
    assert (obeys["value"], obeys["successes"], obeys["count"], obeys["named"]) == (1, 200, 200, False)
    assert [each["digit"] for each in obeys["by_label"]] == [0, 1, 2, 3]
    assert Control(count=200)(fakes.Steered(stands_for=SHIFTED), data)["value"] == 0


def test_codes_are_given_the_names_that_suit_them(fakes: SimpleNamespace) -> None:
    result = Control(count=200)(fakes.Steered(stands_for=SHIFTED, labels_are_digits=False), fakes.image_data())
    assert (result["value"], result["named"]) == (1, True)
    assert [each["digit"] for each in result["by_label"]] == list(SHIFTED)
    twice = Control(count=200)(fakes.Steered(stands_for=(1, 1, 2, 3), labels_are_digits=False), fakes.image_data())
    assert twice["value"] == 0.75, "no digit has two names"


def test_half_obedience_is_half_control(fakes: SimpleNamespace) -> None:
    result = Control(count=400)(fakes.Steered(stands_for=(0, 1, 3, 2)), fakes.image_data())
    assert result["value"] == 0.5
    assert [each["value"] for each in result["by_label"]] == [1, 1, 0, 0]


def test_what_cannot_be_asked_has_nothing_to_measure(fakes: SimpleNamespace) -> None:
    model = fakes.Steered(num_labels=0, separable=False)
    assert Control(count=50)(model, fakes.image_data())["value"] is None
    assert Disentanglement(count=60, styles=6)(model, fakes.image_data())["value"] is None


def test_names_by_hand() -> None:
    asked = torch.tensor([0, 0, 0, 1, 1, 2])
    read = torch.tensor([2, 2, 1, 1, 1, 1])
    assert best_names(asked, read, 3, 4)[:2] == [2, 1]
    assert sorted(name for name in best_names(asked, read, 3, 2) if name is not None) == [0, 1]


def test_readings_that_agree_with_their_row_by_hand() -> None:
    assert agreeing(torch.tensor([[1, 1, 2], [0, 0, 0], [3, 1, 2]])).tolist() == [2, 3, 1]


def test_identity_that_decides_and_style_that_does(fakes: SimpleNamespace) -> None:
    measure = Disentanglement(count=400, styles=10)
    whole = measure(fakes.Steered(), fakes.image_data())
    assert (whole["value"], whole["count"]) == (1, 400)
    assert whole["chance"] < 0.6
    by_style = measure(fakes.Steered(by_style=True), fakes.image_data())
    assert by_style["value"] < 0.7, "rows all look alike, and none is of one digit"


def test_spread_of_style_is_the_width_of_its_noise(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=600, test=600)
    for width in (fakes.Steered().width, 2 * fakes.Steered().width):
        result = StyleSpread(count=600, styles=10)(fakes.Steered(width=width), data)
        assert result["value"] == pytest.approx(width / fakes.Steered().width, rel=0.05)
        assert result["within"] == "identity"
    still = StyleSpread(count=600, styles=10)(fakes.Steered(width=0), data)
    assert still["value"] == 0
    plain = StyleSpread(count=600, styles=10)(fakes.Steered(separable=False), data)
    assert (plain["within"], plain["value"]) == ("digit read", pytest.approx(1, rel=0.05))
    pair = StyleSpread(count=2, styles=2)(fakes.Steered(separable=False), data)
    assert (pair["value"], pair["distance"], pair["count"]) == (None, None, 2), "two digits, and no two of either"


def test_spread_within_groups_by_hand(fakes: SimpleNamespace) -> None:
    pixels = torch.tensor([0, 255, 0, 0, 51]).to(torch.uint8).reshape(5, 1, 1, 1)
    images = SimpleNamespace(floats=lambda: pixels.float() / 255)
    groups = torch.tensor([0, 0, 1, 1, 2])
    assert spread_within(images, groups) == pytest.approx(0.5)  # type: ignore[arg-type]
    assert spread_within(images, torch.arange(5)) is None  # type: ignore[arg-type]


def test_digits_apart_show_what_the_whole_hides(fakes: SimpleNamespace) -> None:
    """Names mixed up leave the images as they are as a whole, and each digit's are another's."""
    data = fakes.image_data(train=800, test=800)
    right = FidByDigit(count=800)(fakes.Steered(), data)
    mixed = FidByDigit(count=800)(fakes.Steered(stands_for=SHIFTED), data)
    assert right["by"] == "digit asked for"
    assert right["value"] == pytest.approx(right["floor"]["value"], abs=0.01)
    assert mixed["value"] > 10 * right["value"]
    by_reading = FidByDigit(count=800)(fakes.Steered(stands_for=SHIFTED, labels_are_digits=False), data)
    assert by_reading["by"] == "digit read"
    assert by_reading["value"] == pytest.approx(right["value"], abs=0.01)
