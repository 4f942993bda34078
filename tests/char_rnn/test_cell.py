"""The layer by hand: closed forms, autograd, finite differences, halves, and nothing kept or overwritten.

Gradients are taken of ``sum(R * outputs) + sum(Q * last state)`` with random R and Q: a plain sum hides errors.
"""

import itertools
import math
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from genlab.char_rnn.cell import CELLS, TANH, Cache, Gradients, Layer, backward, forward

SIZES = st.integers(1, 5)
EXACT = {"rtol": 1e-10, "atol": 1e-10}


class Case(NamedTuple):
    x: Tensor
    h: Tensor
    layer: Layer
    dy: Tensor
    dh: Tensor


def case(steps: int, batch: int, inputs: int, hidden: int, indices: bool = False, seed: int = 0) -> Case:
    """Random data for one layer, with features (T, B, I) or indices (T, B) as its input."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    features = normal(steps, batch, inputs)
    x = torch.randint(inputs, (steps, batch), generator=generator) if indices else features
    layer = Layer(normal(hidden, inputs), normal(hidden, hidden), normal(hidden), normal(hidden))
    return Case(x, normal(batch, hidden), layer, normal(steps, batch, hidden), normal(batch, hidden))


def recursion(x: Tensor, h: Tensor, layer: Layer) -> tuple[Tensor, Tensor]:
    """The recurrence in plain torch, a stream and a step at a time, for autograd."""
    if not x.is_floating_point():
        x = torch.nn.functional.one_hot(x, layer.weight_ih.shape[1]).double()
    rows = []
    for b in range(x.shape[1]):
        state, states = h[b], []
        for t in range(x.shape[0]):
            state = torch.tanh(layer.weight_ih.mv(x[t, b]) + layer.bias_ih + layer.weight_hh.mv(state) + layer.bias_hh)
            states.append(state)
        rows.append(torch.stack(states))
    y = torch.stack(rows, dim=1)
    return y, y[-1]


def by_hand(data: Case) -> tuple[Tensor, Tensor, Gradients]:
    y, h_next, cache = forward(data.x, data.h, data.layer)
    return y, h_next, backward(data.dy, data.dh, cache)


def by_autograd(data: Case) -> tuple[Tensor, Tensor, Gradients]:
    leaves = [tensor.clone().requires_grad_() for tensor in (data.h, *data.layer)]
    x = data.x.clone().requires_grad_(data.x.is_floating_point())
    y, h_next = recursion(x, leaves[0], Layer(*leaves[1:]))
    ((data.dy * y).sum() + (data.dh * h_next).sum()).backward()
    h, *parameters = (leaf.grad for leaf in leaves)
    return y.detach(), h_next.detach(), Gradients(x.grad, h, Layer(*parameters))  # type: ignore[arg-type]


def assert_same(actual: Gradients, expected: Gradients) -> None:
    assert (actual.x is None) == (expected.x is None)
    if actual.x is not None:
        torch.testing.assert_close(actual.x, expected.x, **EXACT)
    torch.testing.assert_close(actual.h, expected.h, **EXACT)
    for name in Layer._fields:
        torch.testing.assert_close(
            getattr(actual.layer, name),
            getattr(expected.layer, name),
            msg=lambda message, name=name: f"{name}: {message}",
            **EXACT,
        )


@given(SIZES, SIZES, SIZES, SIZES, st.booleans(), st.integers(0, 1000))
def test_outputs_and_gradients_are_those_of_autograd(
    steps: int, batch: int, inputs: int, hidden: int, indices: bool, seed: int
) -> None:
    data = case(steps, batch, inputs, hidden, indices, seed)
    y, h_next, grads = by_hand(data)
    y_expected, h_expected, expected = by_autograd(data)
    torch.testing.assert_close(y, y_expected, **EXACT)
    torch.testing.assert_close(h_next, h_expected, **EXACT)
    assert_same(grads, expected)


@given(SIZES, SIZES, SIZES, SIZES, st.booleans(), st.integers(0, 1000))
def test_a_window_is_two_chained_halves(
    half: int, batch: int, inputs: int, hidden: int, indices: bool, seed: int
) -> None:
    data = case(half + 2, batch, inputs, hidden, indices, seed)
    y, h_next, whole = by_hand(data)
    first, second = data.x[:half], data.x[half:]
    y1, h1, cache1 = forward(first, data.h, data.layer)
    y2, h2, cache2 = forward(second, h1, data.layer)
    torch.testing.assert_close(torch.cat([y1, y2]), y, **EXACT)
    torch.testing.assert_close(h2, h_next, **EXACT)
    late = backward(data.dy[half:], data.dh, cache2)
    early = backward(data.dy[:half], late.h, cache1)
    x = None if early.x is None or late.x is None else torch.cat([early.x, late.x])
    chained = Layer(*(a + b for a, b in zip(early.layer, late.layer, strict=True)))
    assert_same(Gradients(x, early.h, chained), whole)


@given(SIZES, SIZES, SIZES, SIZES, st.integers(0, 1000))
def test_indices_are_one_hot_features(steps: int, batch: int, inputs: int, hidden: int, seed: int) -> None:
    data = case(steps, batch, inputs, hidden, True, seed)
    one_hot = data._replace(x=torch.nn.functional.one_hot(data.x, inputs).double())
    y, h_next, grads = by_hand(data)
    y_expected, h_expected, expected = by_hand(one_hot)
    torch.testing.assert_close(y, y_expected, **EXACT)
    torch.testing.assert_close(h_next, h_expected, **EXACT)
    assert grads.x is None
    assert_same(grads, expected._replace(x=None))


def test_finite_differences_agree() -> None:
    data = case(3, 2, 3, 4)
    _, _, grads = by_hand(data)
    moved = {"x": data.x, "h": data.h, **data.layer._asdict()}
    analytic = {"x": grads.x, "h": grads.h, **grads.layer._asdict()}
    step = 1e-5
    for name, tensor in moved.items():
        slope = torch.empty_like(tensor)
        for place in itertools.product(*map(range, tensor.shape)):
            before = float(tensor[place])
            values = []
            for sign in (1, -1):
                tensor[place] = before + sign * step
                y, h_next, _ = forward(data.x, data.h, data.layer)
                values.append(float((data.dy * y).sum() + (data.dh * h_next).sum()))
            tensor[place] = before
            slope[place] = (values[0] - values[1]) / (2 * step)
        torch.testing.assert_close(slope, analytic[name], rtol=1e-7, atol=1e-8, msg=lambda m, name=name: f"{name}: {m}")


def test_one_unit_has_closed_forms() -> None:
    one = torch.ones(1, 1, dtype=torch.float64)
    layer = Layer(0.5 * one, -0.25 * one, 0.1 * one[0], 0.2 * one[0])
    y, h_next, cache = forward(torch.tensor([[[2.0]]]).double(), 3 * one, layer)
    expected = math.tanh(0.5 * 2 - 0.25 * 3 + 0.3)
    assert float(y) == pytest.approx(expected, rel=1e-15)
    assert float(h_next) == pytest.approx(expected, rel=1e-15)
    grads = backward(torch.full((1, 1, 1), 4.0).double(), -one, cache)
    before_tanh = 3 * (1 - expected**2)
    figures = {"x": 0.5, "h": -0.25}
    assert float(grads.x) == pytest.approx(figures["x"] * before_tanh)  # type: ignore[arg-type]
    assert float(grads.h) == pytest.approx(figures["h"] * before_tanh)
    assert [float(grad) for grad in grads.layer] == pytest.approx([before_tanh * by for by in (2, 3, 1, 1)])


def test_a_character_that_is_not_seen_gets_no_gradient() -> None:
    data = case(4, 2, 5, 3, indices=True)._replace(x=torch.tensor([[0, 0], [0, 2], [2, 2], [0, 0]]))
    _, _, grads = by_hand(data)
    seen = grads.layer.weight_ih.abs().sum(0) > 0
    assert seen.tolist() == [True, False, True, False, False]


def test_nothing_handed_in_is_changed_and_nothing_handed_out_is_shared() -> None:
    data = case(3, 2, 4, 3)
    copies = [tensor.clone() for tensor in (data.x, data.h, *data.layer, data.dy, data.dh)]
    _, _, cache = forward(data.x, data.h, data.layer)
    grads = backward(data.dy, data.dh, cache)
    for tensor, copy in zip((data.x, data.h, *data.layer, data.dy, data.dh), copies, strict=True):
        assert torch.equal(tensor, copy)
    again = backward(data.dy, data.dh, cache)
    assert_same(again, grads)
    places = [grad.data_ptr() for grad in grads.layer]
    assert len(set(places)) == len(places), "two parameters share one gradient: scaling in place would act twice"


def test_shapes_and_the_cells_that_there_are() -> None:
    data = case(3, 2, 4, 5)
    y, h_next, cache = TANH.forward(data.x, data.h, data.layer)
    assert (y.shape, h_next.shape, cache.h_all.shape) == ((3, 2, 5), (2, 5), (4, 2, 5))
    assert isinstance(cache, Cache)
    assert torch.equal(cache.h_all[0], data.h)
    assert (TANH.gates, TANH.states) == (1, 1)
    assert CELLS["tanh"] is TANH


def test_a_saturated_unit_stops_the_gradient_without_nan() -> None:
    data = case(4, 2, 3, 3)
    layer = data.layer._replace(bias_ih=torch.full((3,), 1000.0, dtype=torch.float64))
    _, _, grads = by_hand(data._replace(layer=layer))
    assert grads.x is not None
    for grad in (grads.x, grads.h, *grads.layer):
        assert float(grad.abs().max()) == 0.0
