"""The network: every parameter learns, the loss at its edges, initialisations, dropout, sizes that are refused."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from genlab.char_rnn.nets import INITS, CharRnn, cross_entropy

MakeNet = Callable[..., CharRnn]


def window(vocab: int, steps: int = 6, batch: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randint(vocab, (2, steps, batch), generator=generator)
    return x, y


# --- gradients and sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_every_parameter_gets_a_finite_gradient(make_net: MakeNet, num_layers: int, dropout: float) -> None:
    net = make_net(num_layers=num_layers, dropout=dropout)
    net.loss_and_gradients(*window(5), net.initial_state(3))
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.shape == parameter.shape, name
        assert parameter.grad.isfinite().all(), f"{name} has a gradient that is not finite"
        assert parameter.grad.count_nonzero() > 0, f"{name} has a gradient of zero"


def test_gradients_are_those_of_the_last_window_alone(make_net: MakeNet) -> None:
    net, (x, y) = make_net(), window(5)
    net.loss_and_gradients(*window(5, seed=1), net.initial_state(3))
    kept = [parameter.grad for parameter in net.parameters()]
    before = [grad.clone() for grad in kept if grad is not None]
    net.loss_and_gradients(x, y, net.initial_state(3))
    second = [parameter.grad for parameter in net.parameters()]
    fresh = make_net()
    fresh.loss_and_gradients(x, y, fresh.initial_state(3))
    for again, parameter in zip(second, fresh.parameters(), strict=True):
        torch.testing.assert_close(again, parameter.grad, rtol=0, atol=0)
    for grad, copy in zip(kept, before, strict=True):
        torch.testing.assert_close(grad, copy, rtol=0, atol=0)


def test_a_window_leaves_its_inputs_and_parameters_alone(make_net: MakeNet) -> None:
    net, (x, y) = make_net(num_layers=2), window(5)
    h = torch.randn(2, 3, 4, dtype=torch.float64)
    copies = [tensor.clone() for tensor in (x, y, h, *net.parameters())]
    net.loss_and_gradients(x, y, h)
    for tensor, copy in zip((x, y, h, *net.parameters()), copies, strict=True):
        assert torch.equal(tensor, copy)


@given(st.integers(1, 90), st.integers(1, 40), st.integers(1, 3))
def test_the_count_of_parameters_is_the_contracts(vocab: int, hidden: int, num_layers: int) -> None:
    first, above = hidden * vocab + hidden**2 + 2 * hidden, 2 * hidden**2 + 2 * hidden
    count = first + (num_layers - 1) * above + vocab * hidden + vocab
    print(f"V={vocab} H={hidden} L={num_layers}: HV + H^2 + 2H + (L-1)(2H^2 + 2H) + VH + V = {count:,}")
    counted = sum(parameter.numel() for parameter in CharRnn(vocab, hidden, num_layers).parameters())
    assert counted == count
    peers = nn.RNN(vocab, hidden, num_layers), nn.Linear(hidden, vocab)
    assert counted == sum(p.numel() for peer in peers for p in peer.parameters())


def test_the_reports_network_has_its_count() -> None:
    assert sum(parameter.numel() for parameter in CharRnn(65, 256).parameters()) == 99_393
    assert sum(parameter.numel() for parameter in CharRnn(65, 256, 2).parameters()) == 230_977


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"vocab_size": 0}, "data"),
        ({"hidden_size": 0}, "model.hidden_size"),
        ({"hidden_size": -3}, "model.hidden_size"),
        ({"hidden_size": 2.5}, "model.hidden_size"),
        ({"hidden_size": True}, "model.hidden_size"),
        ({"num_layers": 0}, "model.num_layers"),
        ({"num_layers": "2"}, "model.num_layers"),
        ({"dropout": 1.0}, "model.dropout"),
        ({"dropout": -0.1}, "model.dropout"),
        ({"dropout": math.nan}, "model.dropout"),
        ({"init": "xaver"}, "model.init; did you mean xavier?"),
        ({"init": None}, "model.init"),
        ({"cell": "tanhh"}, "model.cell; did you mean tanh?"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match="must") as error:
        CharRnn(**({"vocab_size": 5} | change))
    message = str(error.value)
    assert message.startswith(f"`{name}` must ")
    assert message.endswith(f"({path})")
    assert repr(value) in message
    assert "\n" not in message


# --- the loss ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 1000.0])
def test_cross_entropy_is_torchs_loss_and_gradient(scale: float, dtype: torch.dtype) -> None:
    signs = torch.tensor([[1, -1, 0], [-1, 1, 1], [1, 1, 1], [0, 0, -1]], dtype=dtype)
    logits = (scale * signs).requires_grad_()
    targets = torch.tensor([1, 0, 2, 2])
    expected = nn.functional.cross_entropy(logits, targets)
    expected.backward()
    kept = logits.detach().clone()
    loss, grad = cross_entropy(kept, targets)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(grad, logits.grad)
    assert torch.equal(kept, logits.detach())
    assert grad.isfinite().all()


def test_cross_entropy_has_closed_values() -> None:
    loss, grad = cross_entropy(torch.zeros(2, 4, dtype=torch.float64), torch.tensor([3, 0]))
    assert float(loss) == pytest.approx(math.log(4), rel=1e-15)
    assert grad.tolist() == [[0.125, 0.125, 0.125, -0.375], [-0.375, 0.125, 0.125, 0.125]]
    sure = torch.tensor([[30.0, -30.0]], dtype=torch.float64)
    wrong, grad = cross_entropy(sure, torch.tensor([1]))
    assert float(wrong) == pytest.approx(60.0, rel=1e-15)
    assert grad[0].tolist() == pytest.approx([1.0, -1.0], rel=1e-15)
    right, _ = cross_entropy(sure, torch.tensor([0]))
    assert float(right) == pytest.approx(math.exp(-60), rel=1e-6, abs=1e-15)


# --- initialisations ---------------------------------------------------------------------------------------------


def initialised(init: str, hidden: int = 200, seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {name: p.detach() for name, p in CharRnn(50, hidden, 2, init).named_parameters()}


def assert_uniform(values: Tensor, bound: float, name: str) -> None:
    """Within the bound, near it at both ends, and of a uniform's standard deviation and mean (five sigma)."""
    few = 5 / math.sqrt(values.numel())
    assert float(values.abs().max()) <= bound, name
    assert float(values.max()) > bound * (1 - 4 * few), name
    assert float(values.min()) < -bound * (1 - 4 * few), name
    assert float(values.std()) == pytest.approx(bound / math.sqrt(3), rel=few), name
    assert float(values.mean()) == pytest.approx(0, abs=few * bound), name


