"""Memorisation: whether generated images are nearer to the images trained on than to others like them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from genlab.checks import positive
from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.shares import share, wilson_interval

ROWS = 500
COLUMNS = 5000
"""Distances that are in memory at once: 20 MB of them, and the images' pixels in float64."""


def nearest_squared(images: Tensor, others: Tensor) -> Tensor:
    """Squared Euclidean distance from each of ``images`` to the nearest of ``others``, uint8 (N, ...) and (M, ...).

    In units of one gray level squared, and exact: float64 holds every integer that comes up on the way.
    """
    return torch.cat([_nearest_rows(rows.flatten(1).double(), others) for rows in torch.split(images, ROWS)])


def nearer_share(to_train: Tensor, to_test: Tensor, train_count: int, test_count: int) -> dict[str, Any]:
    """How often the nearest image is a training one, as if there were as many of either; ties count half.

    ``to_train`` and ``to_test`` (N,) are distances to the nearest of ``train_count`` and ``test_count`` images. For
    images independent of both the nearest is any of them alike, so that a share w is nearest to training images in
    proportion to their number. ``value`` = (w / train_count) / (w / train_count + (1 - w) / test_count) is w itself
    for equal numbers and 0.5 without memorisation for any; ``interval`` is w's Wilson interval, mapped alike.
    """
    wins = float((to_train < to_test).sum()) + 0.5 * float((to_train == to_test).sum())
    trials = len(to_train)

    def balanced(part: float) -> float:
        return part * test_count / (part * test_count + (1 - part) * train_count)

    return {
        "value": balanced(wins / trials),
        "interval": [balanced(end) for end in wilson_interval(wins, trials)],
        "count": trials,
        "nearest_is_train": wins / trials,
        "expected": train_count / (train_count + test_count),
    }


@dataclass(frozen=True, kw_only=True)
class Memorisation(ImageDraws):
    """Share of ``count`` generated images whose nearest real image, by its pixels, is one of the training set.

    All training and all test images are looked at, and the share is balanced for their numbers: 0.5 is no
    memorisation, 1 a copy each (:func:`nearer_share`). ``near_copies`` are images within ``near`` of the median
    distance from a test image to its nearest training image. Median distances are those of pixels in [0, 1].
    ``floor`` puts images held out for validation in place of the generated ones. No judge is needed.
    """

    name: ClassVar[str] = "memorisation"
    count: int = 1000
    near: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("near", self.near, self.path("near"))

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and look for their nearest among ``data.train`` and ``data.test``."""
        # As many test images as generated ones: enough for a median, and no dearer than the rest.
        test = data.real("test", self.count, self.seed).images
        test_to_train = nearest_squared(test, data.train.images)
        return {
            "unit": "share of images nearer to training than to test images",
            "seed": self.seed,
            **self._figures(data.generated(model, self.count, self.seed).images, data, test_to_train),
            "train_count": len(data.train),
            "test_count": len(data.test),
            "median_distance_of_test_to_train": _median(test_to_train),
            "floor": self._figures(data.real("val", self.count, self.seed).images, data, test_to_train),
        }

    def _figures(self, images: Tensor, data: ImageData, test_to_train: Tensor) -> dict[str, Any]:
        to_train = nearest_squared(images, data.train.images)
        to_test = nearest_squared(images, data.test.images)
        copies = to_train <= self.near**2 * test_to_train.median()
        return {
            **nearer_share(to_train, to_test, len(data.train), len(data.test)),
            "median_distance_to_train": _median(to_train),
            "median_distance_to_test": _median(to_test),
            "near_copies": share(int(copies.sum()), len(images)),
        }


def _nearest_rows(rows: Tensor, others: Tensor) -> Tensor:
    squares = rows.square().sum(dim=1, keepdim=True)
    nearest = []
    for part in torch.split(others, COLUMNS):
        columns = part.flatten(1).double()
        products = rows @ columns.T
        nearest.append((squares + columns.square().sum(dim=1) - 2 * products).min(dim=1).values)
    return torch.stack(nearest).min(dim=0).values


def _median(squared: Tensor) -> float:
    return float(squared.sqrt().median()) / 255
