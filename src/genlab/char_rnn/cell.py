"""The recurrent layer by hand in torch: forward through a window, backward through time. No autograd, no state.

Axes: T time steps, B streams (rows of the batch), I input features, H hidden units. Parameters have the names,
shapes and meaning that ``torch.nn.RNN`` gives them.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Layer(NamedTuple):
    """One layer's parameters: ``weight_ih`` (G*H, I), ``weight_hh`` (G*H, H), both biases (G*H,); G gates, here 1."""

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor


class Cache(NamedTuple):
    """What ``backward`` needs of a forward pass: the input, all states (T+1, B, H) and the parameters."""

    x: Tensor
    h_all: Tensor
    layer: Layer


class Gradients(NamedTuple):
    """The loss's gradients: in the input (None where it was indices), in the initial state, in the parameters."""

    x: Tensor | None
    h: Tensor
    layer: Layer


class Cell(NamedTuple):
    """A recurrent cell as the network sees it; one with gates or several states (GRU, LSTM) is another of these.

    ``gates`` is the number of (H, .) blocks in each weight; ``states`` the number of (B, H) blocks of the carried
    state, side by side in its last axis. ``forward(x, h, layer) -> (y_TBH, h_next, cache)`` and
    ``backward(dy_TBH, dh_next, cache) -> Gradients`` keep nothing between calls.
    """

    gates: int
    states: int
    forward: Callable[[Tensor, Tensor, Layer], tuple[Tensor, Tensor, Cache]]
    backward: Callable[[Tensor, Tensor, Cache], Gradients]


def forward(x: Tensor, h_BH: Tensor, layer: Layer) -> tuple[Tensor, Tensor, Cache]:
    """Run a tanh layer over a window: ``h[t+1] = tanh(W_ih x[t] + b_ih + W_hh h[t] + b_hh)``.

    ``x`` is (T, B) int64 indices, which stand for one-hot vectors, or (T, B, I) features. Returns the outputs
    (T, B, H), the last state (B, H) and the cache.
    """
    drive_TBH = _drive(x, layer)
    h_all = torch.empty((x.shape[0] + 1, *h_BH.shape), dtype=h_BH.dtype, device=h_BH.device)
    h_all[0] = h_BH
    recur = layer.weight_hh.t()
    for t in range(x.shape[0]):
        torch.addmm(drive_TBH[t], h_all[t], recur, out=h_all[t + 1]).tanh_()
    return h_all[1:], h_all[-1], Cache(x, h_all, layer)


def backward(dy_TBH: Tensor, dh_BH: Tensor, cache: Cache) -> Gradients:
    """Back-propagate through the window, by ``tanh' = 1 - tanh^2``.

    ``dy_TBH`` is the loss's gradient in the outputs and ``dh_BH`` in the last state, from beyond the window (zero
    in truncated training). The parameters' gradients are sums over the window, made in one product each.
    """
    x, h_all, layer = cache
    slope_TBH = 1 - h_all[1:] ** 2
    da_TBH = torch.empty_like(slope_TBH)
    dh = dh_BH
    for t in range(len(da_TBH) - 1, -1, -1):
        torch.add(dy_TBH[t], dh, out=da_TBH[t]).mul_(slope_TBH[t])
        dh = da_TBH[t] @ layer.weight_hh
    rows = da_TBH.flatten(0, 1)
    bias = rows.sum(0)
    weight_hh = rows.t() @ h_all[:-1].flatten(0, 1)
    if x.is_floating_point():
        weight_ih = rows.t() @ x.flatten(0, 1)
        dx = da_TBH @ layer.weight_ih
    else:
        columns = torch.zeros_like(layer.weight_ih.t(), memory_format=torch.contiguous_format)
        weight_ih = columns.index_add_(0, x.flatten(), rows).t()
        dx = None
    return Gradients(dx, dh, Layer(weight_ih, weight_hh, bias, bias.clone()))


def _drive(x: Tensor, layer: Layer) -> Tensor:
    """What the input adds before the tanh, for the whole window at once; an index picks a column of ``W_ih``."""
    bias = layer.bias_ih + layer.bias_hh
    if x.is_floating_point():
        return nn.functional.linear(x, layer.weight_ih, bias)
    return layer.weight_ih.t()[x] + bias


TANH = Cell(gates=1, states=1, forward=forward, backward=backward)
CELLS = {"tanh": TANH}
