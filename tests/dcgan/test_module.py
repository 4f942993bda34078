"""The module in a real Trainer on a few digits: who learns when, what is counted and logged, averages, resuming."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from genlab.datasets.image_batches import ImageBatches
from genlab.dcgan import module as dcgan_module
from genlab.dcgan.data import DcganDataModule
from genlab.dcgan.module import DcganModule

MakeModule = Callable[..., DcganModule]
Train = Callable[..., Any]

FIGURES = {
    "train/loss_discriminator",
    "train/loss_discriminator_real",
    "train/loss_discriminator_fake",
    "train/loss_generator",
    "train/accuracy_real",
    "train/accuracy_fake",
}


SEED = 5


class Seed(pl.Callback):
    """Training begins with random numbers that a test can draw too."""

    def on_train_start(self, *_: Any) -> None:
        torch.manual_seed(SEED)


def copies(net: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def gradients(net: torch.nn.Module) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.clone() for p in net.parameters()]


def parameters(net: torch.nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def same(ours: list[Any], theirs: list[Any]) -> bool:
    return all(a is b if a is None or b is None else torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def first_pass(data: DcganDataModule) -> ImageBatches:
    return ImageBatches(data.train_set.images, data.train_set.labels, data.batch_size, data.seed, lambda: 0)


# --- one iteration -----------------------------------------------------------------------------------------------


class Watch(pl.Callback):
    """Notes both networks' weights and gradients before and after each update of either."""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        for owner, optimizer in zip(("generator", "discriminator"), trainer.optimizers, strict=True):
            for when, register in (("before", "register_step_pre_hook"), ("after", "register_step_post_hook")):
                getattr(optimizer, register)(lambda *_, who=owner, when=when: self._note(who, when, pl_module))

    def _note(self, who: str, when: str, module: DcganModule) -> None:
        nets = {"generator": module.generator, "discriminator": module.discriminator}
        note = {"who": who, "when": when}
        note |= {f"{name} weights": parameters(net) for name, net in nets.items()}
        self.notes.append(note | {f"{name} gradients": gradients(net) for name, net in nets.items()})


@pytest.mark.parametrize("options", [{}, {"loss": "wgan_gp"}, {"r1_weight": 1.0}], ids=["plain", "wgan_gp", "r1"])
def test_each_network_learns_in_its_own_update_alone(
    make_module: MakeModule, data: DcganDataModule, train: Train, options: dict[str, Any]
) -> None:
    watch = Watch()
    train(make_module(**options), data, 2, callbacks=[watch])
    order = ["discriminator", "discriminator", "generator", "generator"]
    assert [note["who"] for note in watch.notes] == 2 * order
    assert [note["when"] for note in watch.notes] == 4 * ["before", "after"]
    d_before, d_after, g_before, g_after, second_d, *_ = watch.notes
    for note in (d_before, second_d):
        assert all(gradient is None for gradient in note["generator gradients"]), "the fake is detached"
    assert not same(d_after["discriminator weights"], d_before["discriminator weights"])
    assert same(d_after["generator weights"], d_before["generator weights"])
    for note in (g_before, g_after):
        assert same(note["discriminator weights"], d_after["discriminator weights"])
        assert same(note["discriminator gradients"], d_after["discriminator gradients"])
    assert not same(g_after["generator weights"], g_before["generator weights"])


