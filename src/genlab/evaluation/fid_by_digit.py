"""Fréchet distance digit by digit: a model can be good on the whole and bad at its fives."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

from torch import Tensor

from genlab.evaluation.fid_mnist_cnn import frechet_distance
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import Steerable


def distances_by_digit(images: Scored, digits: Tensor, real: Scored, num_classes: int) -> list[float | None]:
    """For each digit the Fréchet distance of the ``images`` of it, by ``digits`` (N,), from the ``real`` ones of it.

    None for a digit with fewer than two images on either side.
    """
    assert real.labels is not None
    found: list[float | None] = []
    for digit in range(num_classes):
        ours, theirs = images.features[digits == digit], real.features[real.labels == digit]
        enough = len(ours) > 1 and len(theirs) > 1
        found.append(frechet_distance(ours, theirs) if enough else None)
    return found


@dataclass(frozen=True, kw_only=True)
class FidByDigit(ImageDraws):
    """Mean over digits of the FID of the images of one digit against all training images of it (``by_digit`` has each).

    The images of a digit are those that were asked for as such; of a model that cannot be asked for digits, those that
    the judge reads so. A tenth of the images makes each figure: it compares with others of the same ``count`` alone.
    ``floor`` is what the real test images score.
    """

    name: ClassVar[str] = "fid_by_digit"

    def __call__(self, model: Steerable, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and compare them with ``data.train``, digit by digit."""
        judge = data.judged_by()
        askable = getattr(model, "labels_are_digits", False)
        images = (data.asked if askable else data.generated)(model, self.count, self.seed)
        digits = images.labels if images.labels is not None else images.read
        test = data.real("test", self.count, self.seed)
        assert test.labels is not None
        return {
            **_figures(images, digits, data),
            "unit": "squared feature distance",
            "seed": self.seed,
            "by": "digit asked for" if askable else "digit read",
            "floor": _figures(test, test.labels, data),
            **judge,
        }


def _figures(images: Scored, digits: Tensor, data: ImageData) -> dict[str, Any]:
    found = distances_by_digit(images, digits, data.real("train"), data.num_classes)
    there = [each for each in found if each is not None]
    return {"value": fmean(there) if there else None, "count": len(images), "by_digit": found}
