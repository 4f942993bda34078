"""The two layers against torch's own: the same values and gradients, in channels-last order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from genlab.channels_last import Flatten, Unflatten

SIDES = st.integers(1, 5)


def is_channels_last(x_BCHW: Tensor) -> bool:
    return x_BCHW.is_contiguous(memory_format=torch.channels_last)


@given(SIDES, SIDES, SIDES, SIDES)
def test_maps_are_those_of_torch_and_come_channels_last(batch: int, channels: int, height: int, width: int) -> None:
    shape = (channels, height, width)
    x_BF = torch.randn(batch, channels * height * width, requires_grad=True)
    maps = Unflatten(1, shape)(x_BF)
    assert torch.equal(maps, nn.Unflatten(1, shape)(x_BF))
    assert is_channels_last(maps)
    upstream = torch.randn_like(maps)
    (gradient,) = torch.autograd.grad(maps, x_BF, upstream)
    assert torch.equal(gradient, upstream.flatten(1))


@given(SIDES, SIDES, SIDES, SIDES)
def test_vectors_are_those_of_torch_and_so_is_their_gradient(
    batch: int, channels: int, height: int, width: int
) -> None:
    maps = torch.randn(batch, channels, height, width).to(memory_format=torch.channels_last).requires_grad_()
    x_BF = Flatten()(maps)
    assert torch.equal(x_BF, nn.Flatten()(maps))
    upstream = torch.randn_like(x_BF)
    (gradient,) = torch.autograd.grad(x_BF, maps, upstream)
    assert torch.equal(gradient, upstream.reshape(maps.shape))
    assert is_channels_last(gradient)


@pytest.mark.parametrize(("memory_format", "kept"), [(torch.channels_last, True), (torch.contiguous_format, False)])
def test_a_gradient_has_the_format_of_the_maps(memory_format: torch.memory_format, kept: bool) -> None:
    maps = torch.randn(2, 3, 4, 5).to(memory_format=memory_format).requires_grad_()
    (gradient,) = torch.autograd.grad(Flatten()(maps).square().sum(), maps)
    assert gradient.is_contiguous(memory_format=memory_format)
    assert is_channels_last(gradient) == kept


def test_derivatives_of_derivatives_are_right() -> None:
    maps = torch.randn(2, 3, 2, 2, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: Flatten()(x).sin(), (maps,))
    flat = torch.randn(2, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: Unflatten(1, (3, 2, 2))(x).sin(), (flat,))


def test_nothing_is_asked_where_nothing_learns() -> None:
    with torch.no_grad():
        assert Flatten()(torch.ones(2, 3, 2, 2)).shape == (2, 12)
    assert Flatten()(torch.ones(2, 3, 2, 2)).requires_grad is False
