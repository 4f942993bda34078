"""Variety within a class, by hand and against noise of a known width."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genlab.evaluation import class_spread
from genlab.evaluation.class_spread import ClassSpread, mean_distance


def emits(fakes: SimpleNamespace, noise: float) -> Any:
    return fakes.Emits(lambda count, seed: fakes.drawn(count, seed + 50, noise)[0].float() / 255)


def test_the_mean_distance_of_pairs_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 4.0]])
    assert mean_distance(points) == pytest.approx(4)
    assert mean_distance(points[:1]) is None
    assert mean_distance(points[:0]) is None
    expected = torch.nn.functional.pdist(torch.arange(40.0).reshape(20, 2) ** 2).mean()
    monkeypatch.setattr(class_spread, "ROWS", 7)
    assert mean_distance(torch.arange(40.0).reshape(20, 2) ** 2) == pytest.approx(float(expected))


def test_noise_half_as_wide_is_half_the_spread(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=800, test=800)
    assert ClassSpread(count=800)(emits(fakes, 0.04), data)["value"] == pytest.approx(1, abs=0.05)
    result = ClassSpread(count=800)(emits(fakes, 0.02), data)
    assert result["value"] == pytest.approx(0.5, abs=0.03)
    assert result["by_class"] == pytest.approx([0.5] * 4, abs=0.06)
    assert result["floor"]["value"] == pytest.approx(1, abs=0.05)
    assert result["missing"] == []


def test_one_image_a_class_has_no_spread_and_missing_classes_are_named(fakes: SimpleNamespace) -> None:
    images = fakes.patterns()[[0, 0, 0, 2, 2, 3]].reshape(-1, 1, fakes.SIDE, fakes.SIDE)
    result = ClassSpread(count=6)(fakes.Emits(lambda count, seed: images), fakes.image_data())
    real = fakes.image_data().real("train", 6)
    assert (torch.bincount(real.read, minlength=4) > 1)[[0, 2]].any(), "or there is nothing to compare with"
    assert result["value"] == 0
    assert {1, 3} <= set(result["missing"])
    nothing = ClassSpread(count=2)(fakes.Emits(lambda c, s: images[[0, 3]]), fakes.image_data())
    assert (nothing["value"], nothing["count"], nothing["missing"]) == (None, 0, [0, 1, 2, 3])
