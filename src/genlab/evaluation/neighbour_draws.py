"""What the measures by neighbourhoods have in common: the size of a neighbourhood, and enough images for one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genlab.checks import at_least, refuse
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel


@dataclass(frozen=True, kw_only=True)
class NeighbourDraws(ImageDraws):
    """Images whose neighbourhoods reach to their ``k``-th nearest neighbour; there must be more than ``k`` of them."""

    k: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("k", self.k, 1, self.path("k"))
        if self.count <= self.k:
            raise refuse("count", f"be above k = {self.k}", self.count, self.path("count"))

    def compare(
        self, model: ImageModel, data: ImageData, measure: Callable[[Scored, Scored, int], dict[str, Any]]
    ) -> dict[str, Any]:
        """Figures of ``measure(generated, real, k)``, and as ``floor`` those of real test images in their place."""
        judge = data.judged_by()
        generated, real = self.pair(model, data)
        return {
            "seed": self.seed,
            **measure(generated, real, self.k),
            "k": self.k,
            "generated_count": len(generated),
            "real_count": len(real),
            "floor": measure(*self.real_pair(data), self.k),
            **judge,
        }

    def pair(self, model: ImageModel, data: ImageData) -> tuple[Scored, Scored]:
        """As of :class:`ImageDraws`. Raises ValueError if there are not more than ``k`` training images."""
        return self._enough(super().pair(model, data))

    def real_pair(self, data: ImageData) -> tuple[Scored, Scored]:
        """As of :class:`ImageDraws`. Raises ValueError if there are not more than ``k`` test images."""
        return self._enough(super().real_pair(data))

    def _enough(self, pair: tuple[Scored, Scored]) -> tuple[Scored, Scored]:
        if len(pair[1]) <= self.k:
            raise refuse("k", f"be below the {len(pair[1])} images of a set", self.k, self.path("k"))
        return pair
