"""The network: its embedding, gradients, sizes, and what is refused."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from genlab.classifier.nets import DigitNet

NET = [
    ("Conv2d", (32, 28, 28), 800),
    ("BatchNorm2d", (32, 28, 28), 64),
    ("ReLU", (32, 28, 28), 0),
    ("MaxPool2d", (32, 14, 14), 0),
    ("Conv2d", (64, 14, 14), 18_432),
    ("BatchNorm2d", (64, 14, 14), 128),
    ("ReLU", (64, 14, 14), 0),
    ("Conv2d", (64, 14, 14), 36_864),
    ("BatchNorm2d", (64, 14, 14), 128),
    ("ReLU", (64, 14, 14), 0),
    ("MaxPool2d", (64, 7, 7), 0),
    ("Conv2d", (128, 7, 7), 73_728),
    ("BatchNorm2d", (128, 7, 7), 256),
    ("ReLU", (128, 7, 7), 0),
    ("MaxPool2d", (128, 3, 3), 0),
    ("Flatten", (1152,), 0),
    ("Dropout", (1152,), 0),
    ("Linear", (50,), 57_650),
    ("BatchNorm1d", (50,), 0),
    ("Linear", (10,), 510),
]


def test_the_network_is_that_of_its_table(assert_table: Callable[..., None]) -> None:
    net = DigitNet()
    assert_table("classifier", net, torch.rand(2, 1, 28, 28), NET)
    assert sum(p.numel() for p in net.parameters()) == sum(count for *_, count in NET) == 188_560


@settings(max_examples=6)
@given(st.integers(2, 6), st.integers(2, 47), st.integers(1, 60))
def test_shapes_at_any_size(count: int, classes: int, embedding: int) -> None:
    net = DigitNet(classes, embedding)
    x = torch.rand(count, 1, 28, 28)
    assert net.embed(x).shape == (count, embedding)
    assert net(x).shape == (count, classes)
    assert net.eval()(x[:1]).shape == (1, classes)


def test_the_embedding_has_mean_0_and_variance_1_over_a_training_batch() -> None:
    torch.manual_seed(0)
    net = DigitNet()
    embedding = net.embed(torch.rand(64, 1, 28, 28)).detach().double()
    torch.testing.assert_close(embedding.mean(0), torch.zeros(50).double(), rtol=0, atol=1e-5)
    before = net.body[:-1](torch.rand(64, 1, 28, 28)).detach().var(0, unbiased=False)
    assert (before < 0.5).all(), "what is normalised was not so before"
    # The batch norm adds 1e-5 to the variance that it divides by.
    assert (embedding.var(0, unbiased=False) < 1).all()
    assert (embedding.var(0, unbiased=False) > 0.99).all()


def test_logits_are_linear_in_the_embedding() -> None:
    net, x = DigitNet().eval(), torch.rand(3, 1, 28, 28)
    assert torch.equal(net(x), F.linear(net.embed(x), net.head.weight, net.head.bias))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_every_parameter_gets_a_finite_gradient(dropout: float) -> None:
    torch.manual_seed(0)
    net = DigitNet(dropout=dropout)
    F.cross_entropy(net(torch.rand(8, 1, 28, 28)), torch.arange(8)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), f"{name} has a gradient that is not finite"
        # The mean that the last bias moves is taken away by the batch norm after it.
        taken_away = name == "body.16.bias"
        assert taken_away or parameter.grad.count_nonzero() > 0, f"{name} has a gradient of zero"


def test_dropout_is_before_the_embedding_and_only_in_training() -> None:
    torch.manual_seed(0)
    net, x = DigitNet(dropout=0.5), torch.rand(8, 1, 28, 28)
    assert not torch.equal(net.embed(x), net.embed(x))
    net.eval()
    assert torch.equal(net.embed(x), net.embed(x))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"num_classes": 0}, "data.dataset"),
        ({"embedding_dim": 0}, "model.embedding_dim"),
        ({"embedding_dim": 2.5}, "model.embedding_dim"),
        ({"dropout": 1.0}, "model.dropout"),
        ({"dropout": -0.1}, "model.dropout"),
        ({"dropout": math.nan}, "model.dropout"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_path(change: dict[str, Any], path: str) -> None:
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=rf"^`{name}` must ") as error:
        DigitNet(**change)
    message = str(error.value)
    assert message.endswith(f"({path})")
    assert repr(value) in message
    assert "\n" not in message
