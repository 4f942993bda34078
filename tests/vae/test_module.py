"""The module in a real Trainer on a few digits: what is minimised and logged, binary images, bounds, resuming."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from genlab.datasets.image_batches import ImageBatches
from genlab.vae import module as vae_module
from genlab.vae.data import VaeDataModule
from genlab.vae.module import VaeModule

MakeModule = Callable[..., VaeModule]
Train = Callable[..., Any]

FIGURES = ("elbo", "log_likelihood", "kl", "loss")
SEED = 5


class Seed(pl.Callback):
    """Training begins with random numbers that a test can draw too."""

    def on_train_start(self, *_: Any) -> None:
        torch.manual_seed(SEED)


def first_batch(data: VaeDataModule) -> Tensor:
    batches = ImageBatches(data.train_set.images, data.train_set.labels, data.batch_size, data.seed, lambda: 0)
    return next(iter(batches)).images


def copies(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


# --- what is minimised -------------------------------------------------------------------------------------------


def test_the_first_loss_is_that_written_by_hand(make_module: MakeModule, data: VaeDataModule, train: Train) -> None:
    figures = train(make_module(binarize="threshold", beta=2.5), data, 1, callbacks=[Seed()]).lines[0][1]
    by_hand = make_module()
    x = (first_batch(data) > 0.5).float()
    mu, logvar = by_hand.encoder(x)
    torch.manual_seed(SEED)
    z = mu + (0.5 * logvar).exp() * torch.randn(8, 2)
    likelihood = torch.distributions.Bernoulli(logits=by_hand.decoder(z)).log_prob(x).sum((1, 2, 3)).mean().item()
    posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1).mean().item()
    assert figures["train/log_likelihood"] == pytest.approx(likelihood, rel=1e-5)
    assert figures["train/kl"] == pytest.approx(divergence, rel=1e-4)
    assert figures["train/elbo"] == pytest.approx(likelihood - divergence, rel=1e-5)
    assert figures["train/loss"] == pytest.approx(2.5 * divergence - likelihood, rel=1e-5)


def test_beta_weighs_the_kl_in_the_loss_and_scales_no_figure(
    make_module: MakeModule, data: VaeDataModule, train: Train
) -> None:
    first = {}
    for beta in (0, 1.0, 4.0):
        first[beta] = train(make_module(beta=beta), data, 1, callbacks=[Seed()]).lines[0][1]
        for name in ("elbo", "log_likelihood", "kl"):
            assert first[beta][f"train/{name}"] == first[0][f"train/{name}"], name
    kl = first[0]["train/kl"]
    assert kl > 0
    for beta, figures in first.items():
        assert figures["train/loss"] == pytest.approx(beta * kl - figures["train/log_likelihood"], rel=1e-6)
    assert first[1.0]["train/loss"] == pytest.approx(-first[1.0]["train/elbo"], rel=1e-6)


def test_beta_scales_no_bound_either(make_module: MakeModule, data: VaeDataModule) -> None:
    x = data.val_set.floats()
    one, four = (make_module(beta=beta).elbo(x, seed=0) for beta in (1.0, 4.0))
    assert all(torch.equal(a, b) for a, b in zip(one, four, strict=True))


@pytest.mark.parametrize("latent_dim", [1, 20])
def test_what_is_logged_has_its_names_and_its_iteration(
    make_module: MakeModule, data: VaeDataModule, train: Train, latent_dim: int
) -> None:
    run = train(make_module(latent_dim=latent_dim), data, max_epochs=1)
    assert run.trainer.global_step == 6
    (optimizer,) = run.trainer.optimizers
    assert {int(state["step"]) for state in optimizer.state.values()} == {6}
    assert [list(run.of(f"train/{name}")) for name in FIGURES] == [[1, 2, 3, 4, 5, 6]] * 4
    assert [list(run.of(f"val/{name}")) for name in FIGURES] == [[6]] * 4
    names = set().union(*(figures for _, figures in run.lines)) - {"epoch"}
    assert names == {f"{stage}/{name}" for stage in ("train", "val") for name in FIGURES}
    val = {name: run.of(f"val/{name}")[6] for name in FIGURES}
    assert val["elbo"] == pytest.approx(val["log_likelihood"] - val["kl"], rel=1e-6)
    assert val["loss"] == pytest.approx(-val["elbo"], rel=1e-6)


def test_validation_has_the_same_random_numbers_each_time(
    make_module: MakeModule, data: VaeDataModule, train: Train
) -> None:
    class Still(pl.Callback):
        """Keeps the running statistics where they are, as the rate of zero does the weights."""

        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
            pl_module.eval()

    run = train(make_module(lr=0.0), data, max_epochs=2, callbacks=[Still()])
    for name in FIGURES:
        first, second = run.of(f"val/{name}").values()
        assert first == second, name


def test_the_held_out_figures_are_means_over_all_images(
    make_module: MakeModule, data: VaeDataModule, train: Train
) -> None:
    """With threshold images and a posterior as narrow as a point nothing is left to chance."""

    class Narrow(pl.Callback):
        def on_validation_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
            narrow(pl_module)

    run = train(make_module(binarize="threshold"), data, max_epochs=1, callbacks=[Narrow()])
    elbo, log_likelihood, kl = run.module.elbo(data.val_set.floats(), seed=1)
    assert run.of("val/log_likelihood")[6] == pytest.approx(log_likelihood.mean().item(), rel=1e-4)
    assert run.of("val/kl")[6] == pytest.approx(kl.mean().item(), rel=1e-4)
    assert run.of("val/elbo")[6] == pytest.approx(elbo.mean().item(), rel=1e-4)


def narrow(module: VaeModule, logvar: float = -30.0) -> VaeModule:
    """Give q(z | x) a variance of its own that does not depend on x."""
    with torch.no_grad():
        module.encoder.logvar.weight.zero_()
        module.encoder.logvar.bias.fill_(logvar)
    return module


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_loss_that_is_not_finite_is_named_with_its_iteration(
    make_module: MakeModule, data: VaeDataModule, train: Train, likelihood: str
) -> None:
    module = make_module(likelihood=likelihood, binarize="none")

    class Break(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == 2:
                module.decoder.layers[0].weight.data[0] = math.nan

    with pytest.raises(FloatingPointError, match=r"^the loss is nan at iteration 3: lower optimizer\.lr$"):
        train(module, data, 6, callbacks=[Break()])


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_every_precision_trains_and_draws(
    make_module: MakeModule, data: VaeDataModule, train: Train, precision: str
) -> None:
    run = train(make_module(), data, 2, precision=precision)
    assert all(math.isfinite(value) for _, figures in run.lines for value in figures.values())
    assert run.module.sample(2, seed=0).dtype == (torch.float64 if precision == "64-true" else torch.float32)


# --- binary images -----------------------------------------------------------------------------------------------


class Look(pl.Callback):
    """Keeps what the encoder gets."""

    def __init__(self) -> None:
        self.seen: list[Tensor] = []

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        pl_module.encoder.register_forward_pre_hook(lambda _, inputs: self.seen.append(inputs[0].clone()))


def test_images_are_made_binary_as_asked(make_module: MakeModule, data: VaeDataModule, train: Train) -> None:
    gray = first_batch(data)
    assert ((gray > 0) & (gray < 1)).any()
    seen = {}
    for binarize in ("dynamic", "threshold", "none"):
        look = Look()
        train(make_module(binarize=binarize), data, 1, callbacks=[look])
        seen[binarize] = look.seen[0]
    assert torch.equal(seen["none"], gray)
    assert torch.equal(seen["threshold"], (gray > 0.5).float())
    assert set(seen["dynamic"].unique().tolist()) == {0.0, 1.0}
    assert not seen["dynamic"][gray == 0].any()
    assert seen["dynamic"][gray == 1].all()


def seen_by_encoder(module: VaeModule, score: Callable[[], object]) -> Tensor:
    kept: list[Tensor] = []
    handle = module.encoder.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0].clone()))
    score()
    handle.remove()
    return torch.cat(kept)


def test_a_pixel_is_drawn_with_its_brightness_as_its_probability(make_module: MakeModule) -> None:
    module = make_module()
    x = torch.full((30, 1, 28, 28), 0.3)
    first = seen_by_encoder(module, lambda: module.elbo(x, seed=1))
    share = first.mean().item()
    assert abs(share - 0.3) < 5 * math.sqrt(0.3 * 0.7 / x.numel())
    assert torch.equal(seen_by_encoder(module, lambda: module.elbo(x, seed=1)), first)
    other = seen_by_encoder(module, lambda: module.elbo(x, seed=2))
    assert abs((other != first).float().mean().item() - 2 * 0.3 * 0.7) < 0.02, "drawn anew, pixel by pixel"
    bounded = seen_by_encoder(module, lambda: module.importance_weighted_bound(x[:3], k=1, seed=1))
    assert set(bounded.unique().tolist()) == {0.0, 1.0}


# --- bounds ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steep(make_module: MakeModule) -> VaeModule:
    """One latent dimension, a decoder that heeds it, and a posterior that is neither the prior nor the true one."""
    module = narrow(make_module(latent_dim=1, binarize="threshold"), logvar=-1.0)
    with torch.no_grad():
        module.encoder.mu.bias.fill_(0.4)
        module.decoder.layers[0].weight.mul_(2)
        module.decoder.layers[-1].weight.mul_(2)
    return module.eval()


@pytest.fixture(scope="module")
def images(data: VaeDataModule) -> Tensor:
    return data.val_set.floats()[:3]


def test_the_bounds_parts_are_those_of_their_distributions(steep: VaeModule, images: Tensor) -> None:
    elbo, log_likelihood, divergence = steep.elbo(images, seed=0)
    assert elbo.shape == log_likelihood.shape == divergence.shape == (3,)
    assert not elbo.requires_grad
    torch.testing.assert_close(elbo, log_likelihood - divergence)
    mu, logvar = steep.encode((images > 0.5).float())
    posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence, expected)


def log_evidence(module: VaeModule, x: Tensor) -> Tensor:
    """log p(x) by the trapezium rule over the one latent dimension, (N,)."""
    z = torch.linspace(-6, 6, 121)
    with torch.no_grad():
        logits = module.decoder(z[:, None])
    prior = torch.distributions.Normal(0.0, 1.0).log_prob(z)
    likelihood = [torch.distributions.Bernoulli(logits=logits).log_prob(each).sum((1, 2, 3)) for each in x]
    return torch.stack([torch.logsumexp(each + prior, 0) for each in likelihood]) + math.log(12 / 120)


def test_the_bound_rises_with_k_to_the_evidence(steep: VaeModule, images: Tensor) -> None:
    x = (images > 0.5).float()
    evidence = log_evidence(steep, x)
    many = images.repeat(20, 1, 1, 1)
    bounds = [steep.elbo(many, seed=1)[0], steep.importance_weighted_bound(many, k=5, seed=2)]
    bounds = [*(each.view(20, 3).mean(0) for each in bounds), steep.importance_weighted_bound(images, k=300, seed=3)]
    gaps = [(evidence - bound).mean().item() for bound in bounds]
    assert gaps[0] > gaps[1] > abs(gaps[2]), gaps
    torch.testing.assert_close(bounds[2], evidence, rtol=0, atol=0.4)


def test_one_draw_is_the_bound_in_expectation(steep: VaeModule, images: Tensor) -> None:
    """At k = 1 the KL is drawn too, and the mean over many draws is that of the bound with the KL in closed form."""
    many = images[:1].repeat(100, 1, 1, 1)
    elbo, _, _ = steep.elbo(many, seed=0)
    one = steep.importance_weighted_bound(many, k=1, seed=1)
    error = math.sqrt((elbo.var().item() + one.var().item()) / len(many))
    assert error > 0
    assert abs(elbo.mean().item() - one.mean().item()) < 5 * error


def test_chunks_change_nothing(steep: VaeModule, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = steep.importance_weighted_bound(images, k=7, seed=2)
    parts = steep.elbo(images, seed=2)
    for chunk in (1, 3, 7):
        again = steep.importance_weighted_bound(images, k=7, seed=2, chunk=chunk)
        torch.testing.assert_close(again, bound, rtol=1e-5, atol=1e-3)
    monkeypatch.setattr(vae_module, "CHUNK", 2)
    for again, part in zip(steep.elbo(images, seed=2), parts, strict=True):
        torch.testing.assert_close(again, part, rtol=1e-5, atol=1e-3)
    assert not torch.equal(steep.importance_weighted_bound(images, k=7, seed=3), bound)


@pytest.mark.parametrize("name", ["k", "chunk"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_a_number_of_draws_below_one_is_refused(steep: VaeModule, images: Tensor, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^`{name}` must be an integer >= 1; got {value} \({name}\)$"):
        steep.importance_weighted_bound(images, **({"k": 2, "seed": 0} | {name: value}))


# --- a Gaussian's pixels -----------------------------------------------------------------------------------------


def test_a_gaussian_learns_its_one_variance(make_module: MakeModule, data: VaeDataModule, train: Train) -> None:
    module = make_module(likelihood="gaussian", binarize="none")
    assert module.logvar_x is not None
    assert module.logvar_x.item() == 0
    train(module, data, 1)
    assert module.logvar_x.grad is not None
    # Adam's first step is one rate long, towards the mean square of the errors.
    assert abs(module.logvar_x.item()) == pytest.approx(2e-3, rel=1e-3)
    assert math.copysign(1, module.logvar_x.item()) == -math.copysign(1, module.logvar_x.grad.item())
    images = module.sample(3, seed=0)
    assert 0 <= images.min() <= images.max() <= 1
    assert make_module().logvar_x is None


def test_a_gaussians_likelihood_is_in_the_bound(make_module: MakeModule, images: Tensor) -> None:
    module = narrow(make_module(likelihood="gaussian", binarize="none")).eval()
    with torch.no_grad():
        module.logvar_x.fill_(-1.2)  # type: ignore[union-attr]
        mean = module.decoder(module.encode(images)[0])
    expected = torch.distributions.Normal(mean, math.exp(-0.6)).log_prob(images).sum((1, 2, 3))
    torch.testing.assert_close(module.elbo(images, seed=0)[1], expected, rtol=1e-4, atol=1e-2)


# --- the protocol of an autoencoder ------------------------------------------------------------------------------


@pytest.mark.parametrize("latent_dim", [1, 2, 20])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_shapes_and_ranges(make_module: MakeModule, images: Tensor, latent_dim: int, likelihood: str) -> None:
    module = make_module(latent_dim=latent_dim, likelihood=likelihood, binarize="none")
    mu, logvar = module.encode(images)
    assert mu.shape == logvar.shape == module.draw_latents(3, seed=0).shape == (3, latent_dim)
    drawn = module.sample(3, seed=0), module.reconstruct(images), module.decode(mu)
    assert torch.equal(drawn[1], drawn[2])
    for made in drawn:
        assert made.shape == (3, 1, 28, 28)
        assert not made.requires_grad
        assert 0 <= made.min() <= made.max() <= 1
    assert module.elbo(images, seed=0)[0].shape == module.importance_weighted_bound(images, k=2, seed=0).shape == (3,)


def test_nothing_that_is_asked_heeds_the_mode_or_trains(
    make_module: MakeModule, data: VaeDataModule, train: Train, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = train(make_module(), data, 3).module.train()
    before, state = copies(module), torch.get_rng_state()

    def answers() -> list[Tensor]:
        bound = module.importance_weighted_bound(images, k=3, seed=0)
        asked = [*module.encode(images), *module.elbo(images, seed=0), bound]
        return [module.sample(5, seed=1), module.reconstruct(images), *asked]

    found = answers()
    assert all(part.training for part in module.modules()), "each part is in its own mode again"
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    monkeypatch.setattr(vae_module, "CHUNK", 2)
    module.eval()
    for again, value in zip(answers(), found, strict=True):
        torch.testing.assert_close(again, value, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(module.decode(module.draw_latents(5, seed=1)[3:4]), found[0][3:4])


@settings(max_examples=10)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_latent_depends_on_the_seed_and_its_own_place_alone(
    make_module: MakeModule, one: int, other: int, seed: int
) -> None:
    module = make_module(latent_dim=3)
    few, many = sorted((one, other))
    assert torch.equal(module.draw_latents(few, seed=seed), module.draw_latents(many, seed=seed)[:few])


@pytest.mark.parametrize("shape", [(3, 1), (3, 3), (2,), (1, 3, 2)])
def test_latents_of_the_wrong_length_are_refused(make_module: MakeModule, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^`z` must have shape \(N, 2\); got \(.*\) \(model\.latent_dim\)$") as error:
        make_module().decode(torch.zeros(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"latent_dim": 0}, "model.latent_dim"),
        ({"likelihood": "bernouli"}, "model.likelihood; did you mean bernoulli?"),
        ({"binarize": "dynamc"}, "model.binarize; did you mean dynamic?"),
        ({"binarize": True}, "model.binarize"),
        ({"beta": -0.5}, "model.beta"),
        ({"beta": math.inf}, "model.beta"),
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
    make_module: MakeModule, data: VaeDataModule, train: Train, tmp_path: Path
) -> None:
    train(make_module(), data, 1).trainer.save_checkpoint(tmp_path / "saved.ckpt")
    content = torch.load(tmp_path / "saved.ckpt", weights_only=True)
    assert content["genlab"] == {"model": "vae", "facts": data.facts()}
    make_module().on_load_checkpoint(content)
    for record in ({}, {"genlab": {}}, {"genlab": {"model": "dcgan"}}):
        other = {name: value for name, value in content.items() if name != "genlab"} | record
        with pytest.raises(ValueError, match=r"^`checkpoint` must be of a vae; got (None|'dcgan') \(run_dir\)$"):
            make_module().on_load_checkpoint(other)


@pytest.fixture(scope="module")
def straight(make_module: MakeModule, data: VaeDataModule, train: Train) -> Any:
    return train(make_module(0), data, 8)


@pytest.mark.parametrize("stop", [4, 6], ids=["in a pass", "where a pass ends"])
def test_a_resumed_run_is_the_straight_one_bit_for_bit(
    make_module: MakeModule,
    data: VaeDataModule,
    straight: Any,
    train_in_two_parts: Callable[..., Any],
    assert_bit_for_bit: Callable[..., None],
    tmp_path: Path,
    stop: int,
) -> None:
    """The noise of the latents and that of the binary images go on where they were."""

    def make(seed: int) -> VaeModule:
        return make_module(seed)

    resumed = train_in_two_parts(make, data, stop, 8, tmp_path / "last.ckpt")
    assert_bit_for_bit(resumed, straight, stop)
