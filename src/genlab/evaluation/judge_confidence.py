"""How sure the judge is of what it reads in generated images."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.checks import in_range
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.means import mean
from genlab.evaluation.shares import share


@dataclass(frozen=True, kw_only=True)
class JudgeConfidence(ImageDraws):
    """Mean of the judge's largest probability over ``count`` generated images.

    ``above`` is the share of images it gives more than ``sure``, ``below`` of those it gives less than ``unsure``.
    A classifier can be sure of what is no digit at all: read it beside precision. ``floor`` is what it gives the
    real test images.
    """

    name: ClassVar[str] = "judge_confidence"
    sure: float = 0.9
    unsure: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        in_range("sure", self.sure, 0, 1, self.path("sure"))
        in_range("unsure", self.unsure, 0, 1, self.path("unsure"))

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and show them to the judge."""
        judge = data.judged_by()
        return {
            "unit": "mean probability",
            "seed": self.seed,
            **self._figures(data.generated(model, self.count, self.seed)),
            "sure": self.sure,
            "unsure": self.unsure,
            "floor": self._figures(data.real("test", self.count, self.seed)),
            **judge,
        }

    def _figures(self, images: Scored) -> dict[str, Any]:
        largest = images.probabilities.max(dim=1).values
        return {
            **mean(largest),
            "above": share(int((largest > self.sure).sum()), len(images)),
            "below": share(int((largest < self.unsure).sum()), len(images)),
        }
