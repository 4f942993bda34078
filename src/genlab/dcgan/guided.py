"""Two designs in which a frozen classifier, the reader, tells the generator which digit it has drawn.

Axes: B batch, M training images, Z latent, E embedding, K digits.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from genlab.checks import at_least, in_range, one_of, positive
from genlab.dcgan.designs import Design, Label, Latents, Made, Reader, Term, chosen_labels, room_for, warmed_up
from genlab.precision import in_full

PRIORS = ("embeddings", "normal")
MATCHES = ("reading", "squared", "softmax")
CHUNK = 64  # images that the reader gets at once
RIDGE = 1e-4  # of a variance of 1, so that a covariance of few images has a Cholesky factor
UNFOLDED_LENGTH = 3.0  # of a digit's direction: that of ten coordinates of a label with the variance of noise


class Guided(Design):
    """A term of ``weight`` is added that reads the images: from pass ``start`` on, in full after ``warm_up`` more.

    ``gated``, it counts only as far as the discriminator is taken in: times twice the mean probability that it gives to
    generated images of being real, 1 at most. A reader is easily pleased by what is no digit at all, and a generator
    that pleases it before it draws digits never draws any: the discriminator wins for good.
    """

    needs_reader = True

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 10,
        iterations_per_pass: int = 1,
        weight: float = 2.0,
        start: float = 0.0,
        warm_up: float = 1.0,
        gated: bool = True,
    ) -> None:
        super().__init__(latent_dim, num_classes, iterations_per_pass)
        self.gated = gated
        self.weight = in_range("weight", weight, 0, math.inf, "model.design.weight")
        self.start = in_range("start", start, 0, math.inf, "model.design.start")
        self.warm_up = in_range("warm_up", warm_up, 0, math.inf, "model.design.warm_up")

    def weight_at(self, iteration: int, fake_logits: Tensor) -> float:
        """The term's weight in the update after ``iteration``, where the discriminator gives ``fake_logits`` (B,)."""
        weight = self.weight * warmed_up(iteration, self.iterations_per_pass, self.start, self.warm_up)
        if not (weight and self.gated):
            return weight
        return weight * min(1.0, 2 * float(in_full(fake_logits.detach()).sigmoid().mean()))


