"""Importance-weighted bound of test images: nearer to their log-likelihood than the ELBO is."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.checks import at_least
from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import Autoencoder
from genlab.evaluation.means import mean


@dataclass(frozen=True, kw_only=True)
class IwBound(ImageDraws):
    """Bound on log p(x) of ``count`` test images in nats an image, from ``k`` latent points each; higher is better.

    It rises with ``k`` towards log p(x), and is the ELBO on average for 1. ``gap`` is how far it lies above the ELBO
    of the same images. ``chunk`` latent points of an image are decoded at a time. ``likelihood`` and ``binarize`` as
    in the ELBO. Source: Burda et al., "Importance weighted autoencoders" (ICLR 2016), equation 8.
    """

    name: ClassVar[str] = "iw_bound"
    count: int = 500
    k: int = 100
    chunk: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("k", self.k, 1, self.path("k"))
        at_least("chunk", self.chunk, 1, self.path("chunk"))

    def __call__(self, model: Autoencoder, data: ImageData) -> dict[str, Any]:
        """Score ``count`` images of ``data.test``, or all if there are no more."""
        images = data.real("test", self.count, self.seed).floats()
        bound = model.importance_weighted_bound(images, k=self.k, seed=self.seed, chunk=self.chunk)
        figures = mean(bound)
        elbo = mean(model.elbo(images, seed=self.seed)[0])["value"]
        both = figures["value"] is not None and elbo is not None
        return {
            "unit": "nats an image",
            "seed": self.seed,
            **figures,
            "k": self.k,
            "elbo": elbo,
            "gap": figures["value"] - elbo if both else None,
            "likelihood": model.likelihood,
            "binarize": model.binarize,
        }
