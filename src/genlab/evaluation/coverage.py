"""Variety: the share of real images that have a generated one nearby."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.neighbour_draws import NeighbourDraws
from genlab.evaluation.neighbourhoods import density_coverage


@dataclass(frozen=True, kw_only=True)
class Coverage(NeighbourDraws):
    """Share of training images with one of as many (``count``) generated images in their neighbourhood.

    The neighbourhood reaches to the ``k``-th nearest training image, so that odd generated images cannot raise it.
    Higher is better; images of the same distribution score 1 - 2^-k in large numbers. ``floor`` is what the real
    test images score.
    """

    name: ClassVar[str] = "coverage"
    k: int = 5

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and look for them among those of ``data.train``."""
        return {"unit": "share of real images", **self.compare(model, data, _coverage)}


def _coverage(generated: Scored, real: Scored, k: int) -> dict[str, Any]:
    return density_coverage(generated, real, k).coverage
