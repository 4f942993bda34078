"""Disentanglement: how far the identity alone decides which digit is read, whatever the style.

Axes: R rows (identities), S styles, N = R S images.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from genlab.checks import at_least, refuse
from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import Steerable
from genlab.evaluation.shares import share


def agreeing(read_RS: Tensor) -> Tensor:
    """How many of each row's readings (R,) are the row's most frequent one."""
    counts_RC = torch.nn.functional.one_hot(read_RS).sum(dim=1)
    most: Tensor = counts_RC.max(dim=1).values
    return most


@dataclass(frozen=True, kw_only=True)
class Disentanglement(ImageDraws):
    """Share of the cells of a grid, ``count`` images, whose reading is that of most of their row.

    A row has one identity and ``styles`` styles, the same ones in every row. ``chance`` is the share over rows put
    together at random from the same images: what a model gets whose styles decide as much as its identities.
    Nothing to measure where latent points have no two parts.
    """

    name: ClassVar[str] = "disentanglement"
    styles: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("styles", self.styles, 2, self.path("styles"))
        if self.count < self.styles:
            raise refuse("count", f"be at least the {self.styles} styles", self.count, self.path("count"))

    def __call__(self, model: Steerable, data: ImageData) -> dict[str, Any]:
        """Cross identities and styles of ``model`` and let the judge read."""
        judge = data.judged_by()
        said = {"unit": "share of cells read as their row", "seed": self.seed, "styles": self.styles, **judge}
        if not model.separable:
            return {**share(0, 0), **said, "chance": None}
        read = data.crossed(model, self.count, self.styles, self.seed).read
        mixed = read[torch.randperm(len(read), generator=torch.Generator().manual_seed(self.seed))]
        return {**self._share(read), **said, "chance": self._share(mixed)["value"]}

    def _share(self, read: Tensor) -> dict[str, Any]:
        return share(int(agreeing(read.view(-1, self.styles)).sum()), len(read))
