"""Realism: the share of generated images that could be real ones, as far as the real ones reach."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.neighbour_draws import NeighbourDraws
from genlab.evaluation.neighbourhoods import precision_recall


@dataclass(frozen=True, kw_only=True)
class Precision(NeighbourDraws):
    """Share of ``count`` generated images in the neighbourhood of at least one of as many training images.

    The neighbourhood reaches to the ``k``-th nearest training image. Higher is better; an image that is generated
    again and again counts again. ``floor`` is what the real test images score.
    """

    name: ClassVar[str] = "precision"
    k: int = 3

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and look for them among those of ``data.train``."""
        return {"unit": "share of generated images", **self.compare(model, data, _precision)}


def _precision(generated: Scored, real: Scored, k: int) -> dict[str, Any]:
    return precision_recall(generated, real, k).precision
