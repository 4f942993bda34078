"""Random affine distortion of a whole batch at once.

Axes: B batch, C channels, H rows, W columns.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from genlab.checks import in_range


@dataclass(frozen=True)
class RandomAffine:
    """Each image is turned, moved, scaled and sheared by amounts uniform in plus and minus these.

    ``degrees`` of rotation, ``translate`` in pixels, ``scale`` and ``shear`` as shares. What comes in from outside is
    black. Raises ``ValueError`` for a negative amount, a rotation over 180 degrees and a share of 1 or more.
    """

    degrees: float = 10.0
    translate: float = 2.0
    scale: float = 0.1
    shear: float = 0.1

    def __post_init__(self) -> None:
        in_range("degrees", self.degrees, 0, 180, "data.degrees")
        in_range("translate", self.translate, 0, math.inf, "data.translate")
        in_range("scale", self.scale, 0, 1, "data.scale", high_open=True)
        in_range("shear", self.shear, 0, 1, "data.shear", high_open=True)

    @property
    def changes_anything(self) -> bool:
        """Whether any amount is above zero."""
        return any((self.degrees, self.translate, self.scale, self.shear))

    def __call__(self, images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        """The distorted images (B, C, H, W)."""
        size = images_BCHW.shape[-2:]
        grid = sampling_grid(self.maps(len(images_BCHW), size, generator), size)
        return F.grid_sample(images_BCHW, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def maps(self, count: int, size: torch.Size, generator: torch.Generator) -> Tensor:
        """Where each pixel of the result is read from: ``count`` affine maps (B, 2, 3) of coordinates in [-1, 1]."""
        amounts = torch.rand(5, count, generator=generator) * 2 - 1
        angle = amounts[0] * math.radians(self.degrees)
        scale = 1 / (1 + amounts[1] * self.scale)
        shear = amounts[2] * self.shear
        cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
        height, width = size
        x, y = amounts[3] * self.translate * 2 / width, amounts[4] * self.translate * 2 / height
        rows = [torch.stack([cos, shear * cos - sin, x]), torch.stack([sin, shear * sin + cos, y])]
        return torch.stack(rows).permute(2, 0, 1)


def sampling_grid(maps_B23: Tensor, size: torch.Size) -> Tensor:
    """The places (B, H, W, 2) that ``maps_B23`` lead to from the middles of an image's pixels, in [-1, 1].

    ``torch.nn.functional.affine_grid`` by one sum over all pixels, which takes a fraction of the time of its products.
    """
    height, width = size
    x_W, y_H = ((torch.arange(side) * 2 + 1) / side - 1 for side in (width, height))
    along_x, along_y, start = maps_B23.unbind(2)
    of_columns = along_x[:, None, None] * x_W[:, None] + start[:, None, None]
    of_rows = along_y[:, None, None] * y_H[:, None, None]
    return of_columns + of_rows