def test_uniform_is_torchs_own() -> None:
    for name, values in initialised("uniform").items():
        assert_uniform(values, 1 / math.sqrt(200), name)


def test_normal_is_small_with_biases_of_zero() -> None:
    for name, values in initialised("normal").items():
        if "bias" in name:
            assert not values.any(), name
        else:
            assert float(values.std()) == pytest.approx(0.01, rel=5 / math.sqrt(values.numel())), name
            assert float(values.abs().max()) > 0.03, name  # a uniform of this deviation ends at 0.017


def xavier_bound(values: Tensor) -> float:
    return math.sqrt(6 / sum(values.shape))


@pytest.mark.parametrize("init", ["xavier", "orthogonal", "identity"])
def test_xavier_is_for_all_weights_but_the_recurrent_ones(init: str) -> None:
    for name, values in initialised(init).items():
        if "bias" in name:
            assert not values.any(), name
        elif init == "xavier" or "weight_hh" not in name:
            assert_uniform(values, xavier_bound(values), name)


def test_orthogonal_recurrent_weights_are_rotations() -> None:
    parameters = initialised("orthogonal")
    for layer in range(2):
        weight = parameters[f"rnn.weight_hh_l{layer}"]
        torch.testing.assert_close(weight @ weight.t(), torch.eye(200), rtol=0, atol=1e-5)
        assert float(weight.diag().abs().max()) < 0.5
    assert not torch.equal(parameters["rnn.weight_hh_l0"], parameters["rnn.weight_hh_l1"])


def test_identity_recurrent_weights_are_the_identity() -> None:
    parameters = initialised("identity")
    for layer in range(2):
        assert torch.equal(parameters[f"rnn.weight_hh_l{layer}"], torch.eye(200))


