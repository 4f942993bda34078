"""Dropout against what it is by definition: shares, factors, expectation and gradients; torch's where it is torch's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from torch import nn

from genlab.dcgan.nets import Discriminator
from genlab.dropout import Dropout

LIKELY = 1e-9  # a test of chance fails once in so many times, were its seed another


def in_training(p: float, seed: int = 0) -> Dropout:
    torch.manual_seed(seed)
    return Dropout(p).train()


@pytest.mark.parametrize("p", [1e-7, 0.2, 0.5, 0.731, 0.999])
def test_the_share_that_is_dropped_is_p(p: float) -> None:
    count = 1_000_003
    dropped = int((in_training(p)(torch.ones(count)) == 0).sum())
    nearest = 1 - min(max(round((1 - p) * 65536), 1), 65535) / 65536  # 1e-7 cannot be told from 1/65,536
    assert binom.ppf(LIKELY, count, nearest) <= dropped <= binom.isf(LIKELY, count, nearest)
    assert abs(nearest - p) <= 1 / 65536


@pytest.mark.parametrize("bits", [0, 1, 2, 3])
def test_every_place_of_a_word_and_either_half_of_the_range_is_used(bits: int) -> None:
    kept = (in_training(0.5)(torch.ones(400_000)) > 0)[bits::4]
    assert binom.ppf(LIKELY, 100_000, 0.5) <= int(kept.sum()) <= binom.isf(LIKELY, 100_000, 0.5)
    alike = int((kept == (in_training(0.5, seed=1)(torch.ones(400_000)) > 0)[bits::4]).sum())
    assert binom.ppf(LIKELY, 100_000, 0.5) <= alike <= binom.isf(LIKELY, 100_000, 0.5)


def test_neighbours_are_dropped_independently() -> None:
    kept = (in_training(0.3)(torch.ones(200_001)) > 0).double()
    for distance in (1, 2, 3, 4, 8):
        together = int((kept[:-distance] * kept[distance:]).sum())
        count = len(kept) - distance
        low, high = (0.7**2 * count + sign * 12 * (0.21 * count) ** 0.5 for sign in (-1, 1))
        assert low < together < high, distance


@given(p=st.floats(0.001, 0.999), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_what_is_kept_grows_by_what_is_lost(p: float, dtype: torch.dtype) -> None:
    values = in_training(p)(torch.ones(64, dtype=dtype)).unique()
    share = min(max(round((1 - p) * 65536), 1), 65535) / 65536
    for value in values.tolist():
        assert value == 0 or value == pytest.approx(1 / share, rel=1e-6)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 7), (2, 0, 3), (2, 3, 5, 7)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_any_shape_and_type(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    taken = in_training(0.4)(torch.ones(shape, dtype=dtype))
    assert taken.shape == shape
    assert taken.dtype == dtype


def test_maps_stay_channels_last_and_each_is_dropped_by_itself() -> None:
    maps = torch.ones(64, 16, 5, 5).to(memory_format=torch.channels_last)
    dropped = in_training(0.2)(maps)
    assert dropped.is_contiguous(memory_format=torch.channels_last)
    shares = (dropped == 0).double()
    for kept_apart in ((1, 2, 3), (0, 2, 3), (0, 1)):
        means = shares.mean(kept_apart)
        assert float(means.min()) > 0.05
        assert float(means.max()) < 0.4


def test_gradients_of_every_order_see_the_same_numbers_dropped() -> None:
    x = torch.full((200,), 3.0, dtype=torch.float64, requires_grad=True)
    dropped = in_training(0.5)(x)
    (first,) = torch.autograd.grad((dropped**2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    factors = dropped.detach() / 3
    torch.testing.assert_close(first.detach(), 2 * 3 * factors**2)
    torch.testing.assert_close(second, 2 * factors**2)


def test_a_seed_repeats_it_and_each_call_draws_anew() -> None:
    layer = in_training(0.5, seed=7)
    first, second = layer(torch.ones(100)), layer(torch.ones(100))
    assert not torch.equal(first, second)
    assert torch.equal(first, in_training(0.5, seed=7)(torch.ones(100)))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_and_everything_are_torchs(p: float) -> None:
    x = torch.randn(50)
    assert torch.equal(in_training(p)(x), nn.Dropout(p).train()(x))


def test_nothing_is_dropped_in_evaluation() -> None:
    x = torch.randn(50)
    assert Dropout(0.9).eval()(x) is x


def test_a_discriminator_drops_with_it() -> None:
    layers = [layer for layer in Discriminator(dropout=0.3).modules() if isinstance(layer, nn.Dropout)]
    assert len(layers) == 4
    assert all(type(layer) is Dropout and layer.p == 0.3 for layer in layers)
