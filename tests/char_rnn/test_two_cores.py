"""Two cores on one layer: the same training as one core, and the same bits whoever does the second half."""

from typing import Any

import numpy as np
import pytest

from genlab.char_rnn import compiled
from genlab.char_rnn.numpy_optimizers import ADAM, Moments
from genlab.char_rnn.numpy_twin import count_parameters, view_parameters

VOCAB, STEPS, WINDOWS = 9, 5, 12


def train(hidden: int, layers: int, streams: int, cores: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(3)
    size = count_parameters(VOCAB, hidden, layers)
    flat = Moments(rng.uniform(-0.4, 0.4, size), *(np.zeros(size) for _ in range(3)))
    sizes = VOCAB, hidden, layers
    text = rng.integers(0, VOCAB, (WINDOWS + 1, STEPS, streams))
    resets = np.arange(WINDOWS) % 5 == 0
    step = np.arange(1, WINDOWS + 1)
    constants = np.stack(
        [np.full(WINDOWS, x) for x in (1e-2, 0.9, 0.99, 1e-8, 1e-3)] + [1 - 0.9**step, 1 - 0.99**step], axis=1
    )
    h_LBH = np.zeros((layers, streams, hidden))
    losses, correct = compiled.train_windows(
        text[:-1], text[1:], resets, h_LBH, view_parameters(flat.p, *sizes), view_parameters(flat.g, *sizes),
        flat, ADAM, constants, 5.0, cores=cores,
    )  # fmt: skip
    return losses, correct, h_LBH, *flat


@pytest.fixture
def small_layers_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "SHARED_HIDDEN", 1)


@pytest.mark.usefixtures("small_layers_are_shared")
@pytest.mark.parametrize(("hidden", "layers", "streams"), [(8, 1, 1), (7, 1, 3), (2, 1, 1)])
def test_two_cores_train_as_one(hidden: int, layers: int, streams: int) -> None:
    for alone, shared in zip(train(hidden, layers, streams, 1), train(hidden, layers, streams, 2), strict=True):
        np.testing.assert_allclose(shared, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("small_layers_are_shared")
def test_the_bits_do_not_depend_on_whether_the_helper_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    helped = train(8, 1, 1, 2)
    monkeypatch.setattr(compiled, "_help_out", lambda layers: None)
    for with_helper, without in zip(helped, train(8, 1, 1, 2), strict=True):
        np.testing.assert_array_equal(with_helper, without)


def test_small_layers_are_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_shared", None)
    train(8, 1, 1, 2)  # would fail if it called what is not there
    monkeypatch.setattr(compiled, "SHARED_HIDDEN", 8)
    with pytest.raises(TypeError):
        train(8, 1, 1, 2)


def test_tanh_in_single_precision() -> None:
    x = np.concatenate([np.linspace(-12, 12, 100_001), np.geomspace(1e-30, 1, 1000), [0, 1e4, np.inf]])[None]
    single = x.astype(np.float32)
    exact = np.tanh(single.astype(np.float64))
    found = compiled.tanh(single)
    np.testing.assert_allclose(found, exact, rtol=4e-7, atol=0)
    np.testing.assert_array_equal(compiled.tanh(-single), -found)
    assert np.abs(found).max() <= 1
    assert np.isnan(compiled.tanh(np.array([[np.nan]], np.float32))).all()
