"""The fast estimate against torch-fidelity's, subset by subset, and against the kernel written out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

from genlab.evaluation.kernel_discrepancy import FEW_ROWS, subset_discrepancies


def features(rows: int, seed: int, shift: float = 0.0, dim: int = 5) -> torch.Tensor:
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)) * 3 + shift


@settings(max_examples=25)
@given(st.integers(2, 40), st.integers(2, 40), st.data(), st.integers(0, 2**31 - 1))
def test_it_is_torch_fidelitys(rows: int, others: int, data: st.DataObject, seed: int) -> None:
    assert_torch_fidelitys(rows, others, data.draw(st.integers(2, min(rows, others))), seed)


@pytest.mark.parametrize("size", [FEW_ROWS - 1, FEW_ROWS, FEW_ROWS + 1, 2 * FEW_ROWS, 3 * FEW_ROWS - 1])
def test_it_is_so_where_a_subset_takes_several_parts(size: int) -> None:
    assert_torch_fidelitys(400, 390, size, 3)


def assert_torch_fidelitys(rows: int, others: int, size: int, seed: int) -> None:
    first, second = features(rows, 1, 0.5), features(others, 2)
    found = subset_discrepancies(first, second, 6, size, seed)
    expected = kid_features_to_metric(
        first.double(), second.double(), kid_subsets=6, kid_subset_size=size, rng_seed=seed, verbose=False
    )
    assert found.shape == (6,)
    scale = 1 + float(found.abs().max())
    assert float(found.mean()) == pytest.approx(expected[KEY_METRIC_KID_MEAN], abs=1e-10 * scale)
    assert float(found.std(correction=0)) == pytest.approx(expected[KEY_METRIC_KID_STD], abs=1e-9 * scale)


def test_a_subset_of_all_rows_is_the_estimator_written_out() -> None:
    first, second = features(7, 3).double().numpy(), features(7, 4, 1.0).double().numpy()

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    pairs = [(i, j) for i in range(7) for j in range(7)]
    within = sum(kernel(s[i], s[j]) for s in (first, second) for i, j in pairs if i != j) / 42
    across = sum(kernel(first[i], second[j]) for i, j in pairs) / 49
    (found,) = subset_discrepancies(torch.from_numpy(first), torch.from_numpy(second), 1, 7, 0)
    assert float(found) == pytest.approx(within - 2 * across, rel=1e-12)


def test_it_is_without_bias() -> None:
    """Two rows a subset, and the mean over many is that of two large sets."""
    first, second = features(400, 5, 0.3, dim=3), features(400, 6, dim=3)
    (large,) = subset_discrepancies(first, second, 1, 400, 0)
    small = subset_discrepancies(first, second, 20_000, 2, 0)
    error = float(small.std()) / 20_000**0.5
    assert abs(float(small.mean()) - float(large)) < 4 * error + 0.02 * abs(float(large))
