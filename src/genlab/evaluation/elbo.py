"""Evidence lower bound of the test images: how well an autoencoder explains images that it was not trained on."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.checks import at_least
from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_protocols import Autoencoder
from genlab.evaluation.means import mean


@dataclass(frozen=True, kw_only=True)
class Elbo:
    """ELBO of the test images in nats an image, from one latent point each; higher is better.

    ``value`` = ``log_likelihood`` - ``kl``, sums over pixels and latent dimensions. It compares with others of the
    same ``likelihood`` and ``binarize`` alone: grayscale images (``binarize`` none) have no Bernoulli likelihood, so
    that theirs is a cross-entropy.
    """

    name: ClassVar[str] = "elbo"
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("seed", self.seed, 0, "evaluators.elbo.seed")

    def __call__(self, model: Autoencoder, data: ImageData) -> dict[str, Any]:
        """Score ``data.test``, all of it in one call: chunks are the model's own business."""
        elbo, log_likelihood, kl = model.elbo(data.test.floats(), seed=self.seed)
        return {
            "unit": "nats an image",
            "seed": self.seed,
            **mean(elbo),
            "log_likelihood": mean(log_likelihood)["value"],
            "kl": mean(kl)["value"],
            "likelihood": model.likelihood,
            "binarize": model.binarize,
            "latent_points": 1,
        }
