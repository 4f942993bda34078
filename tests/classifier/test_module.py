"""The module in a real Trainer on a few digits: the loss, the schedule, what it judges, that it learns, resuming."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from genlab.classifier.data import ClassifierDataModule
from genlab.classifier.module import SCHEDULES, ClassifierModule, lr_factor
from genlab.datasets.image_batches import ImageBatches

MakeModule = Callable[..., ClassifierModule]
Train = Callable[..., Any]


# --- the rate ----------------------------------------------------------------------------------------------------


def factors(schedule: str, total: int) -> list[float]:
    return [lr_factor(schedule, iteration, total) for iteration in range(total + 1)]


@given(st.sampled_from(SCHEDULES), st.integers(2, 400))
def test_the_rate_is_never_more_than_asked_for_and_never_nothing(schedule: str, total: int) -> None:
    *in_training, end = factors(schedule, total)
    assert all(0 < factor <= 1 for factor in in_training)
    assert 0 <= end <= 1
    assert lr_factor(schedule, 10 * total, total) == pytest.approx(end, abs=1e-12), "nothing comes after the end"


@given(st.integers(4, 400))
def test_rates_are_continuous(total: int) -> None:
    steepest = math.pi / 2 / (0.75 * total) + 1 / (0.25 * total + 1)
    for schedule in SCHEDULES:
        each = factors(schedule, total)
        assert max(abs(b - a) for a, b in pairwise(each)) <= steepest


def test_a_constant_rate_is_constant() -> None:
    assert set(factors("constant", 7)) == {1.0}


@given(st.integers(1, 400))
def test_a_cosine_falls_from_one_to_nothing(total: int) -> None:
    each = factors("cosine", total)
    assert each[0] == 1
    assert each[-1] == pytest.approx(0, abs=1e-12)
    assert each == sorted(each, reverse=True)
    assert lr_factor("cosine", total, 2 * total) == pytest.approx(0.5)


@given(st.integers(1, 100))
def test_one_cycle_rises_for_a_quarter_and_falls_to_nothing(quarter: int) -> None:
    each = factors("one_cycle", 4 * quarter)
    rising, falling = each[: quarter + 1], each[quarter:]
    assert each[quarter] == 1
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert each[0] == pytest.approx(1 / (quarter + 1))
    assert each[-1] == pytest.approx(0, abs=1e-12)
    assert lr_factor("one_cycle", 2 * quarter, 4 * quarter) == pytest.approx(0.75), "a third of the way down"


class Rates(pl.Callback):
    """Keeps the rate that each update is made with."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_before_optimizer_step(self, trainer: pl.Trainer, pl_module: Any, optimizer: Any) -> None:
        self.seen.append(optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize(
    ("limits", "total"),
    [
        ({"max_steps": 8}, 8),
        ({"max_epochs": 1}, 6),
        ({"max_steps": 100, "max_epochs": 1}, 6),
        ({"max_steps": 4, "max_epochs": 50}, 4),
    ],
    ids=str,
)
def test_each_update_has_the_rate_of_its_iteration_to_the_limit_that_is_met_first(
    make_module: MakeModule, data: ClassifierDataModule, train: Train, limits: dict[str, int], total: int
) -> None:
    rates = Rates()
    run = train(make_module(lr=0.01), data, **limits, callbacks=[rates])
    assert run.trainer.global_step == total
    assert rates.seen == pytest.approx([0.01 * factor for factor in factors("one_cycle", total)[:-1]])


# --- the loss and what is logged ---------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_losses_are_cross_entropies_and_only_training_is_smoothed(
    make_module: MakeModule, data: ClassifierDataModule, train: Train, smoothing: float
) -> None:
    run = train(make_module(label_smoothing=smoothing), data, max_epochs=1)
    by_hand = make_module().net
    batches = ImageBatches(data.train_set.images, data.train_set.labels, 8, data.seed, lambda: 0)
    batch = next(iter(batches))
    log_p = by_hand(batch.images).log_softmax(1).detach()
    right = log_p[range(8), batch.labels]
    loss = -((1 - smoothing) * right + smoothing * log_p.mean(1)).mean().item()
    assert run.of("train/loss")[1] == pytest.approx(loss, rel=1e-5)
    assert run.of("train/accuracy")[1] == (log_p.argmax(1) == batch.labels).float().mean().item()
    assert list(run.of("train/loss")) == [1, 2, 3, 4, 5, 6]
    net = run.module.net.eval()
    with torch.no_grad():
        logits = net(data.val_set.floats())
    assert run.of("val/loss")[6] == pytest.approx(F.cross_entropy(logits, data.val_set.labels).item(), rel=1e-5)
    accuracy = (logits.argmax(1) == data.val_set.labels).float().mean().item()
    assert run.of("val/accuracy")[6] == pytest.approx(accuracy)
    names = set().union(*(figures for _, figures in run.lines)) - {"epoch"}
    assert names == {"train/loss", "train/accuracy", "val/loss", "val/accuracy"}


