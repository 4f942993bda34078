"""Variety within a class: how different the images of one digit are, beside how different real ones are."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

import torch
from torch import Tensor

from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.neighbourhoods import ROWS, distances


def mean_distance(features: Tensor) -> float | None:
    """Mean distance of two different rows of ``features`` (N, D); None for fewer than two."""
    count = len(features)
    if count < 2:
        return None
    total = sum(float(distances(rows, features).sum()) for rows in torch.split(features, ROWS))
    return total / (count * (count - 1))


def spread_ratios(images: Scored, real: Scored, num_classes: int) -> list[float | None]:
    """For each class that the judge reads, the :func:`mean_distance` of ``images`` over that of ``real`` ones.

    None for a class with fewer than two images on either side, or whose real images are all alike.
    """
    ratios: list[float | None] = []
    for i in range(num_classes):
        ours, theirs = (mean_distance(side.features[side.read == i]) for side in (images, real))
        ratios.append(ours / theirs if ours is not None and theirs else None)
    return ratios


@dataclass(frozen=True, kw_only=True)
class ClassSpread(ImageDraws):
    """Mean distance of two generated images of one class, over that of two training images, averaged over classes.

    In the judge's features, and by the class that the judge reads in both. 1 is the variety of real images; 0 one
    image a class. ``missing`` lists the classes with fewer than two generated images, which the average leaves out
    (it is None where it leaves out all). ``floor`` is what the real test images score.
    """

    name: ClassVar[str] = "class_spread"

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and measure them against ``data.train``, class by class."""
        judge = data.judged_by()
        return {
            "unit": "of the spread of real images",
            "seed": self.seed,
            **_figures(*self.pair(model, data), data.num_classes),
            "floor": _figures(*self.real_pair(data), data.num_classes),
            **judge,
        }


def _figures(images: Scored, real: Scored, num_classes: int) -> dict[str, Any]:
    ratios = spread_ratios(images, real, num_classes)
    found = [ratio for ratio in ratios if ratio is not None]
    return {
        "value": fmean(found) if found else None,
        "count": len(images) if found else 0,
        "by_class": ratios,
        "missing": [i for i, ratio in enumerate(ratios) if ratio is None],
    }
