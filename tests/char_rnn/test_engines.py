"""Three engines, one training: parameters, moments, losses, guesses and state after 30 windows; and who is chosen."""

import importlib.util
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from genlab.char_rnn.engines import COMPILED_STREAMS, make_engine
from genlab.char_rnn.nets import CharRnn

MakeNet = Callable[..., CharRnn]
CLIP = 0.03  # less than the largest gradients of these networks: it acts
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "SGD": partial(SGD, lr=0.2),
    "SGD with momentum": partial(SGD, lr=0.2, momentum=0.9, weight_decay=0.01),
    "RMSprop": partial(RMSprop, lr=5e-3, alpha=0.9, eps=1e-4, weight_decay=0.01),
    "Adagrad": partial(Adagrad, lr=0.05, eps=1e-4, weight_decay=0.01),
    "Adam": partial(Adam, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.01),
    "AdamW": partial(AdamW, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.3),
    # As the configs have them. They go through memory without looking at strides.
    "Adam, fused": partial(Adam, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.01, fused=True),
    "AdamW, fused": partial(AdamW, lr=0.01, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.3, fused=True),
    "SGD, fused": partial(SGD, lr=0.2, momentum=0.9, fused=True),
}
TOLERANCE = {torch.float64: {"rtol": 1e-9, "atol": 1e-11}, torch.float32: {"rtol": 2e-3, "atol": 2e-4}}


class Trained(NamedTuple):
    net: CharRnn
    optimizer: Optimizer
    losses: np.ndarray[Any, Any]
    correct: np.ndarray[Any, Any]
    h_LBH: Tensor


def train(
    net: CharRnn, make_optimizer: Callable[..., Optimizer], engines: Sequence[str], clip_value: float = CLIP
) -> Trained:
    """Thirty windows (T=4, B=2) with falling rates, ten at a time with the engines in turn; a reset at window 13."""
    generator = torch.Generator().manual_seed(8)
    x, y = torch.randint(net.vocab_size, (2, 30, 4, 2), generator=generator)
    resets = torch.tensor([n == 13 for n in range(30)])
    optimizer = make_optimizer(net.parameters())
    h = torch.randn(net.num_layers, 2, net.hidden_size, generator=generator).to(net.head.weight)
    lrs = [optimizer.defaults["lr"] / (1 + n / 10) for n in range(30)]
    losses, correct = [], []
    for start, name in zip((0, 10, 20), engines, strict=True):
        part = slice(start, start + 10)
        engine = make_engine(name, net, optimizer, clip_value, 2)
        assert engine.name == name
        before = h.clone()
        done = engine.train(x[part], y[part], resets[part], h, lrs[part])
        assert torch.equal(h, before), "the state handed in is left alone"
        h = done.h_LBH
        losses.append(done.losses)
        correct.append(done.correct)
    return Trained(net, optimizer, np.concatenate(losses), np.concatenate(correct), h)


def assert_same(actual: Trained, expected: Trained, dtype: torch.dtype) -> None:
    records = actual.optimizer.state_dict(), expected.optimizer.state_dict()
    assert records[0]["state"].keys() == records[1]["state"].keys()
    assert records[0]["param_groups"] == records[1]["param_groups"]
    tolerance = TOLERANCE[dtype]
    for (name, own), (_, other) in zip(actual.net.named_parameters(), expected.net.named_parameters(), strict=True):
        torch.testing.assert_close(own, other, **tolerance, msg=lambda m, name=name: f"{name}: {m}")
        states = actual.optimizer.state[own], expected.optimizer.state[other]
        assert states[0].keys() == states[1].keys(), name
        for key, value in states[1].items():
            assert states[0][key].dtype == value.dtype, (name, key)
            torch.testing.assert_close(states[0][key], value, **tolerance, msg=lambda m, key=key: f"{key}: {m}")
    np.testing.assert_allclose(actual.losses, expected.losses, **tolerance)
    assert actual.losses.dtype == expected.losses.dtype == np.float64
    np.testing.assert_array_equal(actual.correct, expected.correct)
    assert actual.h_LBH.dtype == dtype
    torch.testing.assert_close(actual.h_LBH, expected.h_LBH, **tolerance)


