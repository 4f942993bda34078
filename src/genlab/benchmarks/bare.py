"""genlab's own image models in bare loops without Lightning: what the Trainer costs is told by them.

The same networks, batches, losses, memory format and precision as under ``genlab train``, and nothing else: no
logging, no checkpoints, no line of progress. Run as a program: options as JSON, a JSON object on the last line.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from genlab.classifier.augmentation import RandomAffine
from genlab.classifier.module import lr_factor
from genlab.classifier.nets import DigitNet
from genlab.datasets.image_batches import Augment, Batch, ImageBatches
from genlab.dcgan.losses import discriminator_loss, generator_loss
from genlab.dcgan.nets import Discriminator, Generator
from genlab.precision import in_full
from genlab.run.allocator import keep_freed_memory
from genlab.vae.losses import bernoulli_log_likelihood, kl, reparametrise
from genlab.vae.nets import Decoder, Encoder

LATENT_DIM = 100


class BareDcgan:
    """An update of the discriminator and one of the generator."""

    figures = ("train/loss_discriminator", "train/loss_generator")

    def __init__(self, steps: int) -> None:
        self.nets = nn.ModuleDict({"generator": Generator(LATENT_DIM), "discriminator": Discriminator()})
        self.nets.to(memory_format=torch.channels_last)
        self.generator, self.discriminator = self.nets["generator"], self.nets["discriminator"]
        self.optimizer_g, self.optimizer_d = (
            torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True) for net in self.nets.values()
        )

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Update both networks."""
        real = images * 2 - 1
        fake = self.generator(torch.randn(len(real), LATENT_DIM))
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake.detach())
        parts = discriminator_loss("non_saturating", in_full(real_logits), in_full(fake_logits))
        loss_discriminator = parts.real + parts.fake
        self.optimizer_d.zero_grad()
        loss_discriminator.backward()  # type: ignore[no-untyped-call]
        self.optimizer_d.step()
        self.discriminator.requires_grad_(False)
        loss_generator = generator_loss("non_saturating", in_full(self.discriminator(fake)))
        self.optimizer_g.zero_grad()
        loss_generator.backward()  # type: ignore[no-untyped-call]
        self.discriminator.requires_grad_(True)
        self.optimizer_g.step()
        return loss_discriminator.detach(), loss_generator.detach()


class BareVae:
    """An update of encoder and decoder on binary images."""

    figures = ("train/loss",)

    def __init__(self, steps: int) -> None:
        self.nets = nn.ModuleDict({"encoder": Encoder(2), "decoder": Decoder(2)})
        self.nets.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.nets.parameters(), lr=2e-4, fused=True)

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor]:
        """Update both networks."""
        x = torch.bernoulli(images)
        mu, logvar = map(in_full, self.nets["encoder"](x))
        decoded = self.nets["decoder"](reparametrise(mu, logvar, torch.randn_like(mu)))
        loss = (kl(mu, logvar) - bernoulli_log_likelihood(in_full(decoded), x)).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return (loss.detach(),)


class BareClassifier:
    """An update of the classifier, with its schedule over ``steps``."""

    figures = ("train/loss",)

    def __init__(self, steps: int) -> None:
        self.nets = nn.ModuleDict({"net": DigitNet()})
        self.nets.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(self.nets.parameters(), lr=3e-3, weight_decay=1e-2, fused=True)
        self.schedule = LambdaLR(self.optimizer, lambda iteration: lr_factor("one_cycle", iteration, steps))

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor]:
        """Update the network."""
        loss = functional.cross_entropy(in_full(self.nets["net"](images)), labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        return (loss.detach(),)


Loop = BareDcgan | BareVae | BareClassifier
"""``step`` updates on one batch and gives the losses that ``figures`` names, as ``genlab train`` logs them.

It takes images (B, 1, 28, 28) in [0, 1] and labels (B,).
"""

LOOPS: dict[str, type[BareDcgan] | type[BareVae] | type[BareClassifier]] = {
    "dcgan": BareDcgan,
    "vae": BareVae,
    "classifier": BareClassifier,
}


def augmentation(model: str) -> Augment | None:
    """What ``genlab train`` does to a model's training images."""
    return RandomAffine() if model == "classifier" else None


def rate(model: str, images: str, precision: str, batch: int, warm_up: int, steps: int) -> dict[str, float]:
    """Images a second over ``steps`` steps, after some that are not timed.

    ``images`` is a file of uint8 images and labels that ``torch.save`` wrote.
    """
    keep_freed_memory()
    content = torch.load(Path(images), weights_only=True)
    done = 0
    batches = ImageBatches(content["images"], content["labels"], batch, 0, lambda: done, augmentation(model))
    loop: Loop = LOOPS[model](warm_up + steps)
    began = 0.0
    while done < warm_up + steps:
        for one in batches:
            train_step(loop, one, precision)
            done += 1
            if done == warm_up:
                began = time.perf_counter()
            if done == warm_up + steps:
                break
    return {"rate": batch * steps / (time.perf_counter() - began)}


def train_step(loop: Loop, batch: Batch, precision: str) -> tuple[Tensor, ...]:
    """One step of a loop in the trainer's precision ``32-true`` or ``bf16-mixed``."""
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        return loop.step(batch.images, batch.labels)


def main(argv: Sequence[str] | None = None) -> int:
    """Call ``rate`` with the options."""
    options: dict[str, Any] = json.loads((sys.argv[1:] if argv is None else argv)[0])
    print(json.dumps(rate(**options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
