"""The NumPy twin trains by itself: it learns, repeats itself, agrees with torch, and refuses what it cannot do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from genlab.char_rnn import numpy_trainer
from genlab.char_rnn.data import Streams
from genlab.char_rnn.engines import TorchEngine
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.numpy_trainer import (
    OPTIMIZERS,
    Report,
    Settings,
    Trained,
    continue_text,
    initial_parameters,
    train,
)

TEXT = "the cat sat on the mat. " * 20
SYMBOLS = "".join(sorted(set(TEXT)))
INDICES = np.array([SYMBOLS.index(c) for c in TEXT])
V = len(SYMBOLS)
UNIGRAM_ENTROPY = float(-sum(p * np.log(p) for p in np.bincount(INDICES) / len(INDICES)))

RATES = {"sgd": 0.5, "rmsprop": 3e-3, "adagrad": 0.1, "adam": 1e-2, "adamw": 1e-2}
TORCH_OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.5, momentum=0.5),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=3e-3, alpha=0.99, eps=1e-8),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-10),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2, betas=(0.9, 0.999), eps=1e-8),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2),
}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Products this small wait for torch's threads longer than they take, above all beside other tests."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def short(**changes: object) -> Settings:
    return Settings(**{"hidden_size": 16, "seq_len": 8, "iterations": 30} | changes)  # type: ignore[arg-type]


def reports_of(settings: Settings) -> tuple[Trained, list[Report]]:
    reports: list[Report] = []
    return train(INDICES, V, settings, reports.append), reports


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_more_than_the_frequencies_of_characters(optimizer: str) -> None:
    trained = train(INDICES, V, short(optimizer=optimizer, lr=RATES[optimizer], iterations=800))
    assert trained.losses_N[0] == pytest.approx(np.log(V), rel=0.2)
    assert trained.losses_N[-100:].mean() < 0.5 * UNIGRAM_ENTROPY


def test_two_layers_learn_too_and_write_the_text() -> None:
    trained = train(INDICES, V, short(num_layers=2, iterations=1500, optimizer="adam", lr=1e-2))
    assert trained.losses_N[-100:].mean() < 0.25 * UNIGRAM_ENTROPY
    drawn = continue_text(trained.params, INDICES[:24, None], np.zeros((2, 1, 16), np.float32), 24, temperature=0.1)
    assert "".join(SYMBOLS[i] for i in drawn) in TEXT


def test_the_same_seed_gives_the_same_run_and_another_another() -> None:
    first, second, other = (train(INDICES, V, short(seed=seed)) for seed in (3, 3, 4))
    assert np.array_equal(first.flat_P, second.flat_P)
    assert np.array_equal(first.losses_N, second.losses_N)
    assert not np.array_equal(first.flat_P, other.flat_P)


def test_listening_does_not_change_the_run() -> None:
    heard, _ = reports_of(short(iterations=250))
    assert np.array_equal(heard.flat_P, train(INDICES, V, short(iterations=250)).flat_P)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("num_layers", [1, 2])
def test_it_agrees_with_torch_from_the_same_initial_weights(optimizer: str, num_layers: int) -> None:
    """150 windows of 8 cross two starts of the text (59 windows a pass), where the state is zeroed."""
    momentum = 0.5 if optimizer == "sgd" else 0.0
    settings = short(
        optimizer=optimizer,
        num_layers=num_layers,
        dtype="float64",
        lr=RATES[optimizer],
        iterations=150,
        momentum=momentum,
        clip=0.02,
    )
    net = load(initial_parameters(V, settings), settings)
    engine = TorchEngine(net, TORCH_OPTIMIZERS[optimizer](net.parameters()), clip_value=0.02)
    streams, h, losses = Streams(INDICES, 8, 1), net.initial_state(1), []
    for start in range(150):
        windows = engine.train(*streams.chunk(start, start + 1), h, [RATES[optimizer]])
        h = windows.h_LBH
        losses.append(windows.losses[0])
    trained = train(INDICES, V, settings)
    np.testing.assert_allclose(trained.losses_N, losses, rtol=1e-8)
    np.testing.assert_allclose(
        trained.flat_P, nn.utils.parameters_to_vector(net.parameters()).detach(), rtol=1e-6, atol=1e-9
    )


def load(flat_P: np.ndarray, settings: Settings) -> CharRnn:  # type: ignore[type-arg]
    net = CharRnn(V, settings.hidden_size, settings.num_layers).double()
    nn.utils.vector_to_parameters(torch.from_numpy(flat_P.copy()), net.parameters())
    return net


def test_the_initial_weights_are_uniform_within_their_bound() -> None:
    flat = initial_parameters(50, Settings(hidden_size=100, dtype="float64"))
    assert np.abs(flat).max() <= 0.1
    assert flat.mean() == pytest.approx(0, abs=3e-3)
    assert flat.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.02)


def test_the_smoothed_loss_is_that_of_min_char_rnn() -> None:
    trained = train(INDICES, V, short())
    average = np.log(V)
    for loss, smoothed in zip(trained.losses_N, trained.smoothed_N, strict=True):
        average = 0.999 * average + 0.001 * loss
        assert smoothed == pytest.approx(average, rel=1e-12)


def test_reports_come_every_hundred_iterations_and_at_the_end() -> None:
    trained, reports = reports_of(short(iterations=230))
    assert [report.iteration for report in reports] == [100, 200, 230]
    assert [report.smoothed_loss for report in reports] == list(trained.smoothed_N[[99, 199, 229]])
    assert all(report.sample_T.shape == (numpy_trainer.SAMPLE_LENGTH,) for report in reports)
    assert all(0 <= report.sample_T.min() <= report.sample_T.max() < V for report in reports)


def test_the_state_is_carried_within_a_pass_and_zeroed_at_the_texts_start() -> None:
    """With a rate near zero the weights stand still, so every loss is that of the initial weights."""
    settings = short(dtype="float64", optimizer="sgd", lr=1e-300, iterations=70)
    losses = train(INDICES, V, settings).losses_N
    net = load(initial_parameters(V, settings), settings)
    logits, _ = net(torch.as_tensor(INDICES[: 59 * 8, None]), net.initial_state(1))
    nats = nn.functional.cross_entropy(logits[:, 0], torch.as_tensor(INDICES[1 : 59 * 8 + 1]), reduction="none")
    expected = nats.view(59, 8).mean(1).numpy()
    np.testing.assert_allclose(losses, np.concatenate([expected, expected[:11]]), rtol=1e-12)


def test_without_carrying_every_window_starts_from_zero() -> None:
    settings = short(dtype="float64", optimizer="sgd", lr=1e-300, iterations=5, carry_state=False)
    losses = train(INDICES, V, settings).losses_N
    net = load(initial_parameters(V, settings), settings)
    x, y = (torch.as_tensor(INDICES[k : 40 + k].reshape(5, 8).T.copy()) for k in (0, 1))
    logits, _ = net(x, net.initial_state(5))
    nats = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none").view(8, 5)
    np.testing.assert_allclose(losses, nats.mean(0).numpy(), rtol=1e-12)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_precision_asked_for_is_kept(precision: str) -> None:
    assert train(INDICES, V, short(dtype=precision)).flat_P.dtype == precision


def test_sizes_of_one_train() -> None:
    settings = Settings(hidden_size=1, seq_len=1, iterations=3)
    assert np.isfinite(train(np.array([0, 0]), 1, settings).losses_N).all()


def test_a_rate_that_diverges_is_an_error_that_says_where() -> None:
    with pytest.raises(FloatingPointError, match=r"the loss is nan at iteration \d+: lower --lr"):
        train(INDICES, V, short(optimizer="sgd", lr=1e38, iterations=200))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 0}, r"`hidden_size` must be an integer >= 1; got 0 \(--hidden\)"),
        ({"num_layers": 0}, "--layers"),
        ({"seq_len": 0}, "--steps"),
        ({"optimizer": "adma"}, "did you mean adam"),
        ({"lr": 0.0}, "--lr"),
        ({"lr": float("nan")}, "--lr"),
        ({"momentum": 1.0, "optimizer": "sgd"}, "--momentum"),
        ({"momentum": 0.5, "optimizer": "adam"}, "only sgd has it"),
        ({"iterations": 0}, "--iterations"),
        ({"seed": -1}, "--seed"),
        ({"dtype": "float16"}, "--dtype"),
        ({"clip": 0}, "--clip"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        short(**changes)


def test_a_text_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="more than --steps = 8 characters; got '8 characters'"):
        train(INDICES[:8], V, short())
    assert len(train(INDICES[:9], V, short()).losses_N) == 30


def test_indices_outside_the_vocabulary_are_refused() -> None:
    with pytest.raises(ValueError, match="lie in"):
        train(INDICES, V - 1, short())


# --- the command ----------------------------------------------------------------------------------------------


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_the_command_trains_and_shows_samples(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--hidden=8", "--steps=5", "--optimizer=adam", "--lr=0.01", "--iterations=150", "--seed=1"]
    assert numpy_trainer.main([str(text_file), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"480 characters, {V} symbols; Ctrl-C ends the training"
    assert [line.split("|")[0] for line in lines if line.startswith("===")] == [
        "=== iteration 100 ",
        "=== iteration 150 ",
    ]
    assert lines[-1].startswith("done: 150 iterations, smoothed loss ")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("abc", [], "`text` must have more than --steps = 25 characters; got '3 characters' (TEXT)"),
        ("", [], "`text` must not be empty"),
        (TEXT, ["--hidden", "0"], "`hidden_size` must be an integer >= 1; got 0 (--hidden)"),
    ],
)
def test_what_the_command_refuses_is_one_line(
    text_file: Path, capsys: pytest.CaptureFixture[str], content: str, options: list[str], message: str
) -> None:
    text_file.write_text(content)
    assert numpy_trainer.main([str(text_file), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"numpy_trainer: {message}")
    assert error.count("\n") == 1


def test_the_command_says_that_training_diverged(text_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert numpy_trainer.main([str(text_file), "--optimizer", "sgd", "--lr", "1e38", "--hidden", "4"]) == 1
    assert "lower --lr" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
def test_ctrl_c_ends_the_command_without_a_traceback(text_file: Path) -> None:
    command = [sys.executable, "-m", "genlab.char_rnn.numpy_trainer", str(text_file), "--iterations", "10000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("==="):
            assert process.poll() is None
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.strip().startswith("interrupted after iteration ")
    assert "Traceback" not in error


def test_it_needs_no_torch() -> None:
    code = "import sys, genlab.char_rnn.numpy_trainer; sys.exit('torch' in sys.modules or 'omegaconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
