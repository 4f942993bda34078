"""Watchdogs over trainings that go on well by their losses and badly by what they make."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from genlab.checks import at_least, in_range, positive
from genlab.run.diagnoses import forget_later, warn

ACTIVE_VARIANCE = 0.01
"""The variance of a latent's posterior mean over images from which it counts as active (Burda et al. 2016)."""


class Stretch:
    """Since which iteration something has been so at every look."""

    def __init__(self) -> None:
        self.since: int | None = None

    def lasts(self, so: bool, iteration: int, patience: int) -> bool:
        """Take in one look; whether it has been so for ``patience`` iterations now."""
        self.since = (iteration if self.since is None else self.since) if so else None
        return self.since is not None and iteration - self.since >= patience


class GanCollapse(Callback):
    """Warns of a discriminator that has won, and of a generator whose images are all alike.

    *discriminator won*: at every look for ``patience`` iterations it was right about every image of its batch, real
    and generated, by ``train/accuracy_real`` and ``train/accuracy_fake``; the generator then learns next to nothing.
    *mode collapse*: at every validation for as long the pixels of ``count`` generated images (latents by ``seed``)
    spread over the images by less than ``spread`` of what they do over a batch of real ones, as means of standard
    deviations. Of several processes the first one looks. Raises ``ValueError`` for a number out of range.
    """

    only_looks = True

    def __init__(self, patience: int = 2000, spread: float = 0.2, count: int = 64, seed: int = 0) -> None:
        path = "callbacks.gan_collapse"
        self.patience = at_least("patience", patience, 1, f"{path}.patience")
        self.spread = in_range("spread", spread, 0, 1, f"{path}.spread", low_open=True)
        self.count = at_least("count", count, 2, f"{path}.count")
        self.seed = at_least("seed", seed, 0, f"{path}.seed")
        self._won, self._alike = Stretch(), Stretch()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Drop warnings that a resumed run will come to again."""
        forget_later(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the discriminator's accuracies whenever figures are logged."""
        self._images = batch.images
        if trainer.fit_loop.epoch_loop._batches_that_stepped % trainer.log_every_n_steps:  # type: ignore[attr-defined]
            return
        shares = [trainer.callback_metrics.get(f"train/accuracy_{kind}") for kind in ("real", "fake")]
        right = all(share is not None and float(share) == 1.0 for share in shares)
        if self._won.lasts(right, trainer.global_step, self.patience):
            said = f"it was right about every image for {self.patience:,} iterations; try model.dropout or a lower rate"
            warn(trainer, "discriminator won", said)

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Compare the spread of generated images with that of the last batch of real ones."""
        if trainer.sanity_checking:  # there was none yet
            return
        share = _spread(pl_module.sample(self.count, seed=self.seed)) / max(_spread(self._images), 1e-12)
        if self._alike.lasts(share < self.spread, trainer.global_step, self.patience):
            said = f"generated images spread by {share:.2f} of what real ones do: all latents give nearly one image"
            warn(trainer, "mode collapse", said)

    def state_dict(self) -> dict[str, Any]:
        """Since when it has been so, for a run that goes on."""
        return {"won": self._won.since, "alike": self._alike.since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up."""
        self._won.since, self._alike.since = state_dict["won"], state_dict["alike"]


class PosteriorCollapse(Callback):
    """Warns of a VAE whose latents say nothing of the image: *posterior collapse*.

    That is so if at every validation for ``patience`` iterations ``val/kl`` is below ``kl`` nats an image, or no
    latent is active: the means of q(z | x) vary by less than 0.01 over the first batch of held-out images, in every
    dimension. Of several processes the first one looks. Raises ``ValueError`` for a number out of range.
    """

    only_looks = True

    def __init__(self, patience: int = 1000, kl: float = 0.1) -> None:
        self.patience = at_least("patience", patience, 1, "callbacks.posterior_collapse.patience")
        self.kl = positive("kl", kl, "callbacks.posterior_collapse.kl")
        self._silent = Stretch()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Drop warnings that a resumed run will come to again."""
        forget_later(trainer)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the first images."""
        if batch_idx == 0:
            self._images = batch.images

    def on_validation_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Look at the KL and at the means."""
        mu, _ = pl_module.encode(self._images)
        active = int((mu.float().var(0, correction=0) >= ACTIVE_VARIANCE).sum())
        kl = float(trainer.callback_metrics.get("val/kl", torch.inf))
        if self._silent.lasts(active == 0 or kl < self.kl, trainer.global_step, self.patience):
            said = f"KL {kl:.3f} nats, {active} of {mu.shape[1]} latents active; try a lower model.beta"
            warn(trainer, "posterior collapse", said)

    def state_dict(self) -> dict[str, Any]:
        """Since when it has been so, for a run that goes on."""
        return {"silent": self._silent.since}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it up."""
        self._silent.since = state_dict["silent"]


def _spread(images: Tensor) -> float:
    """The standard deviation of each pixel over the images (N, C, H, W), as a mean over pixels."""
    return float(images.float().std(0, correction=0).mean())
