"""Agreement of two classifiers, on readings that are known."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from genlab.evaluation.judge_agreement import JudgeAgreement


class Shifted:
    """Reads one class further than another judge does, in the images whose first pixel is bright."""

    num_classes = 4

    def __init__(self, judge: object, above: float) -> None:
        self.judge, self.above = judge, above

    def embed(self, x: Tensor) -> Tensor:
        raise AssertionError("agreement is of readings")

    def probabilities(self, x: Tensor) -> Tensor:
        right: Tensor = self.judge.probabilities(x)  # type: ignore[attr-defined]
        bright = (x[:, 0, 0, 0] > self.above)[:, None]
        return torch.where(bright, right.roll(1, 1), right)


def test_agreement_is_the_share_of_equal_readings(fakes: SimpleNamespace) -> None:
    def half_bright(count: int, seed: int) -> Tensor:
        images = fakes.drawn(count, seed)[0].float() / 255
        images[:, 0, 0, 0] = torch.arange(count) % 2
        return images

    data = fakes.image_data()
    for above, expected in ((2.0, 1.0), (0.5, 0.5), (-1.0, 0.0)):
        seen = dataclasses.replace(data, witness=Shifted(data.judge, above))
        result = JudgeAgreement(count=100)(fakes.Emits(half_bright), seen)
        assert (result["value"], result["count"]) == (expected, 100)
    assert result["floor"]["value"] == 0
    assert result["witness_sha256"] == "5678"


def test_a_witness_is_needed(fakes: SimpleNamespace) -> None:
    data = dataclasses.replace(fakes.image_data(), witness=None)
    with pytest.raises(ValueError, match=r"^`judge` must be a classifier's run; got None \(judge\)$"):
        JudgeAgreement(count=10)(fakes.Emits(lambda count, seed: fakes.drawn(count, seed)[0].float() / 255), data)
