"""The judge's confidence, by hand."""

from types import SimpleNamespace

import pytest
import torch

from genlab.evaluation.judge_confidence import JudgeConfidence


class BrightnessJudge:
    """Gives class 1 the image's brightness as its probability."""

    num_classes = 2

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        bright = x.flatten(1).mean(dim=1)
        return torch.stack([1 - bright, bright], dim=1) * torch.tensor([0.8, 1.0])


def test_mean_and_shares(fakes: SimpleNamespace) -> None:
    levels = torch.tensor([0, 51, 102, 153, 204, 255]) / 255
    images = levels.reshape(-1, 1, 1, 1).expand(-1, 1, 6, 6)
    data = fakes.image_data(BrightnessJudge())
    result = JudgeConfidence(count=6)(fakes.Emits(lambda count, seed: images), data)
    # Largest: 0.8, 0.64, 0.48, 0.6, 0.8, 1.0.
    assert result["value"] == pytest.approx(0.72)
    assert (result["above"]["successes"], result["below"]["successes"]) == (1, 1)
    assert (result["sure"], result["unsure"], result["count"]) == (JudgeConfidence.sure, JudgeConfidence.unsure, 6)
    assert result["above"]["value"] == pytest.approx(1 / 6)
    largest = BrightnessJudge().probabilities(data.real("test", 6).floats()).max(dim=1).values
    assert result["floor"]["value"] == pytest.approx(float(largest.mean()))
    assert JudgeConfidence(count=6, sure=0.7)(fakes.Emits(lambda c, s: images), data)["above"]["successes"] == 3


@pytest.mark.parametrize("field", ["sure", "unsure"])
def test_a_bound_outside_the_unit_interval_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=rf"`{field}` must be a number in \[0, 1\].*judge_confidence.{field}"):
        JudgeConfidence(**{field: 1.5})