class EmbeddingMatch(Guided):
    """z = [z1, z2]: z1 is an embedding, to be found in the image by the reader, and z2 is N(0, I).

    With prior ``embeddings`` z1 is drawn as the reader's embeddings of real images are spread, a Gaussian a digit:
    there is an image for every z1. Around the digit's mean only ``spread`` of their standard deviation is drawn. With
    ``normal`` z1 is N(0, I), which almost never is the embedding of a digit. The generator is given z1 as whitening
    makes the embeddings round, and z2 times ``style_gain``: with a spread and a gain of 1, z1 says half of how a digit
    looks.

    ``match`` is what the term compares, the image's embedding e with z1: ``reading`` is the divergence (nats) of the
    digits that the reader's head reads in e from those that it reads in z1; ``squared`` the mean squared difference of
    e and z1 (a coordinate's variance is 1, so that 2 is what strangers have), which leaves z2 the less to decide the
    better it is met; ``softmax`` the divergence of the softmax of e itself from that of z1, as if they were logits.
    Raises ``ValueError`` for a name or size out of range.
    """

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 10,
        iterations_per_pass: int = 1,
        prior: str = "embeddings",
        match: str = "reading",
        embedding_dim: int = 50,
        spread: float = 0.5,
        style_gain: float = 1.5,
        weight: float = 2.0,
        start: float = 0.0,
        warm_up: float = 1.0,
        gated: bool = True,
    ) -> None:
        super().__init__(latent_dim, num_classes, iterations_per_pass, weight, start, warm_up, gated)
        self.prior = one_of("prior", prior, PRIORS, "model.design.prior")
        self.match = one_of("match", match, MATCHES, "model.design.match")
        width = self.embedding_dim = at_least("embedding_dim", embedding_dim, 1, "model.design.embedding_dim")
        room_for(latent_dim, width)
        self.style_gain = positive("style_gain", style_gain, "model.design.style_gain")
        self.spread = in_range("spread", spread, 0, 1, "model.design.spread")
        self.labels_are_digits = prior == "embeddings"
        self.num_labels = num_classes if self.labels_are_digits else 0
        self.noise_dim = latent_dim + 1
        self.means_KE: Tensor
        self.factors_KEE: Tensor
        self.shares_K: Tensor
        self.centre_E: Tensor
        self.whitening_EE: Tensor
        self.register_buffer("centre_E", torch.zeros(width))
        self.register_buffer("whitening_EE", torch.eye(width))
        self.register_buffer("means_KE", torch.zeros(num_classes, width))
        self.register_buffer("factors_KEE", torch.eye(width).repeat(num_classes, 1, 1))
        self.register_buffer("shares_K", torch.full((num_classes,), 1 / num_classes))

    def prepare(self, reader: Reader | None, images: Tensor, labels: Tensor) -> None:
        """Learn how the reader's embeddings of each digit are spread."""
        assert reader is not None
        with torch.no_grad():
            parts = [reader.embed(part.to(self.means_KE) / 255) for part in torch.split(images, CHUNK)]
        embeddings_ME, labels = torch.cat(parts).double(), labels.to(self.means_KE.device)
        ridge = RIDGE * torch.eye(self.embedding_dim, dtype=torch.float64, device=labels.device)
        for k in range(self.num_classes):
            of_k = embeddings_ME[labels == k]
            self.shares_K[k] = len(of_k) / len(labels)
            if len(of_k) > 1:
                self.means_KE[k] = of_k.mean(0)
                self.factors_KEE[k] = torch.linalg.cholesky(of_k.T.cov() + ridge)
        if self.prior == "embeddings":
            self.centre_E.copy_(embeddings_ME.mean(0))
            self.whitening_EE.copy_(torch.linalg.cholesky(embeddings_ME.T.cov() + ridge).inverse())

    def latents(self, noise: Tensor, labels: Label = None) -> Latents:
        """z1 of a digit drawn as often as the data have it, by the last number of ``noise``."""
        if self.prior == "normal":
            return Latents(super().latents(noise[:, :-1], labels).z, None)
        chosen = chosen_labels(noise[:, -1], labels, self.num_labels, self.shares_K)
        z1, z2 = noise[:, : self.embedding_dim], noise[:, self.embedding_dim : -1]
        around = self.spread * torch.einsum("bef,bf->be", self.factors_KEE[chosen].to(noise), z1)
        return Latents(torch.cat([self.means_KE[chosen].to(noise) + around, z2], dim=1), chosen)

    def enter(self, z: Tensor) -> Tensor:
        """[z1 whitened, ``style_gain`` times z2]."""
        z1, z2 = z[:, : self.embedding_dim], z[:, self.embedding_dim :]
        with torch.autocast(z.device.type, enabled=False):
            whitened = (z1 - self.centre_E.to(z)) @ self.whitening_EE.to(z).T
        return torch.cat([whitened, self.style_gain * z2], dim=1)

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        """z1 of one and z2 of the other."""
        return torch.cat([identity[:, : self.embedding_dim], style[:, self.embedding_dim :]], dim=1)

    def terms(self, reader: Reader | None, made: Made, iteration: int) -> dict[str, Term]:
        """How far the embedding of each image is from its z1; nothing before ``start``."""
        weight = self.weight_at(iteration, made.logits)
        if not weight:
            return {}
        assert reader is not None
        found, wanted = in_full(reader.embed((made.images + 1) / 2)), made.latents.z[:, : self.embedding_dim]
        if self.match == "squared":
            return {"loss_match": Term(F.mse_loss(found, wanted), weight)}
        if self.match == "reading":
            found, wanted = in_full(reader.head(found)), in_full(reader.head(wanted))
        return {"loss_match": Term(divergence(found, wanted), weight)}


def divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    """KL(softmax(wanted) || softmax(logits)) in nats, both (B, N): the batch's mean."""
    return F.kl_div(logits.log_softmax(1), wanted.log_softmax(1), reduction="batchmean", log_target=True)


