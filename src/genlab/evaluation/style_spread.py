"""Variety of style: how different images of one identity are, pixel by pixel, beside real images of one digit.

In pixels and not in a classifier's features: those are made to be blind to how a digit is drawn.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Any, ClassVar

from torch import Tensor

from genlab.checks import at_least
from genlab.evaluation.class_spread import mean_distance
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import Steerable


def spread_within(images: Scored, groups: Tensor) -> float | None:
    """Mean distance in pixels of two images of one group (N,), averaged over groups; None where no group has two."""
    pixels = images.floats().flatten(1)
    means = [mean_distance(pixels[groups == group]) for group in groups.unique().tolist()]  # type: ignore[no-untyped-call]
    found = [each for each in means if each is not None]
    return fmean(found) if found else None


@dataclass(frozen=True, kw_only=True)
class StyleSpread(ImageDraws):
    """Mean pixel distance of two generated images of one identity, over that of two real images of one digit.

    Where a model's latent points have an identity, a group is one identity with ``styles`` styles; else it is the
    images in which the judge reads one digit. Real images are grouped by what the judge reads. ``floor`` is what the
    real test images score.
    """

    name: ClassVar[str] = "style_spread"
    styles: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("styles", self.styles, 2, self.path("styles"))

    def __call__(self, model: Steerable, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and measure them against ``data.train``, group by group."""
        judge = data.judged_by()
        test, train = self.real_pair(data)
        separable = getattr(model, "separable", False)
        if separable:
            images = data.crossed(model, self.count, self.styles, self.seed)
            assert images.labels is not None
            ours = spread_within(images, images.labels)
        else:
            images = data.generated(model, self.count, self.seed)
            ours = spread_within(images, images.read)
        real = spread_within(train, train.read)
        return {
            "value": _over(ours, real),
            "unit": "of the spread of real images",
            "count": len(images),
            "seed": self.seed,
            "within": "identity" if separable else "digit read",
            "distance": ours,
            "real_distance": real,
            "floor": {"value": _over(spread_within(test, test.read), real), "count": len(test)},
            **judge,
        }


def _over(ours: float | None, real: float | None) -> float | None:
    return ours / real if ours is not None and real else None
