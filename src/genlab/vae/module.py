"""The variational autoencoder as a LightningModule, and as a model that can be sampled and scored."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer

from genlab.checks import at_least, in_range, one_of, refuse, shape_taken
from genlab.datasets.image_batches import Batch
from genlab.eval_mode import eval_mode
from genlab.latents import draw_normal, refuse_other_latents
from genlab.own_record import read_record, record_of
from genlab.precision import in_full
from genlab.processes import in_order, is_mine, means
from genlab.vae.losses import (
    LIKELIHOODS,
    bernoulli_log_likelihood,
    gaussian_log_density,
    gaussian_log_likelihood,
    kl,
    reparametrise,
)
from genlab.vae.nets import IMAGE_SHAPE, Decoder, Encoder

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]

BINARIZE = ("dynamic", "threshold", "none")
MODEL = "vae"
CHUNK = 64  # images that go through a network at once where nothing is trained: their maps stay in a cache


class VaeModule(pl.LightningModule):
    """Trains an encoder and a decoder to maximise log p(x | z) - ``beta`` * KL(q(z | x) || p(z)).

    ``likelihood`` is ``bernoulli`` or ``gaussian`` (with one variance for all pixels, learned). ``binarize`` says what
    images are scored: ``dynamic`` draws each pixel anew with its brightness as its probability, ``threshold`` cuts at
    one half, ``none`` leaves them gray, as a Gaussian likelihood needs them. The facts come from the
    datamodule. Logged, nats an image: ``train/elbo``, ``train/log_likelihood``, ``train/kl`` (never scaled by beta) and
    ``train/loss``, what is minimised; the same under ``val/``, with the same random numbers each time. Of several
    processes each normalises its own batch; figures are means over the batches of all.

    Raises ``ValueError`` for a size, weight or name out of range.
    """

    precisions = ("32-true", "64-true", "bf16-mixed", "16-mixed")
    # What may say which weights are best: the figures of held-out images.
    monitors = ("val/elbo", "val/log_likelihood", "val/kl", "val/loss")

    def __init__(
        self,
        optimizer: MakeOptimizer,
        image_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        iterations_per_pass: int = 1,
        latent_dim: int = 2,
        likelihood: str = "bernoulli",
        binarize: str = "dynamic",
        beta: float = 1.0,
    ) -> None:
        super().__init__()
        self.facts: dict[str, Any] = {
            "image_shape": shape_taken(image_shape, IMAGE_SHAPE, "VAE"),
            "num_classes": num_classes,
            "iterations_per_pass": iterations_per_pass,
        }
        self.latent_dim = at_least("latent_dim", latent_dim, 1, "model.latent_dim")
        self.likelihood = one_of("likelihood", likelihood, LIKELIHOODS, "model.likelihood")
        self.binarize = one_of("binarize", binarize, BINARIZE, "model.binarize")
        if likelihood == "gaussian" and binarize != "none":  # its density of black and white pixels has no bound
            raise refuse("binarize", "be none where the likelihood is gaussian", binarize, "model.binarize")
        self.beta = in_range("beta", beta, 0, math.inf, "model.beta")
        self.encoder, self.decoder = Encoder(latent_dim), Decoder(latent_dim)
        self.logvar_x = nn.Parameter(torch.zeros(())) if likelihood == "gaussian" else None
        self.to(memory_format=torch.channels_last)
        self.make_optimizer = optimizer

    # --- training ----------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Optimizer:
        """The optimiser over all parameters."""
        return self.make_optimizer(self.parameters())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Minus the batch's mean bound, with the KL weighted by beta."""
        x = self._binarized(batch.images, None)
        mu, logvar = self._encode(x)
        log_likelihood, divergence = self._bound(x, mu, logvar, torch.randn_like(mu))
        loss = (self.beta * divergence - log_likelihood).mean()
        figures = means(_figures("train", loss.detach(), log_likelihood.detach(), divergence.detach()))
        if not torch.isfinite(figures["train/loss"]):
            raise FloatingPointError(
                f"the loss is {float(figures['train/loss'])} at iteration {self.trainer.global_step + 1}: "
                "lower optimizer.lr"
            )
        self._log(figures, self.trainer.global_step + 1)
        return loss

    def _encode(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        mu, logvar = self.encoder(x_BCHW)
        return in_full(mu), in_full(logvar)

    def _bound(self, x: Tensor, mu: Tensor, logvar: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return log p(x | z) at one draw of z, and the KL in closed form, each (B,)."""
        z = reparametrise(mu, logvar, noise)
        return self._log_likelihood(self.decoder(z), x), kl(mu, logvar)

    def _log_likelihood(self, decoded: Tensor, x: Tensor) -> Tensor:
        if self.logvar_x is None:
            return bernoulli_log_likelihood(in_full(decoded), x)
        return gaussian_log_likelihood(in_full(decoded), x, self.logvar_x)

    def _binarized(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        if self.binarize == "none":
            return images
        if self.binarize == "threshold":
            return (images > 0.5).to(images)
        return torch.bernoulli(images, generator=generator)

    def _log(self, figures: dict[str, Tensor], iteration: int) -> None:
        """Log figures against the iteration, which is what Lightning takes a figure called ``step`` for."""
        self.log_dict({**figures, "step": float(iteration)}, batch_size=1)

    # --- validation --------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Start with the random numbers that every validation starts with."""
        self._generator = torch.Generator().manual_seed(0)
        self._parts: list[tuple[Tensor, Tensor]] = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the bound's parts of a batch; of several processes each takes its share of the batches.

        All of them draw the random numbers of every batch: which process takes it changes nothing.
        """
        x = self._binarized(batch.images.cpu(), self._generator).to(batch.images)
        noise = torch.randn(len(x), self.latent_dim, generator=self._generator)
        if is_mine(batch_idx):
            mu, logvar = self._encode(x)
            self._parts.append(self._bound(x, mu, logvar, noise.to(mu)))

    def on_validation_epoch_end(self) -> None:
        """Log the means over all held-out images."""
        log_likelihood, divergence = (torch.cat(parts) for parts in zip(*in_order(self._parts), strict=True))
        loss = (self.beta * divergence - log_likelihood).mean()
        self._log(_figures("val", loss, log_likelihood, divergence), self.trainer.global_step)

    # --- what a checkpoint carries beside the weights ----------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model's kind and facts; plain values only."""
        checkpoint |= record_of(MODEL, self.facts)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises ``ValueError`` for a checkpoint of another model."""
        read_record(checkpoint, MODEL)

    # --- the protocol of image evaluation ----------------------------------------------------------------------

    def draw_latents(self, count: int, *, seed: int) -> Tensor:
        """Draws from the prior N(0, I): (count, latent_dim)."""
        return draw_normal(count, self.latent_dim, seed).to(next(self.parameters()))

    def decode(self, z: Tensor) -> Tensor:
        """The means of p(x | z), (N, 1, 28, 28) in [0, 1], for latents (N, latent_dim).

        Here and below batch norms take their running statistics: no figure depends on the images beside it.
        """
        refuse_other_latents(z, self.latent_dim)
        with eval_mode(self):
            decoded = torch.cat([self.decoder(part) for part in torch.split(z, CHUNK)])
        return torch.sigmoid(decoded) if self.logvar_x is None else decoded.clamp(0, 1)

    def sample(self, count: int, *, seed: int) -> Tensor:
        """``count`` images (count, 1, 28, 28) in [0, 1]: the means of p(x | z) for draws of z from the prior."""
        return self.decode(self.draw_latents(count, seed=seed))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each (N, latent_dim), for images (N, 1, 28, 28) in [0, 1].

        Grayscale images are taken as they are, also by an encoder that was trained on binary ones: their values are
        what such an image is on average.
        """
        with eval_mode(self):
            parts = [self.encoder(part) for part in torch.split(x, CHUNK)]
        mu, logvar = (torch.cat(each) for each in zip(*parts, strict=True))
        return mu, logvar

    def reconstruct(self, x: Tensor) -> Tensor:
        """What the mean of q(z | x) is decoded to, (N, 1, 28, 28) in [0, 1], of images as :meth:`encode` takes them."""
        return self.decode(self.encode(x)[0])

    def elbo(self, x: Tensor, *, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """The bound, log p(x | z) and the KL of grayscale images, nats an image, each (N,); one draw of z an image.

        Images are made binary as in training, with random numbers from ``seed``.
        """
        generator = torch.Generator().manual_seed(seed)
        binary = self._binarized(x.cpu(), generator).to(x)
        mu, logvar = self.encode(binary)
        noise = torch.randn(mu.shape, generator=generator).to(mu)
        chunks = zip(*(torch.split(each, CHUNK) for each in (binary, mu, logvar, noise)), strict=True)
        with eval_mode(self):
            parts = [self._bound(*chunk) for chunk in chunks]
        log_likelihood, divergence = (torch.cat(each) for each in zip(*parts, strict=True))
        return log_likelihood - divergence, log_likelihood, divergence

    def importance_weighted_bound(self, x: Tensor, *, k: int, seed: int, chunk: int = 100) -> Tensor:
        """Log of the mean of ``k`` importance weights p(x, z) / q(z | x), nats an image (N,).

        At k = 1 this is a draw of the bound above; it rises to log p(x) with k (Burda et al. 2016, arXiv 1509.00519).
        ``chunk`` draws of z are decoded at once for each image, which bounds the memory and changes nothing else.
        """
        at_least("k", k, 1, "k")
        at_least("chunk", chunk, 1, "chunk")
        generator = torch.Generator().manual_seed(seed)
        binary = self._binarized(x.cpu(), generator).to(x)
        mu, logvar = self.encode(binary)
        images = zip(binary, mu, logvar, strict=True)
        with eval_mode(self):
            return torch.stack([self._importance_weighted(*image, k, chunk, generator) for image in images])

    def _importance_weighted(
        self, x_CHW: Tensor, mu_Z: Tensor, logvar_Z: Tensor, k: int, chunk: int, generator: torch.Generator
    ) -> Tensor:
        noise_KZ = torch.randn(k, self.latent_dim, generator=generator).to(mu_Z)
        z_KZ = reparametrise(mu_Z, logvar_Z, noise_KZ)
        log_prior = gaussian_log_density(z_KZ, torch.zeros_like(mu_Z), torch.zeros_like(mu_Z))
        log_posterior = gaussian_log_density(z_KZ, mu_Z, logvar_Z)
        log_likelihood = torch.cat(
            [self._log_likelihood(self.decoder(part), x_CHW) for part in torch.split(z_KZ, chunk)]
        )
        return torch.logsumexp(log_likelihood + log_prior - log_posterior, 0) - math.log(k)


def _figures(stage: str, loss: Tensor, log_likelihood: Tensor, divergence: Tensor) -> dict[str, Tensor]:
    """The loss, and the means over the batch of the bound and its parts, by their full names."""
    figures = {"elbo": log_likelihood - divergence, "log_likelihood": log_likelihood, "kl": divergence}
    return {f"{stage}/{name}": value.mean() for name, value in figures.items()} | {f"{stage}/loss": loss}