def test_two_iterations_are_those_written_by_hand(make_module: MakeModule, data: DcganDataModule, train: Train) -> None:
    run = train(make_module(), data, 2, callbacks=[Seed()], precision="64-true")
    by_hand = make_module().double()
    nets = generator, discriminator = by_hand.generator, by_hand.discriminator
    g_optimizer, d_optimizer = (torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.5, 0.999)) for net in nets)
    ones, zeros = torch.ones(8).double(), torch.zeros(8).double()
    torch.manual_seed(SEED)
    for step, batch in zip((1, 2), first_pass(data), strict=False):
        fake = generator(torch.randn(8, 10, dtype=torch.float64))
        real_logits, fake_logits = discriminator(2 * batch.images.double() - 1), discriminator(fake.detach())
        real = F.binary_cross_entropy_with_logits(real_logits, ones)
        of_fake = F.binary_cross_entropy_with_logits(fake_logits, zeros)
        d_optimizer.zero_grad()
        (real + of_fake).backward()
        d_optimizer.step()
        fooled = F.binary_cross_entropy_with_logits(discriminator(fake), ones)
        g_optimizer.zero_grad()
        fooled.backward()
        g_optimizer.step()
        assert run.of("train/loss_discriminator_real")[step] == pytest.approx(real.item(), rel=1e-6)
        assert run.of("train/loss_discriminator_fake")[step] == pytest.approx(of_fake.item(), rel=1e-5)
        assert run.of("train/loss_discriminator")[step] == pytest.approx((real + of_fake).item(), rel=1e-5)
        assert run.of("train/loss_generator")[step] == pytest.approx(fooled.item(), rel=1e-5)
        assert run.of("train/accuracy_real")[step] == (real_logits > 0).sum() / 8
        assert run.of("train/accuracy_fake")[step] == (fake_logits < 0).sum() / 8
    for name, value in by_hand.state_dict().items():
        torch.testing.assert_close(run.module.state_dict()[name], value, rtol=1e-8, atol=1e-8, msg=name)


@pytest.mark.parametrize(
    ("options", "penalised"),
    [
        ({"loss": "non_saturating", "dropout": 0.5}, False),
        ({"loss": "hinge", "layers": (4, 3)}, False),
        ({"loss": "wgan_gp", "dropout": 0.2}, True),
        ({"loss": "wgan_gp", "penalty_weight": 0.0}, False),
        ({"loss": "wgan_gp", "r1_weight": 0.5}, True),
        ({"loss": "hinge", "r1_weight": 5}, True),
        ({"loss": "non_saturating", "r1_weight": 0.1, "init": "xavier", "ema_decay": 0.9}, True),
    ],
    ids=str,
)
def test_every_loss_and_penalty_trains_a_step(
    make_module: MakeModule, data: DcganDataModule, train: Train, options: dict[str, Any], penalised: bool
) -> None:
    module = make_module(**options)
    before = parameters(module.generator), parameters(module.discriminator)
    run = train(module, data, 1)
    ((step, figures), *_) = run.lines
    assert step == 1
    assert figures.keys() - {"epoch"} == FIGURES | ({"train/penalty"} if penalised else set())
    assert all(math.isfinite(value) for value in figures.values())
    assert not penalised or figures["train/penalty"] > 0
    parts = figures["train/loss_discriminator_real"] + figures["train/loss_discriminator_fake"]
    assert figures["train/loss_discriminator"] == pytest.approx(parts, rel=1e-6)
    for net, old in zip((module.generator, module.discriminator), before, strict=True):
        assert all(not torch.equal(new, was) for new, was in zip(net.parameters(), old, strict=True) if was.ndim > 1)


def test_penalties_are_weighted_as_asked(make_module: MakeModule, data: DcganDataModule, train: Train) -> None:
    def penalty(**options: Any) -> float:
        value: float = train(make_module(**options), data, 1, callbacks=[Seed()]).of("train/penalty")[1]
        return value

    once = penalty(r1_weight=1.0)
    assert penalty(r1_weight=3.0) == pytest.approx(3 * once, rel=1e-5)
    default = penalty(loss="wgan_gp")
    assert penalty(loss="wgan_gp", penalty_weight=1.0) == pytest.approx(default / 10, rel=1e-5)
    both = penalty(loss="wgan_gp", penalty_weight=1.0, r1_weight=2.0)
    assert both == pytest.approx(default / 10 + 2 * once, rel=1e-2), "statistics of the batch norms have moved on"


# --- what is counted and logged ----------------------------------------------------------------------------------


@pytest.mark.parametrize("max_steps", [1, 7])
def test_iterations_are_met_exactly(
    make_module: MakeModule, data: DcganDataModule, train: Train, max_steps: int
) -> None:
    run = train(make_module(), data, max_steps)
    assert run.trainer.global_step == max_steps
    for optimizer in run.trainer.optimizers:
        assert {int(state["step"]) for state in optimizer.state.values()} == {max_steps}
    assert list(run.of("train/loss_generator")) == list(range(1, max_steps + 1))


