"""Accuracy, confusion and calibration of a classifier whose answers are given."""

import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation.accuracy import Accuracy
from genlab.evaluation.calibration import (
    Calibration,
    brier_scores,
    calibration_error,
    log_losses,
    reliability,
)
from genlab.evaluation.confusion import Confusion
from genlab.evaluation.image_data import ImageData, LabelledImages
from genlab.evaluation.shares import wilson_interval


@dataclass(eq=False)
class Says:
    """Gives the i-th image, whose pixels are i, row i of ``table``."""

    table: torch.Tensor
    num_classes: int = 3

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def probabilities(self, x: torch.Tensor) -> torch.Tensor:
        return self.table[(x.flatten(1)[:, 0] * 255).round().long()]


def data(labels: list[int]) -> ImageData:
    images = torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1, 1, 1)
    split = LabelledImages(images, torch.tensor(labels))
    train = LabelledImages(images[:3], torch.tensor([0, 2, 2]))
    return ImageData(train=train, val=split, test=split, num_classes=3, name="numbered")


def sure_of(read: list[int], confidence: float = 0.8) -> torch.Tensor:
    table = torch.full((len(read), 3), (1 - confidence) / 2)
    table[torch.arange(len(read)), torch.tensor(read)] = confidence
    return table


def test_accuracy_by_hand() -> None:
    result = Accuracy()(Says(sure_of([0, 0, 1, 1, 2])), data([0, 0, 1, 2, 2]))
    assert (result["value"], result["errors"], result["count"]) == (0.8, 1, 5)
    assert result["interval"] == list(wilson_interval(4, 5))
    assert [row["value"] for row in result["by_class"]] == [1, 1, 0.5]
    assert [row["count"] for row in result["by_class"]] == [2, 1, 2]
    assert result["baseline"]["value"] == 0.4, "the training labels are mostly 2"


def test_a_class_without_test_images_has_no_accuracy() -> None:
    result = Accuracy()(Says(sure_of([0, 2])), data([0, 2]))
    assert result["by_class"][1] == {"class": 1, "value": None, "interval": None, "successes": 0, "count": 0}


def test_rows_of_the_confusion_matrix_are_true_classes() -> None:
    result = Confusion()(Says(sure_of([0, 1, 1, 1, 1, 2])), data([0, 0, 0, 1, 2, 2]))
    assert result["matrix"] == [[1, 2, 0], [0, 1, 0], [0, 1, 1]]
    assert (result["value"], result["successes"]) == (0.5, 3)
    assert result["most_frequent"] == "0 read as 1, 2 times"
    one = Confusion()(Says(sure_of([1, 0])), data([1, 2]))
    assert one["most_frequent"] == "2 read as 0, 1 time"
    perfect = Confusion()(Says(sure_of([0, 1, 2])), data([0, 1, 2]))
    assert (perfect["value"], perfect["most_frequent"]) == (0, "none")


def test_calibration_by_hand() -> None:
    table = torch.cat([sure_of([0, 0, 0, 0], 0.75), sure_of([1, 1], 0.95)])
    result = Calibration(bins=10)(Says(table), data([0, 0, 1, 2, 1, 1]))
    # Two of four right at 0.75, both right at 0.95.
    assert result["value"] == pytest.approx(4 / 6 * 0.25 + 2 / 6 * 0.05)
    assert result["mean_confidence"] == pytest.approx((4 * 0.75 + 2 * 0.95) / 6)
    expected = -(2 * math.log(0.75) + 2 * math.log(0.125) + 2 * math.log(0.95)) / 6
    assert result["negative_log_likelihood"] == pytest.approx(expected)
    right, wrong = 0.25**2 + 2 * 0.125**2, 0.75**2 + 0.875**2 + 0.125**2
    assert result["brier_score"] == pytest.approx((2 * right + 2 * wrong + 2 * (0.05**2 + 2 * 0.025**2)) / 6)
    rows = result["reliability"]
    assert [row["count"] for row in rows] == [0] * 7 + [4, 0, 2]
    assert (rows[7]["low"], rows[7]["high"]) == pytest.approx((0.7, 0.8))
    assert (rows[7]["confidence"], rows[7]["accuracy"]) == (0.75, 0.5)
    assert rows[0]["confidence"] is None


@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 60))
def test_the_error_is_the_table_in_one_figure(seed: int, bins: int, count: int) -> None:
    random = np.random.default_rng(seed)
    raw = random.dirichlet(np.full(3, 0.3), size=count)
    raw[random.random(count) < 0.2] = [0, 1, 0]  # a network that is quite sure says exactly 1
    table, labels = torch.tensor(raw, dtype=torch.float32), torch.from_numpy(random.integers(0, 3, count))
    rows = [row for row in reliability(table, labels, bins) if row["count"]]
    expected = sum(row["count"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / count
    assert calibration_error(table, labels, bins) == pytest.approx(expected, abs=1e-5)
    assert sum(row["count"] for row in rows) == count


def test_a_calibrated_classifier_has_little_error_and_a_boastful_one_much() -> None:
    source = torch.Generator().manual_seed(0)
    confidence = 0.4 + 0.6 * torch.rand(20_000, generator=source)
    right = torch.rand(20_000, generator=source) < confidence
    table = torch.stack([confidence, (1 - confidence) * 0.7, (1 - confidence) * 0.3], dim=1)
    labels = torch.where(right, 0, 1)
    assert calibration_error(table, labels, 15) < 0.02
    boastful = torch.stack([torch.ones(20_000), torch.zeros(20_000), torch.zeros(20_000)], dim=1)
    assert calibration_error(boastful, labels, 15) == pytest.approx(1 - float(right.float().mean()), abs=1e-4)


def test_scores_of_one_image_at_the_extremes() -> None:
    sure = torch.tensor([[1.0, 0.0, 0.0]])
    assert log_losses(sure, torch.tensor([0])).item() == 0
    assert 87 < log_losses(sure, torch.tensor([1])).item() < 88, "finite, however wrong"
    assert brier_scores(sure, torch.tensor([0])).item() == 0
    assert brier_scores(sure, torch.tensor([1])).item() == 2


@pytest.mark.parametrize("measure", [Accuracy(), Confusion(), Calibration()])
def test_the_classifier_is_judged_and_not_the_judge(fakes: SimpleNamespace, measure: Any) -> None:
    judged = data([0, 1, 2])
    perfect = measure(Says(sure_of([0, 1, 2], 1.0)), judged)
    judged.judge = Says(sure_of([1, 2, 0]))
    assert measure(Says(sure_of([0, 1, 2], 1.0)), judged)["value"] == perfect["value"]


def test_a_classifier_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="must give finite figures"):
        Accuracy()(Says(torch.full((2, 3), float("nan"))), data([0, 1]))