class DigitMeans(Guided):
    """z from N(m_k, I) with means m_k = 0, ``spacing``, 2 ``spacing`` ... in every coordinate, one a digit.

    The reader's cross-entropy (nats) says how far the image is read as its digit. All means lie on one line, on which
    the neighbours overlap: at 100 coordinates and a spacing of 0.5 one latent in ninety is nearer to another's mean.
    With ``unfold`` the generator is given, for z itself, what z says by Bayes' rule: the direction of the likeliest
    digit, one of K at right angles, and z at right angles to all of them and to the line: how near z lies to the
    neighbour does not show, for a generator that sees it blends the two. That digit is what the image is to show: asked
    for the other one, a generator that cannot tell such latents from others would make all images a little doubtful.
    Without, it must cut a line into K pieces itself. Raises ``ValueError`` for a number out of range.
    """

    labels_are_digits = True

    def __init__(
        self,
        latent_dim: int,
        num_classes: int = 10,
        iterations_per_pass: int = 1,
        spacing: float = 0.5,
        unfold: bool = True,
        weight: float = 2.0,
        start: float = 0.0,
        warm_up: float = 1.0,
        gated: bool = True,
    ) -> None:
        super().__init__(latent_dim, num_classes, iterations_per_pass, weight, start, warm_up, gated)
        room_for(latent_dim, num_classes)
        self.num_labels = num_classes
        self.noise_dim = latent_dim + 1
        self.unfold = unfold
        means_K = positive("spacing", spacing, "model.design.spacing") * torch.arange(num_classes)
        directions_KZ = UNFOLDED_LENGTH * cosines(num_classes, latent_dim)
        self.means_K: Tensor
        self.directions_KZ: Tensor
        self.register_buffer("means_K", means_K, persistent=False)
        self.register_buffer("directions_KZ", directions_KZ, persistent=False)

    def latents(self, noise: Tensor, labels: Label = None) -> Latents:
        """``noise`` around a digit's mean; its last number draws the digit, each as likely as any other."""
        chosen = chosen_labels(noise[:, -1], labels, self.num_labels)
        return Latents(noise[:, :-1] + self.means_K[chosen].to(noise)[:, None], chosen)

    def beliefs(self, z: Tensor) -> Tensor:
        """The probability of each digit (B, K) given latents (B, Z): Bayes' rule, all digits as likely before."""
        means_K = self.means_K.to(z)
        return (z.sum(1, keepdim=True) * means_K - 0.5 * self.latent_dim * means_K**2).softmax(1)

    def digits(self, latents: Latents) -> Tensor:
        """The digits (B,) that the images are to show: with ``unfold`` the likeliest ones, else those asked for."""
        assert latents.labels is not None
        return self.beliefs(latents.z).argmax(1) if self.unfold else latents.labels

    def enter(self, z: Tensor) -> Tensor:
        """The latents with their means unfolded into directions of their own; as they are without ``unfold``."""
        if not self.unfold:
            return z
        digit = self.beliefs(z).argmax(1)
        directions_KZ, left = self.directions_KZ.to(z), z - z.mean(1, keepdim=True)
        with torch.autocast(z.device.type, enabled=False):
            in_their_plane = (left @ directions_KZ.T) @ directions_KZ / UNFOLDED_LENGTH**2
        return left - in_their_plane + directions_KZ[digit]

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        """``style`` moved along the line of means to the place of ``identity``, on which alone beliefs depend."""
        return style - style.mean(1, keepdim=True) + identity.mean(1, keepdim=True)

    def terms(self, reader: Reader | None, made: Made, iteration: int) -> dict[str, Term]:
        """The cross-entropy of what is read in each image with the digit that z says; nothing before ``start``."""
        weight = self.weight_at(iteration, made.logits)
        if not weight:
            return {}
        assert reader is not None
        logits = in_full(reader.head(reader.embed((made.images + 1) / 2)))
        return {"loss_reading": Term(F.cross_entropy(logits, self.digits(made.latents)), weight)}


def cosines(count: int, length: int) -> Tensor:
    """``count`` vectors (count, length) of length 1, at right angles to each other and to (1, 1, ...).

    Rows 1 .. count of the discrete cosine transform (DCT-II). Raises ``ValueError`` for ``count`` >= ``length``.
    """
    room_for(length, count)
    waves = torch.arange(1, count + 1, dtype=torch.float64)[:, None]
    places = torch.arange(length, dtype=torch.float64) + 0.5
    rows: Tensor = (2 / length) ** 0.5 * torch.cos(math.pi / length * waves * places)
    return rows.float()
