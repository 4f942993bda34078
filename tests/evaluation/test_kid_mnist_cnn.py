"""KID against the estimator written out, and its error against the scatter of repeated draws."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from genlab.evaluation.kid_mnist_cnn import KidMnistCnn


def written_out(x: Any, y: Any) -> float:
    """The unbiased squared discrepancy of rows under (x.y / D + 1)^3, pair by pair."""

    def kernel(a: Any, b: Any) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    n = len(x)
    within = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(n) for j in range(n) if i != j)
    across = sum(kernel(a, b) for a in x for b in y)
    return within / (n * (n - 1)) - 2 * across / n**2


def emits(fakes: SimpleNamespace, shift: float = 0.0) -> Any:
    return fakes.Emits(lambda count, seed: fakes.drawn(count, seed + 100)[0].float() / 255 + shift)


def test_a_mean_over_many_subsets_is_the_estimate_of_all(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=12, test=12)
    model = emits(fakes, 0.2)
    result = KidMnistCnn(count=12, subsets=3000, subset_size=6)(model, data)
    generated, real = data.generated(model, 12, 0), data.real("train", 12, 0)
    expected = written_out(generated.features.double().numpy(), real.features.double().numpy())
    # A subset is unbiased for the pairs of its set; pairs across are counted with other weights but alike on average.
    assert result["value"] == pytest.approx(expected, rel=0.05)


def test_images_of_the_same_distribution_score_about_nothing(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=600, test=600)
    results = [KidMnistCnn(count=600, subsets=40, subset_size=100, seed=s)(emits(fakes), data) for s in range(8)]
    values = [result["value"] for result in results]
    shifted = KidMnistCnn(count=600, subsets=40, subset_size=100)(emits(fakes, 0.1), data)["value"]
    assert abs(np.mean(values)) < shifted / 20
    assert min(values) < 0 < max(values), "an estimate without bias falls on both sides"
    assert abs(results[0]["floor"]["value"]) < shifted / 20


def test_the_standard_error_is_that_of_repeated_draws(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=8000)
    model = emits(fakes, 0.1)
    results = [KidMnistCnn(count=80, subsets=40, subset_size=50, seed=s)(model, data) for s in range(30)]
    scatter = np.std([result["value"] for result in results], ddof=1)
    assert np.mean([result["standard_error"] for result in results]) == pytest.approx(scatter, rel=0.35)


def test_subsets_leave_half_of_few_images_out(fakes: SimpleNamespace) -> None:
    result = KidMnistCnn(count=30)(emits(fakes), fakes.image_data(train=30, test=9))
    assert (result["subset_size"], result["floor"]["subset_size"]) == (15, 4)
    smallest = KidMnistCnn(count=2)(emits(fakes), fakes.image_data(train=2, val=2, test=2))
    assert smallest["standard_error"] is None, "all of two images is one subset"
    assert torch.isfinite(torch.tensor(smallest["value"]))
