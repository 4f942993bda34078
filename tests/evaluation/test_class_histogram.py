"""The class histogram: distances and tests by hand, and a judge whose errors are known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2  # type: ignore[import-untyped]

from genlab.evaluation.class_histogram import (
    ClassHistogram,
    chi_square,
    class_counts,
    corrected_counts,
    readings,
    total_variation,
)

EVEN = np.full(4, 0.25)


def test_counts_and_distance_by_hand() -> None:
    counts = class_counts(torch.tensor([0, 2, 2, 2]), 4)
    assert counts.tolist() == [1, 0, 3, 0]
    assert total_variation(counts, EVEN) == 0.5
    assert total_variation(np.array([5, 5, 5, 5]), EVEN) == 0
    assert total_variation(np.array([9, 0, 0, 0]), EVEN) == 0.75


def test_chi_square_by_hand_on_the_counts_of_a_published_report() -> None:
    counts = np.array([1035, 1076, 987, 1027, 935, 958, 1033, 1061, 871, 1017])
    figures = chi_square(counts, np.full(10, 0.1))
    statistic = float(((counts - 1000) ** 2 / 1000).sum())
    assert figures["chi_square"] == pytest.approx(statistic)
    assert figures["degrees_of_freedom"] == 9
    assert figures["p_value"] == pytest.approx(chi2.sf(statistic, 9))
    assert figures["p_value"] < 0.001


def test_classes_that_the_prior_does_not_have() -> None:
    prior = np.array([0.5, 0.5, 0.0])
    assert chi_square(np.array([5, 5, 0]), prior)["p_value"] == pytest.approx(1)
    assert chi_square(np.array([5, 5, 0]), prior)["degrees_of_freedom"] == 1
    assert chi_square(np.array([5, 4, 1]), prior) == {"chi_square": None, "degrees_of_freedom": 1, "p_value": 0.0}
    assert chi_square(np.array([0, 9, 0]), np.array([0.0, 1.0, 0.0]))["p_value"] == 1


@given(st.lists(st.integers(0, 500), min_size=4, max_size=4).filter(any), st.integers(0, 2**31))
def test_a_known_confusion_is_undone(true: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    confusion = 0.8 * np.eye(4) + 0.2 * random.dirichlet(np.ones(4), size=4)
    observed = np.array(true) @ confusion
    assert corrected_counts(observed, confusion) == pytest.approx(np.array(true, dtype=float), abs=1e-6 * sum(true))


def test_corrected_counts_are_never_negative_and_keep_their_total() -> None:
    confusion = np.array([[0.6, 0.4], [0.4, 0.6]])
    corrected = corrected_counts(np.array([100, 0]), confusion)
    assert corrected.tolist() == pytest.approx([100, 0])


def test_readings_are_shares_of_each_true_class() -> None:
    labels, read = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 0, 1])
    expected = np.array([[2 / 3, 1 / 3, 0], [0, 1, 0], [0, 0, 1]])
    assert readings(labels, read, 3) == pytest.approx(expected)


def uneven(fakes: SimpleNamespace, counts: list[int]) -> Any:
    labels = torch.repeat_interleave(torch.arange(4), torch.tensor(counts))
    return fakes.Emits(lambda count, seed: fakes.patterns()[labels].reshape(-1, 1, fakes.SIDE, fakes.SIDE))


def test_the_evaluator_counts_what_the_judge_reads(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=4000)
    result = ClassHistogram(count=100)(uneven(fakes, [70, 20, 10, 0]), data)
    rows = result["by_class"]
    assert [row["count"] for row in rows] == [70, 20, 10, 0]
    prior = torch.bincount(data.train.labels) / 4000
    assert [row["prior"] for row in rows] == pytest.approx(prior.tolist())
    assert result["value"] == pytest.approx(0.7 - float(prior[0]))
    assert result["corrected_value"] == pytest.approx(result["value"]), "this judge makes no errors"
    assert result["entropy_bits"] == pytest.approx(-sum(p * np.log2(p) for p in (0.7, 0.2, 0.1)))
    assert rows[0]["interval"][0] < 0.7 < rows[0]["interval"][1]
    assert result["p_value"] < 1e-9
    labels = torch.bincount(data.test.labels) / 200
    assert result["floor"]["value"] == pytest.approx(float((labels - prior).abs().sum() / 2))
    assert result["floor"]["p_value"] > 0.001


def test_a_judge_that_errs_is_corrected(fakes: SimpleNamespace) -> None:
    class Careless(fakes.LinearJudge):  # type: ignore[misc, name-defined]
        """Takes every image of class 0 whose first pixel is odd for one of class 1."""

        def probabilities(self, x: torch.Tensor) -> torch.Tensor:
            right: torch.Tensor = super().probabilities(x)
            odd = (x.flatten(1)[:, 0] * 255).round() % 2 == 1
            return torch.where(odd[:, None] & (right.argmax(dim=1) == 0)[:, None], right.roll(1, dims=1), right)

    data = fakes.image_data(Careless(), test=4000)
    made = fakes.Emits(lambda count, seed: fakes.drawn(count, 9)[0].float() / 255)
    result = ClassHistogram(count=4000)(made, data)
    true = torch.bincount(fakes.drawn(4000, 9)[1]).tolist()
    assert result["by_class"][0]["count"] < 0.6 * true[0]
    assert [row["corrected"] for row in result["by_class"]] == pytest.approx(true, rel=0.1)
    assert result["corrected_value"] < result["value"] / 3
