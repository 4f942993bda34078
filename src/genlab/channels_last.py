"""Going from vectors to maps and back without leaving torch's channels-last memory format.

On a CPU convolutions and batch norms are fast in that format; a batch norm whose input is in the one format and whose
gradient is in the other is slow by a factor of ten (docs/adr/0009). Values are torch's own, to the bit.

Axes: B batch, C channels, H rows, W columns, F features.
"""

import torch
from torch import Tensor, nn


class Unflatten(nn.Unflatten):
    """``torch.nn.Unflatten`` to maps, which come channels last."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps (B, C, H, W) for vectors (B, F)."""
        return super().forward(input).contiguous(memory_format=torch.channels_last)


class Flatten(nn.Flatten):
    """``torch.nn.Flatten`` of maps; where those come channels last, so does their gradient."""

    def forward(self, input: Tensor) -> Tensor:
        """Vectors (B, F) for maps (B, C, H, W)."""
        if input.requires_grad and input.is_contiguous(memory_format=torch.channels_last):
            input.register_hook(_channels_last)  # type: ignore[no-untyped-call]
        return super().forward(input)


def _channels_last(gradient_BCHW: Tensor | None) -> Tensor | None:
    """Where nothing comes back to the maps, autograd says so with None."""
    return None if gradient_BCHW is None else gradient_BCHW.contiguous(memory_format=torch.channels_last)