def test_a_loss_that_is_not_finite_is_named_with_its_iteration(
    make_module: MakeModule, data: ClassifierDataModule, train: Train
) -> None:
    module = make_module()

    class Break(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 2:
                module.net.head.bias.data[0] = math.nan

    with pytest.raises(FloatingPointError, match=r"^the loss is nan at iteration 3: lower optimizer\.lr$"):
        train(module, data, 6, callbacks=[Break()])


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_every_precision_trains(
    make_module: MakeModule, data: ClassifierDataModule, train: Train, precision: str
) -> None:
    run = train(make_module(), data, 2, precision=precision)
    assert all(math.isfinite(value) for _, figures in run.lines for value in figures.values())


def test_a_few_dozen_iterations_tell_digits_apart(train: Train) -> None:
    """Ten classes: chance is 0.1."""
    zeros = dict.fromkeys(("degrees", "translate", "scale", "shear"), 0.0)
    data = ClassifierDataModule("digits", batch_size=32, val_size=200, **zeros)
    torch.manual_seed(0)
    module = ClassifierModule(lambda parameters: torch.optim.AdamW(parameters, lr=3e-3), **data.facts())
    train(module, data, 24, limit_val_batches=0)
    right = module.probabilities(data.val_set.floats()).argmax(1) == data.val_set.labels
    assert right.float().mean() > 0.6


# --- the protocol of a judge -------------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_embedding_and_sum_to_one(
    make_module: MakeModule, data: ClassifierDataModule
) -> None:
    module, x = make_module(num_classes=7), data.val_set.floats()
    embedding, probabilities = module.embed(x), module.probabilities(x)
    assert embedding.shape == (16, 50)
    assert probabilities.shape == (16, 7)
    assert module.num_classes == 7
    assert not embedding.requires_grad
    assert not probabilities.requires_grad
    assert (probabilities >= 0).all()
    torch.testing.assert_close(probabilities.sum(1), torch.ones(16))
    torch.testing.assert_close(probabilities, module.net.head(embedding).softmax(1).detach())


def test_a_judgement_heeds_neither_mode_nor_batch_and_trains_nothing(
    make_module: MakeModule, data: ClassifierDataModule, train: Train
) -> None:
    module = train(make_module(dropout=0.5), data, 3).module.train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    x = data.val_set.floats()
    judged = module.embed(x), module.probabilities(x)
    assert all(part.training for part in module.modules()), "each part is in its own mode again"
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    module.eval()
    for ask, answer in zip((module.embed, module.probabilities), judged, strict=True):
        torch.testing.assert_close(torch.cat([ask(x[:1]), ask(x[1:6]), ask(x[6:])]), answer, rtol=1e-4, atol=1e-5)


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"embedding_dim": 0}, "model.embedding_dim"),
        ({"dropout": 1.0}, "model.dropout"),
        ({"label_smoothing": 1.0}, "model.label_smoothing"),
        ({"label_smoothing": -0.1}, "model.label_smoothing"),
        ({"lr_schedule": "one-cycle"}, "model.lr_schedule; did you mean one_cycle?"),
        ({"image_shape": [3, 28, 28]}, "data.dataset"),
    ],
)
def test_what_is_out_of_range_is_refused(make_module: MakeModule, change: dict[str, Any], path: str) -> None:
    name = next(iter(change))
    with pytest.raises(ValueError, match=rf"^`{name}` must ") as error:
        make_module(**change)
    assert str(error.value).endswith(f"({path})")
    assert "\n" not in str(error.value)


# --- checkpoints and resuming ------------------------------------------------------------------------------------


def test_a_checkpoint_of_another_model_is_refused(
    make_module: MakeModule, data: ClassifierDataModule, train: Train, tmp_path: Path
) -> None:
    train(make_module(), data, 1).trainer.save_checkpoint(tmp_path / "saved.ckpt")
    content = torch.load(tmp_path / "saved.ckpt", weights_only=True)
    assert content["genlab"] == {"model": "classifier", "facts": data.facts()}
    make_module().on_load_checkpoint(content)
    for record in ({}, {"genlab": {}}, {"genlab": {"model": "vae"}}):
        other = {name: value for name, value in content.items() if name != "genlab"} | record
        with pytest.raises(ValueError, match=r"^`checkpoint` must be of a classifier; got (None|'vae') \(run_dir\)$"):
            make_module().on_load_checkpoint(other)


@pytest.fixture(scope="module")
def distorted(few_digits: Callable[..., Any]) -> ClassifierDataModule:
    made: ClassifierDataModule = few_digits(ClassifierDataModule)
    return made


@pytest.fixture(scope="module")
def straight(make_module: MakeModule, distorted: ClassifierDataModule, train: Train) -> Any:
    return train(make_module(0, dropout=0.4), distorted, 9)


@pytest.mark.parametrize("stop", [1, 4, 6, 7], ids=["the first", "in a pass", "where a pass ends", "one after"])
def test_a_resumed_run_is_the_straight_one_bit_for_bit(
    make_module: MakeModule,
    distorted: ClassifierDataModule,
    straight: Any,
    train_in_two_parts: Callable[..., Any],
    assert_bit_for_bit: Callable[..., None],
    tmp_path: Path,
    stop: int,
) -> None:
    """Dropout, distortions, the order of the images and the rate go on where they were."""

    def make(seed: int) -> ClassifierModule:
        return make_module(seed, dropout=0.4)

    resumed = train_in_two_parts(make, distorted, stop, 9, tmp_path / "last.ckpt")
    assert_bit_for_bit(resumed, straight, stop)
