"""The squared discrepancy of two sets of features under a cubic kernel, over random subsets of equal size.

The subsets are those that torch-fidelity draws from the same seed, so that figures compare (docs/adr/0012). Axes: N and
M rows, D features, S rows of a subset.
"""

import numpy as np
import torch
from torch import Tensor

FEW_ROWS = 125
"""Rows of the kernel at once: beside 1,000 others they are a megabyte, which stays in a core's own cache."""


def subset_discrepancies(first_ND: Tensor, second_MD: Tensor, subsets: int, size: int, seed: int) -> Tensor:
    """An unbiased estimate (``subsets``,) from each pair of subsets of ``size`` rows, in float64.

    The kernel is (x.y / D + 1)^3. ``size`` is at least 2 and at most the rows of either set. Source: Binkowski et al.,
    "Demystifying MMD GANs" (ICLR 2018), section 4 and equation 4 of its appendix.
    """
    first_ND, second_MD = first_ND.double(), second_MD.double()
    draw = np.random.RandomState(seed)
    found = torch.empty(subsets, dtype=torch.float64)
    for number in range(subsets):
        x_SD = first_ND[torch.from_numpy(draw.choice(len(first_ND), size, replace=False))]
        y_SD = second_MD[torch.from_numpy(draw.choice(len(second_MD), size, replace=False))]
        found[number] = _within(x_SD) + _within(y_SD) - 2 * _kernel_sum(x_SD, y_SD) / size**2
    return found


def _within(x_SD: Tensor) -> Tensor:
    """The mean of the kernel over pairs of different rows."""
    size = len(x_SD)
    itself = (x_SD.square().mean(dim=1) + 1).pow(3).sum()
    return (_kernel_sum(x_SD, x_SD) - itself) / (size * (size - 1))


def _kernel_sum(x_SD: Tensor, y_SD: Tensor) -> Tensor:
    """The sum of the kernel over all pairs. A cube by two products: a power is slower than all the rest."""
    found = x_SD.new_zeros(())
    for rows in torch.split(x_SD, FEW_ROWS):
        base = torch.addmm(x_SD.new_ones(()), rows, y_SD.T, alpha=1 / x_SD.shape[1])
        found += torch.dot(base.square().flatten(), base.flatten())
    return found
