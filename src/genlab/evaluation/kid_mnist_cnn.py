"""Kernel distance between generated and real images, in the features of the project's own classifier."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.checks import at_least
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.kernel_discrepancy import subset_discrepancies


@dataclass(frozen=True, kw_only=True)
class KidMnistCnn(ImageDraws):
    """KID of ``count`` generated images against as many training images: a mean over ``subsets`` random subsets.

    The squared maximum mean discrepancy under the kernel (x.y / D + 1)^3, without bias: about 0 (also a little
    below) for images of the same distribution, whatever their number. Lower is better. ``subset_size`` is at most
    half the images. Source: Binkowski et al., "Demystifying MMD GANs" (ICLR 2018), section 4.

    The subsets overlap, so that their spread over the root of their number would be too small an error:
    ``standard_error`` is the delete-d jackknife's, Shao and Wu, "A general theory for jackknife variance
    estimation" (Annals of Statistics 17, 1989). ``floor`` is what the real test images score.
    """

    name: ClassVar[str] = "kid_mnist_cnn"
    subsets: int = 100
    subset_size: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("subsets", self.subsets, 2, self.path("subsets"))
        at_least("subset_size", self.subset_size, 2, self.path("subset_size"))

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and compare them with ``data.train``."""
        judge = data.judged_by()
        return {
            "unit": "squared feature discrepancy",
            "seed": self.seed,
            **self._figures(*self.pair(model, data)),
            "subsets": self.subsets,
            "floor": self._figures(*self.real_pair(data)),
            **judge,
        }

    def _figures(self, images: Scored, real: Scored) -> dict[str, Any]:
        count = len(images)
        size = min(self.subset_size, max(2, count // 2))
        found = subset_discrepancies(images.features, real.features, self.subsets, size, self.seed)
        spread = float(found.std(correction=0))
        error = spread * math.sqrt(size / (count - size)) if count > size else None
        return {
            "value": float(found.mean()),
            "standard_error": error,
            "count": count,
            "real_count": len(real),
            "subset_size": size,
        }
