"""The precision that losses and probabilities are computed in."""

import torch
from torch import Tensor


def in_full(figures: Tensor) -> Tensor:
    """``figures`` in single precision where a network computed in less; those in double precision stay as they are."""
    return figures.to(torch.promote_types(figures.dtype, torch.float32))
