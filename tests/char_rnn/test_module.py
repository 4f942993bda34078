"""The module in a real, tiny Trainer: iterations, figures, checkpoints, resuming bit for bit."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import DummyLogger

from genlab.char_rnn.data import CharRnnDataModule
from genlab.char_rnn.module import SMOOTHING, CharRnnModule
from genlab.char_rnn.sampling import Draw, log_probs, sample_texts

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*resuming from a checkpoint that ended before the epoch ended.*"),
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*`LeafSpec.*"),
]

MakeData = Callable[..., CharRnnDataModule]
TEXT = (
    "".join(
        f"the {beast} met the {other}; " for beast in ("cat", "dog", "owl", "fox") for other in ("hen", "ant", "rat")
    )
    * 8
)
TRAIN_METRICS = {
    "train/loss",
    "train/smoothed_loss",
    "train/bits_per_char",
    "train/accuracy",
    "train/smoothed_accuracy",
    "train/iterations_per_second",
}


class Recorder(DummyLogger):
    """Keeps what is logged: (step, figures)."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int | None, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:  # type: ignore[override]
        self.lines.append((step, dict(metrics)))

    def of(self, name: str) -> dict[int | None, float]:
        return {step: figures[name] for step, figures in self.lines if name in figures}


class StopAt(pl.Callback):
    """Saves a checkpoint and stops once ``iteration`` is reached, as an interrupted run does."""

    def __init__(self, iteration: int, path: Path) -> None:
        self.iteration, self.path = iteration, path

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step >= self.iteration and not trainer.should_stop:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


class Fit:
    """A module trained to ``max_steps``, with what its trainer and logger saw."""

    def __init__(
        self,
        data: CharRnnDataModule,
        module: CharRnnModule,
        max_steps: int = 100,
        checkpoint: Path | None = None,
        callbacks: tuple[pl.Callback, ...] = (),
        **options: Any,
    ) -> None:
        self.module, self.data, self.logger = module, data, Recorder()
        settings = {"val_check_interval": 4, "check_val_every_n_epoch": None, "max_epochs": -1} | options
        self.trainer = pl.Trainer(
            max_steps=max_steps,
            accelerator="cpu",
            logger=self.logger,
            callbacks=list(callbacks),
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            **settings,
        )
        self.trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)


@pytest.fixture(scope="session")
def make_data(tmp_path_factory: pytest.TempPathFactory) -> MakeData:
    def make(text: str = TEXT, **options: Any) -> CharRnnDataModule:
        path = tmp_path_factory.mktemp("text") / "text.txt"
        path.write_text(text)
        return CharRnnDataModule(text=str(path), **({"seq_len": 8, "windows_per_step": 7, "val_streams": 5} | options))

    return make


def make_module(data: CharRnnDataModule, seed: int = 0, lr: float = 1e-2, **options: Any) -> CharRnnModule:
    torch.manual_seed(seed)
    optimizer = partial(torch.optim.Adam, lr=lr)
    return CharRnnModule(optimizer, **data.facts(), **({"hidden_size": 16} | options))


@pytest.fixture(scope="module")
def trained(make_data: MakeData) -> Fit:
    """Four passes over the text, and 25 iterations of a fifth."""
    data = make_data()
    return Fit(data, make_module(data), 4 * data.streams.windows_per_pass + 25)


# --- iterations and figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_steps", [1, 6, 7, 100, 223])
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_iterations_are_met_exactly(make_data: MakeData, engine: str, max_steps: int) -> None:
    data = make_data()
    assert max_steps == 7 or max_steps % 7
    run = Fit(data, make_module(data, engine=engine), max_steps)
    assert run.trainer.global_step == max_steps
    (optimizer,) = run.trainer.optimizers
    steps = {int(state["step"]) for state in optimizer.state.values()}
    assert steps == {max_steps}, "an iteration is one update"
    assert max(step for step, _ in run.logger.lines if step is not None) == max_steps
    assert run.module.engine is not None
    assert run.module.engine.name == {"auto": "compiled", "torch": "torch"}[engine]


def test_epochs_are_passes_over_the_text(make_data: MakeData) -> None:
    data = make_data()
    run = Fit(data, make_module(data), -1, max_epochs=2)
    assert run.trainer.global_step == 2 * data.streams.windows_per_pass


def test_the_loss_falls(trained: Fit) -> None:
    loss = trained.logger.of("train/loss")
    first, *_, last = loss.values()
    assert first == pytest.approx(math.log(len(trained.data.vocabulary)), rel=0.2)
    assert last < 0.5 * first
    val = list(trained.logger.of("val/loss").values())
    assert val[-1] < 0.7 * val[0]
    accuracy = list(trained.logger.of("train/accuracy").values())
    assert 0 <= accuracy[0] < 0.4 < accuracy[-1] <= 1