@pytest.mark.parametrize("init", INITS)
def test_initialisations_follow_the_seed(init: str) -> None:
    first, again, other = (initialised(init, 8, seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


# --- dropout -----------------------------------------------------------------------------------------------------


def masks_of(net: CharRnn, like: Tensor, seed: int) -> list[Tensor]:
    """The masks that the network will draw after ``torch.manual_seed(seed)``, one between each pair of layers."""
    torch.manual_seed(seed)
    keep = 1 - net.dropout
    return [torch.empty_like(like).bernoulli_(keep) / keep for _ in range(net.num_layers - 1)]


def with_masks(net: CharRnn, x: Tensor, h: Tensor, masks: list[Tensor]) -> Tensor:
    """Logits by a plain recursion under autograd, each layer's input multiplied by its mask."""
    y = nn.functional.one_hot(x, net.vocab_size).double()
    for index, layer in enumerate(net.layers()):
        below = y if index == 0 else y * masks[index - 1]
        state, states = h[index], []
        for row in below:
            state = torch.tanh(row @ layer.weight_ih.T + layer.bias_ih + state @ layer.weight_hh.T + layer.bias_hh)
            states.append(state)
        y = torch.stack(states)
    return y @ net.head.weight.T + net.head.bias


@pytest.mark.parametrize("num_layers", [2, 3])
def test_dropout_is_autograds_with_the_same_mask(make_net: MakeNet, num_layers: int) -> None:
    net, (x, y) = make_net(num_layers=num_layers, dropout=0.4), window(5)
    h = torch.randn(num_layers, 3, 4, dtype=torch.float64)
    masks = masks_of(net, torch.empty(6, 3, 4, dtype=torch.float64), seed=7)
    assert {round(value, 9) for value in masks[0].unique().tolist()} == {0.0, round(1 / 0.6, 9)}
    expected = nn.functional.cross_entropy(with_masks(net, x, h, masks).flatten(0, 1), y.flatten())
    grads = torch.autograd.grad(expected, list(net.parameters()))
    torch.manual_seed(7)
    result = net.loss_and_gradients(x, y, h)
    torch.testing.assert_close(result.loss, expected.detach(), rtol=1e-12, atol=0)
    for (name, parameter), grad in zip(net.named_parameters(), grads, strict=True):
        torch.testing.assert_close(
            parameter.grad, grad, rtol=1e-10, atol=1e-12, msg=lambda m, name=name: f"{name}: {m}"
        )


def test_dropout_acts_only_between_layers_in_training(make_net: MakeNet) -> None:
    x, y = window(5)
    plain, single = make_net(num_layers=2), make_net(num_layers=1)
    expected = [float(net.loss_and_gradients(x, y, net.initial_state(3)).loss) for net in (plain, single)]
    net = make_net(num_layers=2, dropout=0.5)
    assert float(net.loss_and_gradients(x, y, net.initial_state(3)).loss) != expected[0]
    logits, _ = net(x, net.initial_state(3))
    assert torch.equal(logits, plain(x, plain.initial_state(3))[0]), "forward never drops"
    net.eval()
    assert float(net.loss_and_gradients(x, y, net.initial_state(3)).loss) == expected[0]
    alone = make_net(num_layers=1, dropout=0.5)
    assert float(alone.loss_and_gradients(x, y, alone.initial_state(3)).loss) == expected[1]


def test_no_dropout_draws_no_random_numbers(make_net: MakeNet) -> None:
    net = make_net(num_layers=2)
    before = torch.get_rng_state()
    net.loss_and_gradients(*window(5), net.initial_state(3))
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_keeps_the_mean() -> None:
    torch.manual_seed(0)
    net = CharRnn(3, 2, 2, dropout=0.25)
    mask = net._mask(torch.empty(100, 100, 10))
    assert mask is not None
    assert float(mask.mean()) == pytest.approx(1, abs=5 * math.sqrt(0.25 / 0.75 / 1e5))
    assert float((mask == 0).double().mean()) == pytest.approx(0.25, abs=5 * math.sqrt(0.1875 / 1e5))


def test_the_initial_state_is_zero_of_the_networks_own_type(make_net: MakeNet) -> None:
    state = make_net(num_layers=3).initial_state(2)
    assert state.shape == (3, 2, 4)
    assert state.dtype == torch.float64
    assert not state.any()
