"""Realism: how densely real images stand around the generated ones."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.neighbour_draws import NeighbourDraws
from genlab.evaluation.neighbourhoods import density_coverage


@dataclass(frozen=True, kw_only=True)
class Density(NeighbourDraws):
    """Training images in whose neighbourhood a generated image lies, over ``k``, as a mean over ``count`` images.

    The neighbourhood reaches to the ``k``-th nearest of as many training images. 1 is what images of the same
    distribution score on average; more, where the generator keeps to where real images are many. ``floor`` is what
    the real test images score.
    """

    name: ClassVar[str] = "density"
    k: int = 5

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and look for them among those of ``data.train``."""
        return {"unit": "of what real images have", **self.compare(model, data, _density)}


def _density(generated: Scored, real: Scored, k: int) -> dict[str, Any]:
    return density_coverage(generated, real, k).density
