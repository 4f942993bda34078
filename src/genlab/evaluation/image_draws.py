"""Which images a measure of a generator compares: how many are drawn, from which seed, and against which."""

from dataclasses import dataclass
from typing import ClassVar

from genlab.checks import at_least
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_protocols import ImageModel


@dataclass(frozen=True, kw_only=True)
class ImageDraws:
    """``count`` generated images from ``seed``. The measures of generators inherit these settings.

    ``name`` is the measure's, for messages. The same images serve every measure of equal ``count`` and ``seed``.
    """

    name: ClassVar[str] = "image_draws"
    count: int = 10000
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("count", self.count, 2, self.path("count"))
        at_least("seed", self.seed, 0, self.path("seed"))

    def path(self, field: str) -> str:
        """Where the config sets ``field``."""
        return f"evaluators.{self.name}.{field}"

    def pair(self, model: ImageModel, data: ImageData) -> tuple[Scored, Scored]:
        """Generated images and as many real training images: ``count``, or fewer if there are no more real ones."""
        count = min(self.count, len(data.train))
        return data.generated(model, count, self.seed), data.real("train", count, self.seed)

    def real_pair(self, data: ImageData) -> tuple[Scored, Scored]:
        """The same of real images alone: of the test set, and as many of the training set."""
        count = min(self.count, len(data.train), len(data.test))
        return data.real("test", count, self.seed), data.real("train", count, self.seed)
