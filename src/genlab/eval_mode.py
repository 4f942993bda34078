"""Using a network without training it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def eval_mode(net: nn.Module) -> Iterator[None]:
    """Within the block ``net`` is in evaluation mode and keeps no gradient; then each part is in its own mode again.

    In training mode what a batch norm makes of an image depends on those beside it, and it learns from all of them.
    """
    modes = [(part, part.training) for part in net.modules()]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training
