"""What may be added to a GAN: the latents of its generator, what its discriminator is shown, what else it minimises.

A plain GAN is the design with nothing added. Axes: B batch, Z latent, N noise, K labels.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.checks import at_least, refuse

Label = int | Tensor | None
"""A label for all latents, one for each (B,), or None: drawn."""


class Reader(Protocol):
    """A frozen classifier: embeds images (B, 1, 28, 28) in [0, 1] as (B, E); its head makes logits (B, K) of that."""

    @property
    def head(self) -> nn.Module:
        """From embeddings to logits (B, K)."""
        ...

    def embed(self, x_BCHW: Tensor, /) -> Tensor:
        """The embedding (B, E)."""
        ...


class Latents(NamedTuple):
    """Latents ``z`` (B, Z), and the label (B,) that each was drawn for; None where the design has no labels."""

    z: Tensor
    labels: Tensor | None


class Term(NamedTuple):
    """Something that the generator minimises beside its adversarial loss: a mean over the batch, and its weight now."""

    value: Tensor
    weight: float


class Made(NamedTuple):
    """What the generator has made in an update: ``images`` (B, 1, 28, 28) in [-1, 1] for ``latents``.

    ``features`` (B, D) and ``logits`` (B,) are what the discriminator makes of them.
    """

    images: Tensor
    latents: Latents
    features: Tensor
    logits: Tensor


class Design(nn.Module):
    """Nothing added: z from N(0, I), images shown to the discriminator as they are. The others inherit from it.

    ``noise_dim`` normal numbers make one latent. ``num_labels`` is how many labels the generator can be asked for (0:
    it cannot be asked), and ``labels_are_digits`` whether they are the data's classes; ``label_planes`` counts the
    channels that the discriminator gets beside the image. Parameters of a design are trained with the generator's.
    Raises ``ValueError`` for a ``latent_dim`` that is too small.
    """

    needs_reader = False
    labels_are_digits = False
    num_labels = 0
    label_planes = 0

    def __init__(self, latent_dim: int, num_classes: int = 10, iterations_per_pass: int = 1) -> None:
        super().__init__()
        self.latent_dim = at_least("latent_dim", latent_dim, 1, "model.latent_dim")
        self.num_classes, self.iterations_per_pass = num_classes, iterations_per_pass
        self.noise_dim = latent_dim

    # --- made ready --------------------------------------------------------------------------------------------

    def join(self, feature_dim: int) -> None:
        """Make what works on the discriminator's ``feature_dim`` features."""

    def prepare(self, reader: Reader | None, images: Tensor, labels: Tensor) -> None:
        """Look at the training images (M, 1, 28, 28) in bytes and their labels (M,) before training begins."""

    # --- latents -----------------------------------------------------------------------------------------------

    def latents(self, noise: Tensor, labels: Label = None) -> Latents:
        """The latents that normal numbers ``noise`` (B, N) stand for, of the ``labels`` asked for or of drawn ones.

        Raises ``ValueError`` for labels that the design does not have.
        """
        if labels is not None:
            raise refuse("label", "be left out: this generator cannot be asked for one", labels, "label")
        return Latents(noise, None)

    def enter(self, z: Tensor) -> Tensor:
        """What the generator's first layer is given for latents (B, Z)."""
        return z

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        """Latents (B, Z) with the identity (the label, where there are labels) of one and the style of the other.

        Raises ``ValueError`` where latents have no such parts.
        """
        raise refuse("design", "tell identity from style", type(self).__name__, "model.design")

    @property
    def separable(self) -> bool:
        """Whether latents have an identity and a style, which :meth:`combine` puts together anew."""
        return type(self).combine is not Design.combine

    # --- training ----------------------------------------------------------------------------------------------

    def shown(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """What the discriminator is shown of images (B, 1, 28, 28) with these labels (B,)."""
        return images

    def terms(self, reader: Reader | None, made: Made, iteration: int) -> dict[str, Term]:
        """What the generator minimises besides, by name, in the update after ``iteration``."""
        return {}


class Conditional(Design):
    """The label as input of both networks (Mirza and Osindero 2014, https://arxiv.org/abs/1411.1784).

    z is noise and then the label as K numbers of mean 0 and variance 1; the discriminator gets it as K planes of zeros
    and a plane of ones.
    """

    labels_are_digits = True

    def __init__(self, latent_dim: int, num_classes: int = 10, iterations_per_pass: int = 1) -> None:
        super().__init__(latent_dim, num_classes, iterations_per_pass)
        self.num_labels = self.label_planes = num_classes
        self.free_dim = room_for(latent_dim, num_classes)
        self.noise_dim = self.free_dim + 1

    def latents(self, noise: Tensor, labels: Label = None) -> Latents:
        """The last number of ``noise`` says which label is drawn, each as likely as any other."""
        chosen = chosen_labels(noise[:, -1], labels, self.num_labels)
        return Latents(torch.cat([noise[:, :-1], one_hot(chosen, self.num_labels).to(noise)], dim=1), chosen)

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        """The label of ``identity`` with the noise of ``style``."""
        return torch.cat([style[:, : self.free_dim], identity[:, self.free_dim :]], dim=1)

    def shown(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """The image and, as further channels, its label."""
        assert labels is not None
        planes = F.one_hot(labels, self.num_classes).to(images)[:, :, None, None]
        return torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], dim=1)


MakeDesign = Callable[..., Design]


def room_for(latent_dim: int, taken: int) -> int:
    """The coordinates of a latent that ``taken`` ones leave; ``ValueError`` where they leave none."""
    if latent_dim <= taken:
        raise refuse("latent_dim", f"be above the {taken} coordinates of a label", latent_dim, "model.latent_dim")
    return latent_dim - taken


def chosen_labels(numbers: Tensor, labels: Label, num_labels: int, shares: Tensor | None = None) -> Tensor:
    """The ``labels`` asked for (B,), or those that normal ``numbers`` (B,) draw, by ``shares`` (K,) if they are given.

    Raises ``ValueError`` for a label outside 0 .. K - 1.
    """
    if labels is None:
        uniform = torch.special.ndtr(numbers.double())
        if shares is None:
            shares = torch.full((num_labels,), 1 / num_labels, device=numbers.device)
        drawn: Tensor = torch.searchsorted(shares.double().cumsum(0), uniform).clamp(max=num_labels - 1)
        return drawn
    asked = torch.as_tensor(labels, device=numbers.device).long().expand(len(numbers))
    if bool((asked < 0).any()) or bool((asked >= num_labels).any()):
        raise refuse("label", f"be in 0 .. {num_labels - 1}", sorted(set(asked.tolist())), "label")
    return asked


def one_hot(labels: Tensor, num_labels: int) -> Tensor:
    """Labels (B,) as (B, K) numbers, each of mean 0 and variance 1 where labels are equally likely."""
    share = 1 / num_labels
    spread = (share * (1 - share)) ** 0.5 or 1.0
    numbers_BK: Tensor = (F.one_hot(labels, num_labels) - share) / spread
    return numbers_BK


def warmed_up(iteration: int, iterations_per_pass: int, start: float, warm_up: float) -> float:
    """A weight's factor: 0 until ``start`` passes, then up in a straight line to 1 within ``warm_up`` passes."""
    since = iteration / iterations_per_pass - start
    if since < 0:
        return 0.0
    return min(1.0, since / warm_up) if warm_up else 1.0
