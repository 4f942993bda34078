"""Precision, recall, density and coverage: which images lie in whose neighbourhood, in the judge's features.

The neighbourhood of an image is the ball around it that reaches to its k-th nearest neighbour in its own set. Both
figures of a pair of sets come from the same distances and are kept for the measure that asks next.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genlab.evaluation.image_data import Scored
from genlab.evaluation.means import mean
from genlab.evaluation.shares import share

ROWS = 1000
"""Rows of distances that are in memory at once: 80 MB beside 10,000 images."""
FEW_ROWS = 125
"""The same where they are products of matrices: what is done with them is done while a cache has them."""


class PrecisionRecall(NamedTuple):
    """Share of generated images near a real one, and of real images near a generated one."""

    precision: dict[str, Any]
    recall: dict[str, Any]


class DensityCoverage(NamedTuple):
    """Real neighbourhoods that a generated image is in, over k; share of real neighbourhoods with one in them."""

    density: dict[str, Any]
    coverage: dict[str, Any]


@lru_cache(maxsize=4)
def precision_recall(generated: Scored, real: Scored, k: int) -> PrecisionRecall:
    """Improved precision and recall, with Wilson intervals that take the other set as given.

    Both sets need more than ``k`` images. Source: Kynkäänniemi et al., "Improved precision and recall metric for
    assessing generative models" (NeurIPS 2019).
    """
    others, reach, own_reach = real.features.double(), squared_radii(real, k), squared_radii(generated, k)
    near_real, near_generated = [], torch.zeros(len(real), dtype=torch.bool)
    for rows, own in zip(
        torch.split(generated.features.double(), FEW_ROWS), torch.split(own_reach, FEW_ROWS), strict=True
    ):
        apart = squared_distances(rows, others)
        near_real.append((apart <= reach).any(dim=1))
        near_generated |= (apart <= own[:, None]).any(dim=0)
    return PrecisionRecall(
        share(int(torch.cat(near_real).sum()), len(generated)), share(int(near_generated.sum()), len(real))
    )


@lru_cache(maxsize=4)
def squared_radii(images: Scored, k: int) -> Tensor:
    """The squared distance (N,) from each image to its ``k``-th nearest among the others, float64."""
    features = images.features.double()
    found = [
        squared_distances(rows, features).topk(k + 1, dim=1, largest=False).values[:, k]  # 0 is itself
        for rows in torch.split(features, FEW_ROWS)
    ]
    return torch.cat(found)


def squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """Squared Euclidean distances (N, M) between rows (N, D) and (M, D), by a product of matrices.

    In float64 alone: in float32 the distance of two equal rows would not be near 0. Rounding may take it below.
    """
    ends = first.square().sum(dim=1)[:, None] + second.square().sum(dim=1)
    return ends.addmm_(first, second.T, alpha=-2)


@lru_cache(maxsize=4)
def density_coverage(generated: Scored, real: Scored, k: int) -> DensityCoverage:
    """Density, with a standard error over generated images, and coverage, with a Wilson interval over real ones.

    Both sets need more than ``k`` images. For sets of one distribution density is 1 on average. Source: Naeem et
    al., "Reliable fidelity and diversity metrics for generative models" (ICML 2020), equations 3 and 4.
    """
    radii = torch.cat([_nearest(rows, real.features, k + 1)[:, -1] for rows in torch.split(real.features, ROWS)])
    inside = []
    covered = torch.zeros(len(real), dtype=torch.bool)
    for rows in torch.split(generated.features, ROWS):
        within = distances(rows, real.features) < radii
        inside.append(within.sum(dim=1).double() / k)
        covered |= within.any(dim=0)
    return DensityCoverage(mean(torch.cat(inside)), share(int(covered.sum()), len(real)))


def distances(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances (N, M) between rows (N, D) and (M, D), each computed by itself: equal rows are at 0."""
    return torch.cdist(first.double(), second.double(), compute_mode="donot_use_mm_for_euclid_dist")


def _nearest(rows: Tensor, others: Tensor, count: int) -> Tensor:
    return distances(rows, others).topk(count, dim=1, largest=False).values