@pytest.mark.parametrize("case", OPTIMIZERS)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize(
    ("engine", "dtype"), [("numpy", torch.float64), ("compiled", torch.float64), ("compiled", torch.float32)]
)
def test_engines_train_alike(make_net: MakeNet, engine: str, dtype: torch.dtype, num_layers: int, case: str) -> None:
    nets = [make_net(6, 5, num_layers, seed=2, dtype=dtype) for _ in range(2)]
    expected = train(nets[0], OPTIMIZERS[case], ["torch"] * 3)
    moved = [(p - start).abs().max() for p, start in zip(nets[0].parameters(), nets[1].parameters(), strict=True)]
    assert min(moved) > 1e-3, "every parameter is trained"
    assert_same(train(nets[1], OPTIMIZERS[case], [engine] * 3), expected, dtype)


def test_the_clip_of_these_tests_acts(make_net: MakeNet) -> None:
    clipped, free = (train(make_net(6, 5), OPTIMIZERS["SGD"], ["torch"] * 3, clip) for clip in (CLIP, 5.0))
    assert float((clipped.net.head.weight - free.net.head.weight).detach().abs().max()) > 0.01
    grads = torch.cat([p.grad.flatten() for p in clipped.net.parameters() if p.grad is not None])
    assert float(grads.abs().max()) == CLIP
    assert float(grads.abs().min()) < CLIP


@pytest.mark.parametrize("case", OPTIMIZERS)
@pytest.mark.parametrize(
    "engines", [("torch", "compiled", "numpy"), ("numpy", "torch", "torch"), ("compiled", "torch", "compiled")]
)
def test_engines_may_take_turns(make_net: MakeNet, engines: Sequence[str], case: str) -> None:
    expected = train(make_net(6, 5, 2), OPTIMIZERS[case], ["torch"] * 3)
    assert_same(train(make_net(6, 5, 2), OPTIMIZERS[case], engines), expected, torch.float64)


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_an_optimizer_goes_through_its_state_dict_between_engines(make_net: MakeNet, case: str) -> None:
    """As through a checkpoint: what an engine leaves can be loaded, and the other goes on from it."""
    whole = train(make_net(6, 5), OPTIMIZERS[case], ["compiled"] * 3)
    fresh = OPTIMIZERS[case](make_net(6, 5).parameters())
    fresh.load_state_dict(whole.optimizer.state_dict())
    expected = train(make_net(6, 5), OPTIMIZERS[case], ["torch"] * 3)
    for own, other in zip(fresh.state.values(), expected.optimizer.state.values(), strict=True):
        for key, value in other.items():
            torch.testing.assert_close(own[key], value, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ["torch", "numpy", "compiled"])
def test_a_state_is_zeroed_where_the_text_starts_and_nowhere_else(make_net: MakeNet, engine: str) -> None:
    x, y = torch.randint(6, (2, 2, 4, 2), generator=torch.Generator().manual_seed(0))
    h = torch.full((1, 2, 5), 0.9, dtype=torch.float64)
    losses = {}
    for resets in ([False, False], [True, False], [False, True]):
        net = make_net(6, 5)
        optimizer = SGD(net.parameters(), lr=0.0)
        for state in (h, torch.zeros_like(h)):
            done = make_engine(engine, net, optimizer, 5.0, 2).train(x, y, torch.tensor(resets), state, [0.0, 0.0])
            losses[tuple(resets), bool(state.any())] = done.losses
    np.testing.assert_array_equal(losses[(True, False), True], losses[(False, False), False])
    assert losses[(False, False), True][0] != losses[(False, False), False][0]
    assert losses[(False, True), True][0] == losses[(False, False), True][0]
    assert losses[(False, True), True][1] == losses[(False, True), False][1] != losses[(False, False), True][1]


@pytest.mark.parametrize("case", OPTIMIZERS)
@pytest.mark.parametrize("engine", ["torch", "numpy", "compiled"])
def test_nan_is_not_hidden_by_clipping(make_net: MakeNet, engine: str, case: str) -> None:
    """Parameters are finite and the state is not: only the gradients can carry it over."""
    net = make_net(6, 5)
    optimizer = OPTIMIZERS[case](net.parameters())
    x, y = torch.zeros(2, 1, 4, 2, dtype=torch.int64)
    h = torch.full((1, 2, 5), math.nan, dtype=torch.float64)
    done = make_engine(engine, net, optimizer, CLIP, 2).train(x, y, torch.tensor([False]), h, [0.1])
    assert np.isnan(done.losses).all()
    assert done.h_LBH.isnan().all()
    for name in ("head.weight", "head.bias", "rnn.weight_hh_l0", "rnn.bias_ih_l0"):
        assert net.get_parameter(name).isnan().all(), name