def test_a_pass_is_every_batch_once(make_module: MakeModule, data: DcganDataModule, train: Train) -> None:
    run = train(make_module(), data, max_epochs=2)
    assert run.trainer.global_step == 12
    assert list(run.of("val/accuracy_real")) == [6, 12]
    names = set().union(*(figures for _, figures in run.lines)) - {"epoch"}
    assert names == FIGURES | {"val/loss_discriminator_real", "val/accuracy_real"}
    held_out = data.val_set.floats() * 2 - 1
    with torch.no_grad():
        logits = run.module.discriminator.eval()(held_out)
    loss = F.softplus(-logits).mean().item()
    assert run.of("val/loss_discriminator_real")[12] == pytest.approx(loss, rel=1e-5)
    assert run.of("val/accuracy_real")[12] == (logits > 0).float().mean().item()


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_loss_that_is_not_finite_is_named_with_its_iteration(
    make_module: MakeModule, data: DcganDataModule, train: Train, network: str
) -> None:
    module = make_module()

    class Break(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 2:
                next(getattr(module, network).parameters()).data[0] = math.nan

    with pytest.raises(FloatingPointError, match=r"^train/loss_\w+ is nan at iteration 3: lower optimizer\.lr$"):
        train(module, data, 6, callbacks=[Break()])


@pytest.mark.parametrize("precision", DcganModule.precisions)
def test_every_precision_trains_and_draws(
    make_module: MakeModule, data: DcganDataModule, train: Train, precision: str
) -> None:
    run = train(make_module(loss="wgan_gp", ema_decay=0.5), data, 2, precision=precision)
    assert all(math.isfinite(value) for _, figures in run.lines for value in figures.values())
    images = run.module.sample(2, seed=0)
    assert images.dtype == (torch.float64 if precision == "64-true" else torch.float32)


# --- the average of the generator's weights ----------------------------------------------------------------------


class Weights(pl.Callback):
    """Keeps the generator's state after each iteration."""

    def __init__(self) -> None:
        self.after: list[dict[str, Tensor]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        self.after.append(copies(pl_module.generator))


def test_the_average_is_exponential_and_is_what_samples_are_drawn_from(
    make_module: MakeModule, data: DcganDataModule, train: Train
) -> None:
    weights = Weights()
    module = train(make_module(ema_decay=0.75, lr=0.05), data, 3, callbacks=[weights]).module
    one, two, three = weights.after
    for name, value in module.average.module.state_dict().items():
        if value.is_floating_point():
            expected = 0.75 * (0.75 * one[name] + 0.25 * two[name]) + 0.25 * three[name]
            torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6, msg=name)
            assert name.endswith("bias") or not torch.allclose(value, three[name], rtol=1e-3, atol=0), name
    z = module.draw_latents(3, seed=1)
    with torch.no_grad():
        of_average, of_generator = ((net.eval()(z) + 1) / 2 for net in (module.average.module, module.generator))
    assert torch.equal(module.sample(3, seed=1), of_average)
    assert not torch.allclose(of_average, of_generator, atol=1e-3)


def test_without_an_average_samples_are_the_generators(make_module: MakeModule) -> None:
    module = make_module()
    assert module.average is None
    with torch.no_grad():
        expected = (module.generator.eval()(module.draw_latents(3, seed=1)) + 1) / 2
    assert torch.equal(module.sample(3, seed=1), expected)


# --- the protocol of a generator ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(make_module: MakeModule, data: DcganDataModule, train: Train) -> DcganModule:
    """Left in training mode, as in the middle of a training."""
    module: DcganModule = train(make_module(ema_decay=0.5), data, 6).module
    return module.train()


@pytest.mark.parametrize("averaged", [True, False])
def test_images_are_in_range_and_heed_neither_mode_nor_batch(
    make_module: MakeModule, trained: DcganModule, monkeypatch: pytest.MonkeyPatch, averaged: bool
) -> None:
    module = trained if averaged else make_module().train()
    before = copies(module)
    images = module.sample(7, seed=3)
    assert images.shape == (7, 1, 28, 28)
    assert not images.requires_grad
    assert 0 <= images.min() < images.max() <= 1
    assert all(part.training for part in module.modules()), "each part is in its own mode again"
    assert same(list(copies(module).values()), list(before.values())), "drawing trains nothing"
    monkeypatch.setattr(dcgan_module, "CHUNK", 2)
    torch.testing.assert_close(module.sample(7, seed=3), images)
    torch.testing.assert_close(module.decode(module.draw_latents(7, seed=3)[4:5]), images[4:5])
    torch.testing.assert_close(module.eval().sample(7, seed=3), images)
    assert not torch.equal(module.sample(7, seed=4), images)
    module.train()


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_latent_depends_on_the_seed_and_its_own_place_alone(one: int, other: int, seed: int) -> None:
    module = DcganModule(torch.optim.Adam, Tiny, Tiny, latent_dim=3)
    few, many = sorted((one, other))
    latents = module.draw_latents(many, seed=seed)
    assert latents.shape == (many, 3)
    assert torch.equal(module.draw_latents(few, seed=seed), latents[:few])


class Tiny(torch.nn.Linear):
    """In place of a network, for what needs none."""

    def __init__(self, **_: Any) -> None:
        super().__init__(1, 1)
        self.feature_dim = 1


def test_latents_are_standard_normal(trained: DcganModule) -> None:
    latents = trained.draw_latents(2000, seed=0).flatten()
    error = 1 / math.sqrt(len(latents))
    assert abs(latents.mean().item()) < 5 * error
    assert abs(latents.square().mean().item() - 1) < 5 * math.sqrt(2) * error


def test_drawing_leaves_the_random_numbers_of_training_alone(trained: DcganModule) -> None:
    state = torch.get_rng_state()
    trained.sample(3, seed=0)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(3, 9), (3, 11), (10,), (1, 3, 10)])
