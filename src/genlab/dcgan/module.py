"""The DCGAN as a LightningModule: one iteration is an update of the discriminator and one of the generator.

What a run adds to a plain GAN is its design (``designs.py``); no step here knows which.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from genlab.checks import at_least, in_range, one_of, refuse, shape_taken
from genlab.datasets.image_batches import Batch
from genlab.dcgan.designs import Design, Label, Latents, Made, MakeDesign, Reader, Term
from genlab.dcgan.losses import (
    LOSSES,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)
from genlab.dcgan.nets import IMAGE_SHAPE, Discriminator
from genlab.eval_mode import eval_mode
from genlab.latents import draw_normal, refuse_other_latents
from genlab.own_record import read_record, record_of
from genlab.precision import in_full
from genlab.processes import in_order, is_mine, means

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]
MakeNet = Callable[..., nn.Module]
MakeDiscriminator = Callable[..., Discriminator]

MODEL = "dcgan"
CHUNK = 64  # images that go through a network at once where nothing is trained: their maps stay in a cache


class DcganModule(pl.LightningModule):
    """Trains a generator against a discriminator.

    ``generator`` and ``discriminator`` make the two networks; ``latent_dim``, ``dropout`` (of the discriminator) and
    ``init`` are handed to them. ``loss`` is one of ``losses.LOSSES``; ``penalty_weight`` is that of ``wgan_gp``'s
    gradient penalty, ``r1_weight`` adds the R1 penalty to any loss (0: none). With ``ema_decay`` above 0 samples are
    drawn from an exponential average of the generator's weights. ``design`` makes what is added to a plain GAN;
    ``reader`` is the frozen classifier that some designs train with (``needs_reader``), and only they.

    Logged: ``train/loss_discriminator_real``, ``_fake`` and their sum ``train/loss_discriminator`` (with the penalties,
    where there are any, as ``train/penalty``), ``train/loss_generator`` and beside it the design's terms, all without
    their weights; ``train/accuracy_real`` and ``train/accuracy_fake``, the shares of a batch that the discriminator
    reads rightly; ``val/loss_discriminator_real`` and ``val/accuracy_real`` on held-out images, with the batch norms'
    running statistics, which are of real and generated batches alike. ``trainer.global_step`` counts iterations, not
    updates. Of several processes each normalises its own batches; figures are means over the batches of all.

    Raises ``ValueError`` for a size, weight or name out of range.
    """

    # fp16 would need its loss scaled for either optimiser; a batch norm in bfloat16 alone loses its statistics.
    precisions = ("32-true", "64-true", "bf16-mixed")
    # What may say which weights are best: the figures of held-out images.
    monitors = ("val/loss_discriminator_real", "val/accuracy_real")

    def __init__(
        self,
        optimizer: MakeOptimizer,
        generator: MakeNet,
        discriminator: MakeDiscriminator,
        image_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        iterations_per_pass: int = 1,
        latent_dim: int = 100,
        dropout: float = 0.0,
        init: str = "normal",
        loss: str = "non_saturating",
        penalty_weight: float = 10.0,
        r1_weight: float = 0.0,
        ema_decay: float = 0.0,
        design: MakeDesign | None = None,
        reader: Reader | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.facts: dict[str, Any] = {
            "image_shape": shape_taken(image_shape, IMAGE_SHAPE, "DCGAN"),
            "num_classes": num_classes,
            "iterations_per_pass": iterations_per_pass,
        }
        self.latent_dim = at_least("latent_dim", latent_dim, 1, "model.latent_dim")
        self.loss = one_of("loss", loss, LOSSES, "model.loss")
        self.penalty_weight = in_range("penalty_weight", penalty_weight, 0, math.inf, "model.penalty_weight")
        self.r1_weight = in_range("r1_weight", r1_weight, 0, math.inf, "model.r1_weight")
        decay = in_range("ema_decay", ema_decay, 0, 1, "model.ema_decay", high_open=True)
        self.design = (design or Design)(
            latent_dim=latent_dim, num_classes=num_classes, iterations_per_pass=iterations_per_pass
        )
        self.generator = generator(latent_dim=latent_dim, init=init)
        planes = 1 + self.design.label_planes
        self.discriminator: Discriminator = discriminator(dropout=dropout, init=init, in_channels=planes)
        self.design.join(self.discriminator.feature_dim)
        self._reader = (reader,)  # in a tuple: its weights are no part of this module's
        self.to(memory_format=torch.channels_last)
        self.average = _average(self.generator, decay) if decay else None
        self.make_optimizer = optimizer

    # --- training ----------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> list[Optimizer]:
        """One optimiser a network, of the same kind and rate; what the design learns is the generator's."""
        ours = [*self.generator.parameters(), *self.design.parameters()]
        return [self.make_optimizer(ours), self.make_optimizer(self.discriminator.parameters())]

    @property
    def needs_reader(self) -> bool:
        """Whether this design trains with a frozen classifier."""
        return self.design.needs_reader

    @property
    def reader(self) -> Reader | None:
        """The frozen classifier that was handed in."""
        return self._reader[0]

    def on_fit_start(self) -> None:
        """Let the design look at the training images. Raises ``ValueError`` where it lacks a reader."""
        if self.needs_reader:
            if not isinstance(self.reader, nn.Module):
                raise refuse("reader", "be a classifier's run", None, "model.reader")
            self.reader.to(self.device).requires_grad_(False).eval()
        images = self.trainer.datamodule.train_set  # type: ignore[attr-defined]
        self.design.prepare(self.reader, images.images, images.labels)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Update the discriminator on real and generated images, then the generator against it."""
        generator_optimizer, discriminator_optimizer = self._optimizers()
        generator_optimizer.zero_grad()  # before the discriminator's: whatever has a gradient then is averaged
        real = batch.images * 2 - 1
        latents = self.design.latents(torch.randn(len(real), self.design.noise_dim, device=self.device))
        fake = self.generator(self.design.enter(latents.z))
        shown_real = self.design.shown(real, batch.labels)
        shown_fake = self.design.shown(fake, latents.labels)
        figures = self._discriminator_step(discriminator_optimizer, shown_real, shown_fake.detach())
        figures |= self._generator_step(generator_optimizer, fake, shown_fake, latents)
        if self.average is not None:
            self.average.update_parameters(self.generator)
        figures = means(figures)
        self._refuse_non_finite(figures)
        self._log(figures)

    def _optimizers(self) -> tuple[LightningOptimizer, Optimizer]:
        """The generator's, whose steps Lightning counts, and the discriminator's, whose steps it does not.

        Lightning counts every step of every optimiser that it hands out; an iteration is to count once.
        """
        both = self.optimizers()
        assert isinstance(both, list)
        return both[0], both[1].optimizer

    def _discriminator_step(self, optimizer: Optimizer, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        real_logits, fake_logits = in_full(self.discriminator(real)), in_full(self.discriminator(fake))
        loss = discriminator_loss(self.loss, real_logits, fake_logits)
        penalty = self._penalty(real, fake)
        optimizer.zero_grad()
        self.manual_backward(loss.real + loss.fake + penalty)
        optimizer.step()
        figures = {
            "train/loss_discriminator": loss.real + loss.fake,
            "train/loss_discriminator_real": loss.real,
            "train/loss_discriminator_fake": loss.fake,
            "train/accuracy_real": (real_logits > 0).float().mean(),
            "train/accuracy_fake": (fake_logits < 0).float().mean(),
        }
        return figures | ({"train/penalty": penalty} if isinstance(penalty, Tensor) else {})

    def _penalty(self, real: Tensor, fake: Tensor) -> Tensor | float:
        """The weighted gradient penalties that are on, in full precision; 0.0 where none is."""
        penalty: Tensor | float = 0.0
        with torch.autocast(self.device.type, enabled=False):
            if self.loss == "wgan_gp" and self.penalty_weight:
                share = torch.rand(len(real), device=real.device)
                between = gradient_penalty(self.discriminator, real, fake.to(real), share, IMAGE_SHAPE[0])
                penalty = self.penalty_weight * between
            if self.r1_weight:
                penalty = penalty + self.r1_weight * r1_penalty(self.discriminator, real, IMAGE_SHAPE[0])
        return penalty

    def _generator_step(
        self, optimizer: LightningOptimizer, fake: Tensor, shown: Tensor, latents: Latents
    ) -> dict[str, Tensor]:
        self.discriminator.requires_grad_(False)  # its gradients are not needed, and cost a third of the step
        features = self.discriminator.features(shown)
        logits = in_full(self.discriminator.logits(features))
        loss = generator_loss(self.loss, logits)
        made = Made(fake, latents, features, logits)
        terms = self.design.terms(self.reader, made, self.trainer.global_step)
        self.manual_backward(_weighted(loss, terms))
        self.discriminator.requires_grad_(True)
        optimizer.step()
        return {"train/loss_generator": loss, **{f"train/{name}": term.value for name, term in terms.items()}}

    def _refuse_non_finite(self, figures: dict[str, Tensor]) -> None:
        for name, value in figures.items():
            if not torch.isfinite(value):
                raise FloatingPointError(
                    f"{name} is {float(value.detach())} at iteration {self.trainer.global_step}: lower optimizer.lr"
                )

    def _log(self, figures: dict[str, Tensor]) -> None:
        """Log figures against the iteration, which is what Lightning takes a figure called ``step`` for."""
        values = {name: value.detach() for name, value in figures.items()}
        self.log_dict({**values, "step": float(self.trainer.global_step)}, batch_size=1)

    # --- validation --------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Start to gather."""
        self._held_out: list[Tensor] = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep what the discriminator makes of held-out images; of several processes each takes its share of them."""
        if not is_mine(batch_idx):
            return
        shown = self.design.shown(batch.images * 2 - 1, batch.labels)
        self._held_out.append(in_full(self.discriminator(shown)))

    def on_validation_epoch_end(self) -> None:
        """Log how far the discriminator knows held-out images for real ones."""
        logits = torch.cat(in_order(self._held_out))
        loss = discriminator_loss(self.loss, logits, logits).real
        self._log({"val/loss_discriminator_real": loss, "val/accuracy_real": (logits > 0).float().mean()})

    # --- what a checkpoint carries beside the weights ----------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model's kind and facts; plain values only."""
        checkpoint |= record_of(MODEL, self.facts)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises ``ValueError`` for a checkpoint of another model."""
        read_record(checkpoint, MODEL)

    # --- the protocol of image evaluation ----------------------------------------------------------------------

    @property
    def num_labels(self) -> int:
        """How many labels this generator can be asked for; 0 where it cannot be asked."""
        return self.design.num_labels

    @property
    def labels_are_digits(self) -> bool:
        """Whether those labels are the data's classes."""
        return self.design.labels_are_digits

    @property
    def separable(self) -> bool:
        """Whether a latent has an identity and a style."""
        return self.design.separable

    def draw_latents(self, count: int, *, seed: int, label: Label = None) -> Tensor:
        """Draws from the prior (count, latent_dim), which is N(0, I) for a plain GAN; of ``label`` where it is given.

        Raises ``ValueError`` for a label that the design does not have.
        """
        noise = draw_normal(count, self.design.noise_dim, seed).to(next(self.parameters()))
        return self.design.latents(noise, label).z

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        """Latents (N, latent_dim) with the identity of one and the style of the other; ``ValueError`` without these."""
        return self.design.combine(identity, style)

    def decode(self, z: Tensor) -> Tensor:
        """Images (N, 1, 28, 28) in [0, 1] for latents (N, latent_dim); from the averaged weights where there are any.

        Batch norms take their running statistics, so that an image does not depend on those beside it.
        """
        refuse_other_latents(z, self.latent_dim)
        net = self.generator if self.average is None else self.average
        with eval_mode(net):
            images = torch.cat([net(self.design.enter(part)) for part in torch.split(z, CHUNK)])
        return (images + 1) / 2

    def sample(self, count: int, *, seed: int, label: Label = None) -> Tensor:
        """``count`` images (count, 1, 28, 28) in [0, 1], of ``label`` where it is given (see :meth:`draw_latents`)."""
        return self.decode(self.draw_latents(count, seed=seed, label=label))


def _weighted(loss: Tensor, terms: dict[str, Term]) -> Tensor:
    """The adversarial loss with the design's terms, each times its weight."""
    for term in terms.values():
        loss = loss + term.weight * term.value
    return loss


def _average(generator: nn.Module, decay: float) -> AveragedModel:
    """An exponential average of the generator's weights and running statistics."""
    return AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]
