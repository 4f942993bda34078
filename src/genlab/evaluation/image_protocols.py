"""What a measure may ask of a model of images and of a classifier, and what a measure of images is.

Axes: N images, C channels, H rows, W columns, L latent dimensions, D features, K classes. Images are floats in [0, 1].
"""

from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from genlab.evaluation.image_data import ImageData


class ImageModel(Protocol):
    """A generator of images from latent points."""

    @property
    def latent_dim(self) -> int:
        """Number L of coordinates of a latent point."""
        ...

    def sample(self, count: int, *, seed: int) -> Tensor:
        """``count`` images (N, C, H, W), without gradient; each depends on ``seed`` and its own place alone."""
        ...

    def draw_latents(self, count: int, *, seed: int) -> Tensor:
        """``count`` latent points (N, L) from the prior."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """The images (N, C, H, W) at latent points (N, L)."""
        ...


class Steerable(ImageModel, Protocol):
    """A generator whose latent points have an identity (what is drawn) and a style (how)."""

    @property
    def num_labels(self) -> int:
        """Number K of labels that it can be asked for; 0 where it cannot be asked."""
        ...

    @property
    def labels_are_digits(self) -> bool:
        """Whether these are the classes of the data, or codes that nobody has named."""
        ...

    @property
    def separable(self) -> bool:
        """Whether its latent points have two such parts at all."""
        ...

    def draw_latents(self, count: int, *, seed: int, label: int | Tensor | None = None) -> Tensor:
        """As of :class:`ImageModel`; of ``label``, one for all or (N,), where it is given."""
        ...

    def combine(self, identity: Tensor, style: Tensor) -> Tensor:
        """Latent points (N, L) with the identity of one and the style of the other."""
        ...


class Autoencoder(ImageModel, Protocol):
    """A generator that can also be asked about an image. Its likelihoods make images binary where it was trained so."""

    @property
    def likelihood(self) -> str:
        """What a pixel is taken to be, given the latent point: ``"bernoulli"`` or ``"gaussian"``."""
        ...

    @property
    def binarize(self) -> str:
        """How the images that it scores are made binary: ``"dynamic"``, ``"threshold"`` or ``"none"``."""
        ...

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent point given the image, each (N, L)."""
        ...

    def reconstruct(self, x: Tensor) -> Tensor:
        """The images (N, C, H, W) decoded from the means of :meth:`encode`."""
        ...

    def elbo(self, x: Tensor, *, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """ELBO, log-likelihood and KL of each image, each (N,), in nats, from one latent point an image."""
        ...

    def importance_weighted_bound(self, x: Tensor, *, k: int, seed: int, chunk: int = 100) -> Tensor:
        """Bound on log p(x) of each image (N,) in nats, from ``k`` latent points, ``chunk`` of them at a time."""
        ...


class Judge(Protocol):
    """A classifier: its embedding is the space in which images are compared."""

    @property
    def num_classes(self) -> int:
        """Number K of classes."""
        ...

    def embed(self, x: Tensor) -> Tensor:
        """Features (N, D) of images (N, C, H, W)."""
        ...

    def probabilities(self, x: Tensor) -> Tensor:
        """Probabilities (N, K) of the classes of images (N, C, H, W)."""
        ...


class ImageEvaluator(Protocol):
    """A measure of an image model: a frozen dataclass whose fields are its config.

    The result can be stored as JSON and has ``value`` (the headline figure; None where there is nothing to
    judge), ``unit``, ``count`` (how many things the value was taken over) and ``seed`` (None where nothing is
    drawn). Where it makes sense ``floor`` has the same figure of real images, and ``judge_sha256`` says which
    classifier's eyes were used.
    """

    def __call__(self, model: Any, data: "ImageData") -> dict[str, Any]:
        """Measure ``model`` (an ImageModel, an Autoencoder, or for a classifier a Judge) on ``data``."""
        ...
