"""FID against Gaussians whose distance is known."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from genlab.evaluation.fid_mnist_cnn import FidMnistCnn, frechet_distance


def standardised(count: int, dim: int, seed: int) -> torch.Tensor:
    """Rows (count, dim) whose sample mean is 0 and whose sample covariance is the identity, exactly."""
    rows = torch.randn(count, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    rows = rows - rows.mean(dim=0)
    factor = torch.linalg.cholesky(torch.atleast_2d(torch.cov(rows.T)))
    return torch.linalg.solve_triangular(factor, rows.T, upper=False).T


@given(st.integers(0, 2**31), st.integers(2, 6))
def test_a_set_is_at_no_distance_from_itself(seed: int, dim: int) -> None:
    features = torch.randn(40, dim, generator=torch.Generator().manual_seed(seed))
    assert 0 <= frechet_distance(features, features) < 1e-6
    assert frechet_distance(features, features.flip(0)) < 1e-6, "order is no property"


@given(st.integers(0, 2**31), st.integers(1, 6))
def test_the_distance_of_two_gaussians_is_the_analytic_one(seed: int, dim: int) -> None:
    first, second = standardised(50, dim, seed), standardised(60, dim, seed + 1)
    scales = torch.linspace(0.5, 3, dim, dtype=torch.float64)
    shift = torch.arange(dim, dtype=torch.float64)
    turn = torch.linalg.qr(standardised(20, dim, seed + 2)[:dim].T @ torch.eye(dim, dtype=torch.float64)).Q
    expected = float(shift.square().sum() + (scales - 1).square().sum())
    assert frechet_distance(first @ turn, (second * scales + shift) @ turn) == pytest.approx(expected, rel=1e-6)


@given(st.integers(2, 60), st.integers(2, 60), st.integers(2, 12), st.integers(0, 2**31))
def test_it_is_torch_fidelitys(rows: int, others: int, dim: int, seed: int) -> None:
    """Also with fewer rows than features, where a covariance has no inverse and the library's root is a rougher one."""
    draw = torch.Generator().manual_seed(seed)
    mixed = torch.randn(dim, dim, generator=draw, dtype=torch.float64)
    first = torch.randn(rows, dim, generator=draw, dtype=torch.float64) @ mixed
    second = 1 + torch.randn(others, dim, generator=draw, dtype=torch.float64)
    statistics = map(fid_features_to_statistics, (first, second))
    theirs = fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]
    tolerance = {"rel": 1e-7} if min(rows, others) > dim else {"rel": 1e-4, "abs": 1e-3}
    assert frechet_distance(first, second) == pytest.approx(theirs, **tolerance)


def test_float32_features_far_from_zero_lose_nothing() -> None:
    features = 1000 + torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(features, features + 1) == pytest.approx(4, rel=1e-4)


def test_the_evaluator_shifts_as_its_images_do(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=800, test=800)
    shift = torch.linspace(2, 25, fakes.PIXELS).round() / 255  # whole gray levels: rounding changes nothing
    shifted = data.train.floats() + shift.reshape(1, 1, fakes.SIDE, fakes.SIDE)
    result = FidMnistCnn(count=800, seed=1)(fakes.Emits(lambda count, seed: shifted), data)
    expected = float((shift @ data.judge.weight).square().sum())
    assert result["value"] == pytest.approx(expected, rel=0.01)
    assert result["floor"]["value"] < expected / 2
    assert (result["count"], result["real_count"], result["features"]) == (800, 800, 5)
    assert (result["floor"]["count"], result["floor"]["real_count"]) == (800, 800)


def test_numbers_of_both_sides_are_told(fakes: SimpleNamespace) -> None:
    data = fakes.image_data()
    model = fakes.Emits(lambda count, seed: torch.rand(count, 1, 6, 6, generator=fakes.generator(seed)))
    result = FidMnistCnn(count=50, real_count=70)(model, data)
    assert (result["count"], result["real_count"], result["floor"]["count"]) == (50, 70, 50)
    assert "50 against 70" in result["bias"]
    assert FidMnistCnn(count=1000)(model, data)["floor"]["count"] == 200, "there are no more test images"
