"""Four witnesses of the same mathematics: our torch, its NumPy twin, autograd through a plain recursion, nn.RNN.

They must agree in float64 to 1e-10 on outputs and on every gradient, for random upstream gradients on the logits and
on the last state, at sizes that include 1.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from genlab.char_rnn import numpy_twin
from genlab.char_rnn.cell import TANH, Layer
from genlab.char_rnn.engines import numpy_parameters
from genlab.char_rnn.nets import CharRnn

MakeNet = Callable[..., CharRnn]
TOLERANCE = 1e-10
SIZES = {
    "steps": st.integers(1, 6),
    "batch": st.integers(1, 4),
    "hidden": st.integers(1, 6),
    "vocab": st.integers(1, 6),
    "num_layers": st.integers(1, 3),
    "seed": st.integers(0, 1000),
}


class Upstream(NamedTuple):
    """A window, its initial state, and the gradients that arrive at its logits (T, B, V) and last state (L, B, H)."""

    x_TB: Tensor
    h_LBH: Tensor
    dlogits_TBV: Tensor
    dh_LBH: Tensor


class Evidence(NamedTuple):
    """What a witness says: logits (T, B, V), last state (L, B, H), gradients by name (``h`` for the state's)."""

    logits: np.ndarray[Any, Any]
    h: np.ndarray[Any, Any]
    gradients: dict[str, np.ndarray[Any, Any]]


def upstream(steps: int, batch: int, hidden: int, vocab: int, num_layers: int, seed: int) -> Upstream:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x = torch.randint(vocab, (steps, batch), generator=generator)
    state = num_layers, batch, hidden
    return Upstream(x, normal(*state), normal(steps, batch, vocab), normal(*state))


def ours(net: CharRnn, up: Upstream) -> Evidence:
    """Logits by the network; gradients by its cell, chained from the top layer down."""
    logits, h_next = net(up.x_TB, up.h_LBH)
    y, caches = up.x_TB, []
    with torch.no_grad():
        for layer, h in zip(net.layers(), up.h_LBH, strict=True):
            y, _, cache = TANH.forward(y, h, layer)
            caches.append(cache)
        grads = {
            "head.weight": torch.einsum("tbv,tbh->vh", up.dlogits_TBV, y),
            "head.bias": up.dlogits_TBV.sum((0, 1)),
        }
        dy, dh = up.dlogits_TBV @ net.head.weight, []
        for index in reversed(range(net.num_layers)):
            back = TANH.backward(dy, up.dh_LBH[index], caches[index])
            grads |= {f"rnn.{name}_l{index}": getattr(back.layer, name) for name in Layer._fields}
            dh.insert(0, back.h)
            dy = back.x  # type: ignore[assignment]
        grads["h"] = torch.stack(dh)
    return Evidence(logits.numpy(), h_next.numpy(), {name: grad.numpy() for name, grad in grads.items()})


def twin(net: CharRnn, up: Upstream) -> Evidence:
    """The NumPy twin, from copies of the same parameters."""
    sizes = net.vocab_size, net.hidden_size, net.num_layers
    params = numpy_parameters(net)
    flat = np.full(numpy_twin.count_parameters(*sizes), np.nan)
    grads = numpy_twin.view_parameters(flat, *sizes)
    logits, h_all = numpy_twin.forward(up.x_TB.numpy(), up.h_LBH.numpy(), params)
    dlogits = up.dlogits_TBV.reshape(logits.shape).numpy()
    dh = numpy_twin.backward(up.x_TB.numpy(), dlogits, up.dh_LBH.numpy(), h_all, params, grads)
    named = {"h": dh, "head.weight": grads.head_weight, "head.bias": grads.head_bias}
    for name, layer in itertools.product(Layer._fields, range(net.num_layers)):
        named[f"rnn.{name}_l{layer}"] = getattr(grads, name)[layer]
    return Evidence(logits.reshape(up.dlogits_TBV.shape), h_all[:, -1], named)


def recursion(net: CharRnn, x_TB: Tensor, h_LBH: Tensor) -> tuple[Tensor, Tensor]:
    """Written without a look at the cell: one-hot vectors, a step and a layer at a time; autograd does the rest."""
    p = dict(net.named_parameters())
    states, logits = list(h_LBH), []
    for x_B in x_TB:
        below = torch.eye(net.vocab_size, dtype=torch.float64)[x_B]
        for k in range(net.num_layers):
            from_below = below @ p[f"rnn.weight_ih_l{k}"].T + p[f"rnn.bias_ih_l{k}"]
            from_before = states[k] @ p[f"rnn.weight_hh_l{k}"].T + p[f"rnn.bias_hh_l{k}"]
            below = states[k] = (from_below + from_before).tanh()
        logits.append(below @ p["head.weight"].T + p["head.bias"])
    return torch.stack(logits), torch.stack(states)


def autograd(net: CharRnn, up: Upstream) -> Evidence:
    net.zero_grad()
    h = up.h_LBH.clone().requires_grad_()
    logits, h_next = recursion(net, up.x_TB, h)
    ((logits * up.dlogits_TBV).sum() + (h_next * up.dh_LBH).sum()).backward()
    grads = {name: parameter.grad.numpy() for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert h.grad is not None
    return Evidence(logits.detach().numpy(), h_next.detach().numpy(), {**grads, "h": h.grad.numpy()})


def torch_modules(net: CharRnn) -> tuple[nn.RNN, nn.Linear]:
    """Our weights in ``torch.nn.RNN`` and a linear head, by a strict load of the state dict."""
    rnn = nn.RNN(net.vocab_size, net.hidden_size, net.num_layers).double()
    rnn.load_state_dict(net.rnn.state_dict(), strict=True)
    head = nn.Linear(net.hidden_size, net.vocab_size).double()
    head.load_state_dict(net.head.state_dict(), strict=True)
    return rnn, head


def torch_rnn(net: CharRnn, up: Upstream) -> Evidence:
    rnn, head = torch_modules(net)
    h = up.h_LBH.clone().requires_grad_()
    y, h_next = rnn(nn.functional.one_hot(up.x_TB, net.vocab_size).double(), h)
    logits = head(y)
    ((logits * up.dlogits_TBV).sum() + (h_next * up.dh_LBH).sum()).backward()
    named = [(f"rnn.{name}", p) for name, p in rnn.named_parameters()]
    named += [(f"head.{name}", p) for name, p in head.named_parameters()]
    grads = {name: p.grad.numpy() for name, p in [*named, ("h", h)] if p.grad is not None}
    return Evidence(logits.detach().numpy(), h_next.detach().numpy(), grads)


def assert_agree(witness: Evidence, other: Evidence, who: str) -> None:
    np.testing.assert_allclose(witness.logits, other.logits, TOLERANCE, TOLERANCE, err_msg=f"{who}: logits")
    np.testing.assert_allclose(witness.h, other.h, TOLERANCE, TOLERANCE, err_msg=f"{who}: last state")
    assert witness.gradients.keys() == other.gradients.keys()
    for name, grad in witness.gradients.items():
        np.testing.assert_allclose(grad, other.gradients[name], TOLERANCE, TOLERANCE, err_msg=f"{who}: d/d{name}")


@given(**SIZES)
def test_four_witnesses_agree(
    make_net: MakeNet, steps: int, batch: int, hidden: int, vocab: int, num_layers: int, seed: int
) -> None:
    net = make_net(vocab, hidden, num_layers, seed)
    up = upstream(steps, batch, hidden, vocab, num_layers, seed)
    expected = autograd(net, up)
    assert len(expected.gradients) == 4 * num_layers + 3
    for witness in (ours, twin, torch_rnn):
        assert_agree(witness(net, up), expected, witness.__name__)


@given(**SIZES)
def test_a_training_window_agrees(
    make_net: MakeNet, steps: int, batch: int, hidden: int, vocab: int, num_layers: int, seed: int
) -> None:
    """The mean cross-entropy, the correct guesses, the carried state and every gradient, in three hands."""
    net = make_net(vocab, hidden, num_layers, seed)
    x, h, _, _ = upstream(steps, batch, hidden, vocab, num_layers, seed)
    y = upstream(steps, batch, hidden, vocab, num_layers, seed + 1).x_TB
    rnn, head = torch_modules(net)
    out, h_next = rnn(nn.functional.one_hot(x, vocab).double(), h)
    logits = head(out).flatten(0, 1)
    loss = nn.functional.cross_entropy(logits, y.flatten())
    loss.backward()
    expected = float(loss.detach())
    named = {f"rnn.{name}": p.grad for name, p in rnn.named_parameters()}
    named |= {f"head.{name}": p.grad for name, p in head.named_parameters()}
    correct = int((logits.argmax(1) == y.flatten()).sum())

    window = net.loss_and_gradients(x, y, h)
    assert float(window.loss) == pytest.approx(expected, abs=TOLERANCE)
    assert int(window.correct) == correct
    torch.testing.assert_close(window.h_LBH, h_next.detach(), rtol=TOLERANCE, atol=TOLERANCE)
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        np.testing.assert_allclose(parameter.grad.numpy(), named[name], TOLERANCE, TOLERANCE, err_msg=name)

    sizes = vocab, hidden, num_layers
    flat = np.full(numpy_twin.count_parameters(*sizes), np.nan)
    carried = h.numpy().copy()
    grads = numpy_twin.view_parameters(flat, *sizes)
    twin_loss, twin_correct = numpy_twin.window(x.numpy(), y.numpy(), carried, numpy_parameters(net), grads)
    assert twin_loss == pytest.approx(expected, abs=TOLERANCE)
    assert twin_correct == correct
    np.testing.assert_allclose(carried, h_next.detach().numpy(), TOLERANCE, TOLERANCE)
    in_order = torch.cat([p.grad.reshape(-1) for p in net.parameters() if p.grad is not None])
    np.testing.assert_allclose(flat, in_order.numpy(), TOLERANCE, TOLERANCE)


def test_finite_differences_of_the_loss_agree_for_every_parameter(make_net: MakeNet) -> None:
    net = make_net(vocab_size=4, hidden_size=3, num_layers=2, seed=3)
    x, h, _, _ = upstream(3, 2, 3, 4, 2, seed=5)
    y = upstream(3, 2, 3, 4, 2, seed=6).x_TB
    net.loss_and_gradients(x, y, h)
    analytic = torch.cat([p.grad.reshape(-1) for p in net.parameters() if p.grad is not None])
    start = nn.utils.parameters_to_vector(net.parameters()).detach()

    def loss(vector: Tensor) -> float:
        nn.utils.vector_to_parameters(vector, net.parameters())
        return float(nn.functional.cross_entropy(net(x, h)[0].flatten(0, 1), y.flatten()))

    slopes = []
    for direction in torch.eye(len(start), dtype=torch.float64):
        slopes.append((loss(start + 1e-5 * direction) - loss(start - 1e-5 * direction)) / 2e-5)
    torch.testing.assert_close(analytic, torch.tensor(slopes, dtype=torch.float64), rtol=1e-6, atol=1e-9)


@given(**SIZES)
def test_a_window_is_two_chained_halves_in_the_twin(
    make_net: MakeNet, steps: int, batch: int, hidden: int, vocab: int, num_layers: int, seed: int
) -> None:
    net = make_net(vocab, hidden, num_layers, seed)
    up = upstream(2 * steps, batch, hidden, vocab, num_layers, seed)
    whole = twin(net, up)
    first = twin(net, Upstream(up.x_TB[:steps], up.h_LBH, up.dlogits_TBV[:steps], up.dh_LBH))
    carried = torch.from_numpy(first.h)
    second = twin(net, Upstream(up.x_TB[steps:], carried, up.dlogits_TBV[steps:], up.dh_LBH))
    late = torch.from_numpy(second.gradients["h"])
    first = twin(net, Upstream(up.x_TB[:steps], up.h_LBH, up.dlogits_TBV[:steps], late))
    summed = {name: first.gradients[name] + second.gradients[name] for name in first.gradients}
    summed["h"] = first.gradients["h"]
    assert_agree(Evidence(np.concatenate([first.logits, second.logits]), second.h, summed), whole, "halves")


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_state_dicts_go_to_torch_and_back(make_net: MakeNet, num_layers: int) -> None:
    net = make_net(5, 4, num_layers, seed=1)
    rnn, _ = torch_modules(net)
    assert list(net.rnn.state_dict()) == list(rnn.state_dict())
    other = nn.RNN(5, 4, num_layers).double()
    net.rnn.load_state_dict(other.state_dict(), strict=True)
    up = upstream(6, 3, 4, 5, num_layers, seed=2)
    y, h_next = other(nn.functional.one_hot(up.x_TB, 5).double(), up.h_LBH)
    logits, h = net(up.x_TB, up.h_LBH)
    torch.testing.assert_close(h, h_next.detach(), rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(logits, net.head(y).detach(), rtol=TOLERANCE, atol=TOLERANCE)


def test_the_twins_parameters_are_views_in_torchs_order(make_net: MakeNet) -> None:
    net = make_net(5, 4, 2)
    flat = nn.utils.parameters_to_vector(net.parameters()).detach().numpy().copy()
    params = numpy_twin.view_parameters(flat, 5, 4, 2)
    for name, layer in itertools.product(Layer._fields, range(2)):
        expected = net.rnn.get_parameter(f"{name}_l{layer}").detach().numpy()
        np.testing.assert_array_equal(getattr(params, name)[layer], expected)
    np.testing.assert_array_equal(params.head_weight, net.head.weight.detach().numpy())
    params.weight_hh[1][2, 3] = 42
    assert 42 in flat
