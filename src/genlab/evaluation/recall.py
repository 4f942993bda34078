"""Variety: the share of real images that could be generated ones, as far as the generated ones reach."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.neighbour_draws import NeighbourDraws
from genlab.evaluation.neighbourhoods import precision_recall


@dataclass(frozen=True, kw_only=True)
class Recall(NeighbourDraws):
    """Share of training images in the neighbourhood of at least one of ``count`` generated images, as many as they.

    The neighbourhood reaches to the ``k``-th nearest generated image. Higher is better; a few images far from all
    others have large neighbourhoods and raise it, which coverage does not allow. ``floor`` is what the real test
    images score.
    """

    name: ClassVar[str] = "recall"
    k: int = 3

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and look for them among those of ``data.train``."""
        return {"unit": "share of real images", **self.compare(model, data, _recall)}


def _recall(generated: Scored, real: Scored, k: int) -> dict[str, Any]:
    return precision_recall(generated, real, k).recall
