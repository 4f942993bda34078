"""Means against NumPy, and what is said where there is none."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation.means import mean


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_mean_and_standard_error(values: list[float]) -> None:
    figures = mean(torch.tensor(values, dtype=torch.float64))
    assert figures["value"] == pytest.approx(np.mean(values), abs=1e-6)
    assert figures["standard_error"] == pytest.approx(np.std(values, ddof=1) / math.sqrt(len(values)), abs=1e-6)
    assert (figures["count"], figures["not_finite"]) == (len(values), 0)


def test_where_there_is_no_mean_or_no_error() -> None:
    assert mean(torch.empty(0)) == {"value": None, "standard_error": None, "count": 0, "not_finite": 0}
    assert mean(torch.tensor([2.0])) == {"value": 2.0, "standard_error": None, "count": 1, "not_finite": 0}
    broken = torch.tensor([1.0, float("nan"), float("-inf")])
    assert mean(broken) == {"value": None, "standard_error": None, "count": 3, "not_finite": 2}


def test_many_float32_are_added_without_drift() -> None:
    assert mean(torch.full((100_000,), 0.1))["value"] == pytest.approx(float(torch.tensor(0.1)), rel=1e-12)