# --- who is chosen -----------------------------------------------------------------------------------------------


def chosen(net: CharRnn, optimizer: Optimizer | None = None, streams: int = 1, name: str = "auto") -> str:
    return make_engine(name, net, optimizer or Adam(net.parameters()), 5.0, streams).name


def test_auto_is_compiled_for_few_streams_and_torch_for_many(make_net: MakeNet) -> None:
    net = make_net()
    assert chosen(net) == "compiled"
    assert chosen(net, streams=COMPILED_STREAMS) == "compiled"
    assert chosen(net, streams=COMPILED_STREAMS + 1) == "torch"
    assert chosen(net, streams=64, name="compiled") == "compiled"
    assert chosen(net, name="numpy") == "numpy"
    assert chosen(net, name="torch") == "torch"


OBSTACLES: dict[str, tuple[dict[str, Any], Callable[..., Optimizer], str]] = {
    "dropout": ({"dropout": 0.5, "num_layers": 2}, Adam, "model.dropout"),
    "half precision": ({"dtype": torch.bfloat16}, Adam, "bfloat16"),
    "nesterov": ({}, partial(SGD, lr=0.1, momentum=0.9, nesterov=True), "optimizer.nesterov"),
    "dampening": ({}, partial(SGD, lr=0.1, momentum=0.9, dampening=0.5), "optimizer.dampening"),
    "SGD maximize": ({}, partial(SGD, lr=0.1, maximize=True), "optimizer.maximize"),
    "RMSprop momentum": ({}, partial(RMSprop, momentum=0.5), "optimizer.momentum"),
    "centered": ({}, partial(RMSprop, centered=True), "optimizer.centered"),
    "lr_decay": ({}, partial(Adagrad, lr_decay=0.1), "optimizer.lr_decay"),
    "accumulator": ({}, partial(Adagrad, initial_accumulator_value=0.1), "optimizer.initial_accumulator_value"),
    "amsgrad": ({}, partial(Adam, amsgrad=True), "optimizer.amsgrad"),
    "AdamW amsgrad": ({}, partial(AdamW, amsgrad=True), "optimizer.amsgrad"),
    "decoupled": ({}, partial(Adam, weight_decay=0.1, decoupled_weight_decay=True), "decoupled_weight_decay"),
    "another optimizer": ({}, torch.optim.Adamax, "Adamax"),
    "groups": ({}, lambda ps: Adam([{"params": [p]} for p in ps]), "several parameter groups"),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_what_an_engine_cannot_do_is_refused_or_left_to_torch(make_net: MakeNet, case: str) -> None:
    options, make_optimizer, reason = OBSTACLES[case]
    net = make_net(**options)
    optimizer = make_optimizer(net.parameters())
    assert chosen(net, optimizer) == "torch"
    assert chosen(net, optimizer, name="torch") == "torch"
    for name in ("compiled", "numpy"):
        with pytest.raises(ValueError, match=rf"^`engine` must .*got '{name}' \(model\.engine\)$") as error:
            chosen(net, optimizer, name=name)
        assert reason in str(error.value)


def test_dropout_is_no_obstacle_in_one_layer(make_net: MakeNet) -> None:
    assert chosen(make_net(dropout=0.5)) == "compiled"


def test_without_numba_auto_is_torch(make_net: MakeNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    net = make_net()
    assert chosen(net) == "torch"
    assert chosen(net, name="numpy") == "numpy"
    with pytest.raises(ValueError, match=r"numba is not installed.*\(model\.engine\)"):
        chosen(net, name="compiled")


def test_an_unknown_engine_is_refused(make_net: MakeNet) -> None:
    with pytest.raises(
        ValueError, match=r"^`engine` must be one of .*'numby' \(model\.engine; did you mean numpy\?\)$"
    ):
        chosen(make_net(), name="numby")