def test_what_is_logged_has_its_names_and_its_iteration(trained: Fit) -> None:
    per_pass = trained.data.streams.windows_per_pass
    ends = [k for k in range(1, 4 * per_pass + 26) if k % 7 == 0 or k % per_pass == 0 or k == 4 * per_pass + 25]
    train = [(step, figures) for step, figures in trained.logger.lines if "train/loss" in figures]
    assert [step for step, _ in train] == ends
    names = set().union(*(figures for _, figures in trained.logger.lines))
    assert names - {"epoch"} == TRAIN_METRICS | {"val/loss", "val/bits_per_char"}
    for _, figures in train:
        assert set(figures) - {"epoch"} == TRAIN_METRICS
        assert figures["train/bits_per_char"] == pytest.approx(figures["train/loss"] / math.log(2), rel=1e-6)
        assert figures["train/iterations_per_second"] > 0
    for step, loss in trained.logger.of("val/loss").items():
        assert step in ends
        assert trained.logger.of("val/bits_per_char")[step] == pytest.approx(loss / math.log(2), rel=1e-6)
    assert trained.trainer.callback_metrics.keys() >= names - {"epoch"}


def test_losses_are_means_over_a_steps_windows_before_their_updates(make_data: MakeData) -> None:
    data = make_data(batch_size=2)
    run, by_hand = Fit(data, make_module(data, lr=1e-3), 14), make_module(data, lr=1e-3)
    optimizer, h = torch.optim.Adam(by_hand.net.parameters(), lr=1e-3), by_hand.net.initial_state(2)
    chunk = data.streams.chunk(0, 14)
    losses, accuracies = [], []
    smoothed, smoothed_accuracy = math.log(len(data.vocabulary)), 1 / len(data.vocabulary)
    for x, y in zip(chunk.x_NTB, chunk.y_NTB, strict=True):
        window = by_hand.net.loss_and_gradients(x, y, h)
        h = window.h_LBH
        torch.nn.utils.clip_grad_value_(by_hand.net.parameters(), 5)
        optimizer.step()
        losses.append(float(window.loss))
        accuracies.append(int(window.correct) / 16)
        smoothed = SMOOTHING * smoothed + (1 - SMOOTHING) * losses[-1]
        smoothed_accuracy = SMOOTHING * smoothed_accuracy + (1 - SMOOTHING) * accuracies[-1]
    assert run.logger.of("train/loss")[7] == pytest.approx(np.mean(losses[:7]), rel=1e-5)
    assert run.logger.of("train/loss")[14] == pytest.approx(np.mean(losses[7:]), rel=1e-5)
    assert run.logger.of("train/accuracy")[14] == pytest.approx(np.mean(accuracies[7:]), rel=1e-6)
    assert run.logger.of("train/smoothed_loss")[14] == pytest.approx(smoothed, rel=1e-6)
    assert run.logger.of("train/smoothed_accuracy")[14] == pytest.approx(smoothed_accuracy, rel=1e-6)
    torch.testing.assert_close(run.module.h_LBH, h, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("val_streams", [1, 5, 64])
def test_the_held_out_loss_is_the_mean_over_each_streams_characters(make_data: MakeData, val_streams: int) -> None:
    data = make_data(val_streams=val_streams, val_fraction=0.2)
    run = Fit(data, make_module(data), 28)
    indices = data.vocabulary.encode(data.held_out_text)
    length = (len(indices) - 1) // val_streams
    if val_streams == 1:
        assert length > 2 * 128, "the state is carried over several windows"
    rows = [indices[b * length : (b + 1) * length + 1] for b in range(val_streams)]
    nats = np.concatenate([log_probs(run.module.net, row) for row in rows])
    assert nats.shape == (length * val_streams,)
    assert run.logger.of("val/loss")[28] == pytest.approx(-nats.mean(), rel=1e-5)


def test_a_cosine_schedule_ends_at_zero(make_data: MakeData) -> None:
    data = make_data()
    run = Fit(data, make_module(data, lr_schedule="cosine"), 100)
    module, (optimizer,) = run.module, run.trainer.optimizers
    assert module._lr_factor(0) == 1
    assert module._lr_factor(50) == pytest.approx(0.5)
    assert module._lr_factor(100) == pytest.approx(0, abs=1e-15)
    assert module._lr_factor(101) == pytest.approx(0, abs=1e-15)
    last = 0.5 * (1 + math.cos(math.pi * 99 / 100))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-2 * last)
    by_epochs = Fit(data, make_module(data, lr_schedule="cosine"), -1, max_epochs=2)
    total = 2 * data.streams.windows_per_pass
    assert by_epochs.module._lr_factor(total) == pytest.approx(0, abs=1e-15)
    assert by_epochs.module._lr_factor(total // 2) == pytest.approx(0.5)


def test_a_constant_schedule_is_constant(trained: Fit) -> None:
    assert {trained.module._lr_factor(step) for step in (0, 1, 10**6)} == {1.0}
    assert trained.trainer.optimizers[0].param_groups[0]["lr"] == 1e-2


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_loss_that_is_not_finite_names_its_iteration(make_data: MakeData, engine: str) -> None:
    data = make_data()
    module = make_module(data, engine=engine)

    class Break(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 14:
                with torch.no_grad():
                    module.net.head.bias[0] = math.nan

    with pytest.raises(FloatingPointError, match=r"^the loss is nan at iteration 15: .*optimizer\.lr"):
        Fit(data, module, 100, callbacks=(Break(),))


def test_a_rate_that_explodes_is_found(make_data: MakeData) -> None:
    data = make_data()
    torch.manual_seed(0)
    module = CharRnnModule(partial(torch.optim.SGD, lr=1e38), **data.facts(), hidden_size=16)
    with pytest.raises(FloatingPointError, match=r"^the loss is (nan|inf) at iteration [2-9]"):
        Fit(data, module, 100)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_value": 0.0}, r"^`clip_value` must .*\(model\.clip_value\)$"),
        ({"lr_schedule": "cosin"}, r"^`lr_schedule` must .*\(model\.lr_schedule; did you mean cosine\?\)$"),
        ({"engine": "compield"}, r"^`engine` must .*\(model\.engine; did you mean compiled\?\)$"),
        ({"engine": "compiled", "num_layers": 2, "dropout": 0.5}, r"^`engine` must .*dropout.*\(model\.engine\)$"),
        ({"hidden_size": 0}, r"^`hidden_size` must .*\(model\.hidden_size\)$"),
    ],
)
def test_what_is_out_of_range_is_refused(make_data: MakeData, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_module(make_data(), **change)


# --- checkpoints -------------------------------------------------------------------------------------------------


def saved(run: Fit, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "saved.ckpt"
    run.trainer.save_checkpoint(path)
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def test_a_checkpoint_carries_what_the_run_needs(trained: Fit, make_data: MakeData, tmp_path: Path) -> None:
    content = saved(trained, tmp_path)
    assert content["genlab"]["model"] == "char_rnn"
    assert content["genlab"]["facts"] == trained.data.facts()
    assert content["global_step"] == trained.trainer.global_step
    assert trained.module.h_LBH.any()
    other = make_module(make_data(), seed=1)
    other.on_load_checkpoint(content)
    other.load_state_dict(content["state_dict"])
    assert torch.equal(other.h_LBH, trained.module.h_LBH)
    assert other.smoothed_loss == trained.module.smoothed_loss != math.log(len(other.vocabulary))
    assert other.smoothed_accuracy == trained.module.smoothed_accuracy
    options = {"temperature": 0.7, "seed": 3, "prompts": ["the "], "top_k": 4, "top_p": 0.9}
    text = trained.module.sample(2, 30, **options)  # type: ignore[arg-type]
    assert other.sample(2, 30, **options) == text  # type: ignore[arg-type]
    assert text == sample_texts(other.net, other.vocabulary, 2, 30, Draw(0.7, 4, 0.9), 3, ["the "])
    np.testing.assert_array_equal(other.log_prob("the cat"), trained.module.log_prob("the cat"))
    assert other.log_prob("t").shape == (0,)


def test_a_checkpoint_of_another_vocabulary_is_refused(trained: Fit, make_data: MakeData, tmp_path: Path) -> None:
    other = make_module(make_data(TEXT.replace("cat", "bug")))
    with pytest.raises(ValueError, match=r"^`checkpoint` must have the vocabulary .*\(data\.text\)$"):
        other.on_load_checkpoint(saved(trained, tmp_path))


@pytest.mark.parametrize("record", [None, {"model": "vae"}])
def test_a_checkpoint_of_another_model_is_refused(
    trained: Fit, tmp_path: Path, make_data: MakeData, record: dict[str, str] | None
) -> None:
    content = saved(trained, tmp_path)
    del content["genlab"]
    with pytest.raises(ValueError, match=r"^`checkpoint` must be of a char_rnn"):
        make_module(make_data()).on_load_checkpoint(content | ({} if record is None else {"genlab": record}))


@pytest.mark.parametrize("change", [{"hidden_size": 15}, {"num_layers": 2}])
def test_a_checkpoint_of_another_size_is_refused(
    trained: Fit, tmp_path: Path, make_data: MakeData, change: dict[str, int]
) -> None:
    data = make_data()
    path = tmp_path / "saved.ckpt"
    trained.trainer.save_checkpoint(path)
    with pytest.raises(ValueError, match=r"^`checkpoint` must have the model's sizes.*model\.hidden_size") as error:
        Fit(data, make_module(data, **change), 10_000, path)
    assert "\n" not in str(error.value)


# --- resuming ----------------------------------------------------------------------------------------------------


def state_of(run: Fit) -> dict[str, Any]:
    """All that a run ends with, flat, by name."""
    (optimizer,) = run.trainer.optimizers
    moments = {f"{i}.{k}": v for i, s in enumerate(optimizer.state.values()) for k, v in s.items()}
    averages = {"smoothed": [run.module.smoothed_loss, run.module.smoothed_accuracy], "h": run.module.h_LBH}
    return {**run.module.state_dict(), **moments, **averages, "lr": optimizer.param_groups[0]["lr"]}


def assert_bit_for_bit(run: Fit, straight: Fit, since: int) -> None:
    states = state_of(run), state_of(straight)
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        same = torch.equal(value, states[1][name]) if isinstance(value, torch.Tensor) else value == states[1][name]
        assert same, name
    for name in (TRAIN_METRICS - {"train/iterations_per_second"}) | {"val/loss"}:
        expected = {step: value for step, value in straight.logger.of(name).items() if step is None or step > since}
        assert run.logger.of(name) == expected, name


PER_PASS = (round(len(TEXT) * 0.9) - 1) // 8


@pytest.mark.parametrize("engine", ["auto", "torch"])
@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(7, id="after the first step"),
        pytest.param(70, id="in the first pass"),
        pytest.param(PER_PASS // 7 * 7, id="before the last step of a pass"),
        pytest.param(PER_PASS, id="where a pass ends"),
        pytest.param(PER_PASS + 1, id="after the first step of a pass"),
        pytest.param(2 * PER_PASS, id="where the second pass ends"),
    ],
)
def test_a_resumed_run_is_the_straight_one_bit_for_bit(
    make_data: MakeData, tmp_path: Path, engine: str, stop: int
) -> None:
    """Weights, moments, carried state, averages and every figure after the interruption."""
    data = make_data()
    assert data.streams.windows_per_pass == PER_PASS
    assert PER_PASS % 7
    options: dict[str, Any] = {"engine": engine, "lr_schedule": "cosine"}
    max_steps = 2 * PER_PASS + 40
    straight = Fit(data, make_module(data, **options), max_steps)
    path = tmp_path / "last.ckpt"
    first = Fit(data, make_module(data, **options), max_steps, callbacks=(StopAt(stop, path),))
    reached = first.trainer.global_step
    assert stop <= reached < max_steps
    resumed = Fit(make_data(), make_module(data, seed=99, **options), max_steps, path)
    assert resumed.trainer.global_step == max_steps
    assert_bit_for_bit(resumed, straight, reached)


@pytest.mark.parametrize("stop", [70, PER_PASS])
def test_a_run_of_so_many_passes_resumes_to_its_end(make_data: MakeData, tmp_path: Path, stop: int) -> None:
    data = make_data()
    straight = Fit(data, make_module(data), -1, max_epochs=2)
    path = tmp_path / "last.ckpt"
    Fit(data, make_module(data), -1, max_epochs=2, callbacks=(StopAt(stop, path),))
    resumed = Fit(data, make_module(data, seed=99), -1, path, max_epochs=2)
    assert resumed.trainer.global_step == straight.trainer.global_step == 2 * PER_PASS
    assert_bit_for_bit(resumed, straight, stop)


def test_a_finished_run_goes_on_to_more_iterations(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data()
    path = tmp_path / "last.ckpt"
    Fit(data, make_module(data), 35).trainer.save_checkpoint(path)
    more = Fit(data, make_module(data, seed=99), 70, path)
    straight = Fit(data, make_module(data), 70)
    assert_bit_for_bit(more, straight, 35)


def test_a_second_fit_of_one_module_takes_the_new_optimizer(make_data: MakeData) -> None:
    data = make_data()
    module = make_module(data)
    Fit(data, module, 14)
    module.make_optimizer = partial(torch.optim.Adam, lr=0.5)
    second = Fit(data, module, 14)
    (optimizer,) = second.trainer.optimizers
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert {int(state["step"]) for state in optimizer.state.values()} == {14}


def test_the_trainers_precision_is_the_networks(make_data: MakeData) -> None:
    data = make_data()
    run = Fit(data, make_module(data, engine="torch"), 14, precision="64-true")
    assert run.module.h_LBH.dtype == torch.float64
    assert {p.dtype for p in run.module.net.parameters()} == {torch.float64}