def test_latents_of_the_wrong_length_are_refused(trained: DcganModule, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^`z` must have shape \(N, 10\); got \(.*\) \(model\.latent_dim\)$") as error:
        trained.decode(torch.zeros(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("count", [0, -1, 1.5])
def test_a_count_below_one_is_refused(trained: DcganModule, count: Any) -> None:
    with pytest.raises(ValueError, match=r"^`count` must be an integer >= 1; got .* \(count\)$"):
        trained.sample(count, seed=0)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"latent_dim": 0}, "model.latent_dim"),
        ({"dropout": 1.0}, "model.dropout"),
        ({"init": "xaver"}, "model.init; did you mean xavier?"),
        ({"loss": "hing"}, "model.loss; did you mean hinge?"),
        ({"penalty_weight": -1.0}, "model.penalty_weight"),
        ({"r1_weight": math.inf}, "model.r1_weight"),
        ({"ema_decay": 1.0}, "model.ema_decay"),
        ({"ema_decay": -0.1}, "model.ema_decay"),
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
    make_module: MakeModule, data: DcganDataModule, train: Train, tmp_path: Path
) -> None:
    run = train(make_module(), data, 1)
    run.trainer.save_checkpoint(tmp_path / "saved.ckpt")
    content = torch.load(tmp_path / "saved.ckpt", weights_only=True)
    assert content["genlab"] == {"model": "dcgan", "facts": data.facts()}
    assert content["global_step"] == 1
    make_module().on_load_checkpoint(content)
    for record in ({}, {"genlab": {"model": "vae"}}):
        del content["genlab"]
        content |= record
        with pytest.raises(ValueError, match=r"^`checkpoint` must be of a dcgan; got (None|'vae') \(run_dir\)$"):
            make_module().on_load_checkpoint(content)
        content["genlab"] = {}


MakeOne = Callable[[int], DcganModule]


@pytest.fixture(scope="module")
def make_one(make_module: MakeModule) -> MakeOne:
    """All that has a state of its own: dropout, an average, a penalty that draws."""
    return lambda seed: make_module(seed, dropout=0.3, ema_decay=0.8, loss="wgan_gp")


@pytest.fixture(scope="module")
def straight(make_one: MakeOne, data: DcganDataModule, train: Train) -> Any:
    return train(make_one(0), data, 8)


@pytest.mark.parametrize("stop", [1, 4, 6, 7], ids=["the first", "in a pass", "where a pass ends", "one after"])
def test_a_resumed_run_is_the_straight_one_bit_for_bit(
    make_one: MakeOne,
    data: DcganDataModule,
    straight: Any,
    train_in_two_parts: Callable[..., Any],
    assert_bit_for_bit: Callable[..., None],
    tmp_path: Path,
    stop: int,
) -> None:
    resumed = train_in_two_parts(make_one, data, stop, 8, tmp_path / "last.ckpt")
    assert_bit_for_bit(resumed, straight, stop)
