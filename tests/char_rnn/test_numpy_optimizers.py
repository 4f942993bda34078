"""The update rules in NumPy against ``torch.optim``, and against closed forms."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from genlab.char_rnn.numpy_optimizers import RULES, Hyper, clip, update

SIZE = 50

OPTIONS = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.03},
    "SGD without momentum": {"lr": 0.1, "weight_decay": 0.03},
    "RMSprop": {"lr": 0.01, "alpha": 0.9, "eps": 1e-5, "weight_decay": 0.03},
    "Adagrad": {"lr": 0.1, "eps": 1e-7, "weight_decay": 0.03},
    "Adam": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-5, "weight_decay": 0.03},
    "AdamW": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-5, "weight_decay": 0.3},
}


def hyper(name: str, step: int, lr: float, options: dict[str, float | tuple[float, float]]) -> Hyper:
    decay, decay2 = options.get("betas", (options.get("alpha", options.get("momentum", 0.0)), 0.0))  # type: ignore[misc]
    return Hyper(lr, decay, decay2, options.get("eps", 0.0), options["weight_decay"], 1 - decay**step, 1 - decay2**step)


def constants(**changes: float) -> Hyper:
    return Hyper(
        **({"lr": 0.1, "decay": 0.0, "decay2": 0.0, "eps": 0.0, "weight_decay": 0.0} | changes), debias1=1, debias2=1
    )


@pytest.mark.parametrize("case", OPTIONS)
def test_twenty_steps_are_torchs(case: str) -> None:
    """With momentum, weight decay, a clip that acts, and a rate that changes from step to step."""
    name, options, limit = case.split()[0], OPTIONS[case], 0.7
    rng = np.random.default_rng(1)
    p = rng.normal(size=SIZE)
    a, b = np.zeros(SIZE), np.zeros(SIZE)
    parameter = nn.Parameter(torch.from_numpy(p.copy()))
    optimizer = getattr(torch.optim, name)([parameter], **options)
    for step in range(1, 21):
        gradient = rng.normal(size=SIZE) * rng.choice([0.0, 1e-6, 1.0, 100.0], SIZE)
        assert np.abs(gradient).max() > limit
        parameter.grad = torch.from_numpy(gradient.copy())
        nn.utils.clip_grad_value_([parameter], limit)
        optimizer.param_groups[0]["lr"] = options["lr"] / step  # type: ignore[operator]
        optimizer.step()
        update(RULES[name], p, gradient, a, b, hyper(name, step, options["lr"] / step, options), limit)  # type: ignore[operator, arg-type]
        np.testing.assert_allclose(p, parameter.detach().numpy(), rtol=1e-12, atol=1e-12, err_msg=f"step {step}")
    moments = [value.numpy() for key, value in optimizer.state[parameter].items() if key != "step"]
    for ours, theirs in zip((a, b), moments, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_every_rule_has_another_number_and_another_result() -> None:
    """A rule that falls into another's branch would show here."""
    results = {}
    for name, rule in RULES.items():
        p, g, a, b = np.full(1, 2.0), np.full(1, 0.5), np.full(1, 0.3), np.full(1, 0.2)
        c = Hyper(lr=0.1, decay=0.9, decay2=0.8, eps=1e-3, weight_decay=0.1, debias1=0.5, debias2=0.4)
        update(rule, p, g, a, b, c, 5.0)
        results[name] = float(p[0])
    assert len(set(RULES.values())) == 5
    assert len({round(value, 9) for value in results.values()}) == 5, results


def test_the_first_steps_have_closed_forms() -> None:
    g = np.array([0.5, -4.0])
    expected = {
        "SGD": -0.1 * g,
        "RMSprop": -0.1 * np.sign(g) / math.sqrt(1 - 0.9),
        "Adagrad": -0.1 * np.sign(g),
        "Adam": -0.1 * np.sign(g),
        "AdamW": -0.1 * np.sign(g),
    }
    for name, moved in expected.items():
        p, a, b = np.zeros(2), np.zeros(2), np.zeros(2)
        update(RULES[name], p, g, a, b, Hyper(0.1, 0.9, 0.99, 0.0, 0.0, 1 - 0.9, 1 - 0.99), 5.0)
        np.testing.assert_allclose(p, moved, rtol=1e-9, err_msg=name)


def test_clipping_is_by_value_and_keeps_nan() -> None:
    g = np.array([-9.0, -5.0, 0.0, 4.9, 5.1, math.inf, -math.inf, math.nan])
    np.testing.assert_array_equal(clip(g, 5.0), [-5, -5, 0, 4.9, 5, 5, -5, math.nan])


@pytest.mark.parametrize("name", RULES)
def test_a_nan_gradient_makes_a_nan_parameter_and_leaves_the_others(name: str) -> None:
    p, a, b = np.ones(2), np.zeros(2), np.zeros(2)
    g = np.array([math.nan, 1.0])
    update(RULES[name], p, g, a, b, constants(eps=1e-8), 5.0)
    assert math.isnan(p[0])
    assert math.isfinite(p[1])
    np.testing.assert_array_equal(g, [math.nan, 1.0])


@pytest.mark.parametrize("name", RULES)
def test_single_precision_stays_single(name: str) -> None:
    p, g, a, b = (np.ones(3, np.float32) for _ in range(4))
    c = Hyper(*(np.float32(value) for value in (0.1, 0.9, 0.99, 1e-8, 0.01, 0.1, 0.01)))
    update(RULES[name], p, g, a, b, c, np.float32(5))
    assert {x.dtype for x in (p, a, b)} == {np.dtype(np.float32)}
    assert clip(g, np.float32(5)).dtype == np.float32
