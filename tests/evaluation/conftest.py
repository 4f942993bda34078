"""Models of text and of images, judges and data whose figures can be worked out by hand.

Axes of images: N images, P pixels, L latent dimensions, D features, K classes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab.evaluation.image_data import ImageData, LabelledImages, to_bytes

SIDE = 6
PIXELS = SIDE * SIDE
CLASSES = 4
NOISE = 0.04


@dataclass
class FakeModel:
    """Says ``says(prompt, temperature)``, cut to the length asked for; every character has probability 1/4.

    ``calls`` keeps what it was asked.
    """

    says: Callable[[str, float], str] = lambda prompt, temperature: ""
    log_prob_of_each: float = -2 * float(np.log(2))
    calls: list[dict[str, Any]] = field(default_factory=list)

    def sample(
        self, count: int, length: int, *, temperature: float, seed: int, prompts: Sequence[str] | None = None
    ) -> list[str]:
        self.calls.append({"count": count, "length": length, "temperature": temperature, "seed": seed})
        assert prompts is None or len(prompts) == count
        return [self.says(prompt, temperature)[:length] for prompt in prompts or [""] * count]

    def log_prob(self, text: str) -> NDArray[np.float64]:
        return np.full(len(text) - 1, self.log_prob_of_each)


@pytest.fixture
def fake_model() -> type[FakeModel]:
    return FakeModel


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def patterns() -> Tensor:
    """One image of each class (K, P), gray levels between 0.25 and 0.75."""
    return 0.25 + 0.5 * torch.rand(CLASSES, PIXELS, generator=generator(77))


def drawn(count: int, seed: int, noise: float = NOISE) -> tuple[Tensor, Tensor]:
    """Images of random classes, a pattern and Gaussian noise on every pixel, as bytes, and their labels."""
    source = generator(seed)
    labels = torch.randint(CLASSES, (count,), generator=source)
    pixels = patterns()[labels] + noise * torch.randn(count, PIXELS, generator=source)
    return to_bytes(pixels).reshape(-1, 1, SIDE, SIDE), labels


def labelled(count: int, seed: int) -> LabelledImages:
    return LabelledImages(*drawn(count, seed))


class LinearJudge:
    """Features are a projection of the pixels; the class is that of the nearest pattern, with some confidence."""

    num_classes = CLASSES

    def __init__(self, dim: int = 5, sharpness: float = 40.0) -> None:
        weight = torch.randn(PIXELS, dim, generator=generator(5))
        self.weight = torch.linalg.qr(weight).Q
        self.sharpness = sharpness
        self.calls: list[int] = []

    def embed(self, x: Tensor) -> Tensor:
        self.calls.append(len(x))
        return x.flatten(1) @ self.weight

    def probabilities(self, x: Tensor) -> Tensor:
        squares = (x.flatten(1)[:, None] - patterns()).square().sum(dim=2)
        return torch.softmax(-self.sharpness * squares, dim=1)


class PixelJudge:
    """Features are the gray levels, 0 to 255: distances are those of the bytes."""

    num_classes = CLASSES

    def embed(self, x: Tensor) -> Tensor:
        return x.flatten(1) * 255

    def probabilities(self, x: Tensor) -> Tensor:
        return torch.full((len(x), self.num_classes), 1 / self.num_classes)


@dataclass(eq=False)
class Emits:
    """A generator that emits ``make(count, seed)``, floats (N, 1, SIDE, SIDE); its latent space is not asked."""

    make: Callable[[int, int], Tensor]
    latent_dim: int = 2
    calls: list[tuple[int, int]] = field(default_factory=list)

    def sample(self, count: int, *, seed: int) -> Tensor:
        self.calls.append((count, seed))
        return self.make(count, seed)

    def draw_latents(self, count: int, *, seed: int) -> Tensor:
        return torch.randn(count, self.latent_dim, generator=generator(seed))

    def decode(self, z: Tensor) -> Tensor:
        raise NotImplementedError


@dataclass(eq=False)
class Steered:
    """Draws the pattern of ``stands_for[label]`` with noise of ``width``: z is [label, noise of every pixel].

    With ``by_style`` it is the style's first number that says which pattern, and the identity says nothing.
    """

    stands_for: Sequence[int] = tuple(range(CLASSES))
    width: float = NOISE
    labels_are_digits: bool = True
    num_labels: int = CLASSES
    separable: bool = True
    by_style: bool = False
    latent_dim: int = 1 + PIXELS

    def draw_latents(self, count: int, *, seed: int, label: int | Tensor | None = None) -> Tensor:
        source = generator(seed)
        labels = torch.randint(max(1, self.num_labels), (count,), generator=source)
        if label is not None:
            labels = torch.as_tensor(label).expand(count)
        return torch.cat([labels[:, None].float(), torch.randn(count, PIXELS, generator=source)], dim=1)

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        return torch.cat([identity[:, :1], style[:, 1:]], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        chosen = (z[:, 1].abs() * 100 if self.by_style else z[:, 0]).long() % CLASSES
        pixels = patterns()[torch.tensor(self.stands_for)[chosen]] + self.width * z[:, 1:]
        return pixels.reshape(-1, 1, SIDE, SIDE)

    def sample(self, count: int, *, seed: int) -> Tensor:
        return self.decode(self.draw_latents(count, seed=seed))


class LinearGaussian:
    """z ~ N(0, I); pixels are W z + b and noise of one variance. log p(x) is known.

    The encoder is right about the posterior but for a factor ``widen`` on its standard deviation; W has orthogonal
    columns, so that the posterior's covariance is diagonal, as an encoder's is.
    """

    likelihood = "gaussian"
    binarize = "none"

    def __init__(self, latent_dim: int = 2, widen: float = 1.0, noise: float = 0.2, scale: float = 0.3) -> None:
        self.latent_dim, self.widen, self.noise = latent_dim, widen, noise
        self.weight = scale * torch.linalg.qr(torch.randn(PIXELS, latent_dim, generator=generator(8))).Q
        self.scale = scale
        self.centre = patterns().mean(dim=0)

    def draw_latents(self, count: int, *, seed: int) -> Tensor:
        return torch.randn(count, self.latent_dim, generator=generator(seed))

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.weight.T + self.centre).reshape(-1, 1, SIDE, SIDE)

    def sample(self, count: int, *, seed: int) -> Tensor:
        return self.decode(self.draw_latents(count, seed=seed))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        variance = 1 / (1 + self.scale**2 / self.noise**2)
        mu = variance / self.noise**2 * (x.flatten(1) - self.centre) @ self.weight
        return mu, torch.full_like(mu, math.log(variance * self.widen**2))

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x)[0])

    def log_prob(self, x: Tensor) -> Tensor:
        covariance = self.weight @ self.weight.T + self.noise**2 * torch.eye(PIXELS)
        normal = torch.distributions.MultivariateNormal(self.centre, covariance)
        exact: Tensor = normal.log_prob(x.flatten(1))
        return exact

    def _normal(self, mean: Tensor, std: Tensor | float, at: Tensor) -> Tensor:
        total: Tensor = torch.distributions.Normal(mean, std, validate_args=False).log_prob(at).sum(dim=-1)
        return total

    def elbo(self, x: Tensor, *, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        mu, logvar = self.encode(x)
        z = mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=generator(seed))
        log_likelihood = self._normal(self.decode(z).flatten(1), self.noise, x.flatten(1))
        kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)
        return log_likelihood - kl, log_likelihood, kl

    def importance_weighted_bound(self, x: Tensor, *, k: int, seed: int, chunk: int = 100) -> Tensor:
        mu, logvar = self.encode(x)
        noise = torch.randn(len(x), k, self.latent_dim, generator=generator(seed))
        weights = []
        for part in torch.split(noise, chunk, dim=1):
            std = torch.exp(0.5 * logvar)[:, None]
            z = mu[:, None] + std * part
            pixels = self.decode(z.flatten(0, 1)).reshape(len(x), -1, PIXELS)
            joint = self._normal(pixels, self.noise, x.flatten(1)[:, None]) + self._normal(torch.zeros(()), 1.0, z)
            weights.append(joint - self._normal(mu[:, None], std, z))
        return torch.logsumexp(torch.cat(weights, dim=1), dim=1) - math.log(k)


def image_data(judge: Any = None, train: int = 400, val: int = 120, test: int = 200) -> ImageData:
    """Three splits of the same distribution, different images; ``judge`` None stands for a :class:`LinearJudge`."""
    return ImageData(
        train=labelled(train, 1),
        val=labelled(val, 2),
        test=labelled(test, 3),
        num_classes=CLASSES,
        name="patterns",
        judge=LinearJudge() if judge is None else judge,
        judge_sha256="1234",
        judge_run="runs/classifier",
        witness=LinearJudge(dim=4),
        witness_sha256="5678",
    )


@pytest.fixture
def fakes() -> SimpleNamespace:
    """All that this file has for images."""
    return SimpleNamespace(
        SIDE=SIDE,
        PIXELS=PIXELS,
        CLASSES=CLASSES,
        generator=generator,
        patterns=patterns,
        drawn=drawn,
        labelled=labelled,
        image_data=image_data,
        LinearJudge=LinearJudge,
        PixelJudge=PixelJudge,
        Emits=Emits,
        Steered=Steered,
        LinearGaussian=LinearGaussian,
    )
