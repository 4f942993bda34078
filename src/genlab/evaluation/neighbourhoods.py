"""Precision, recall, density and coverage: which images lie in whose neighbourhood, in the judge's features.

The neighbourhood of an image is the ball around it that reaches to its k-th nearest neighbour in its own set. Both
figures of a pair of sets come from the same distances and are kept for the measure that asks next.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from genlab.evaluation.image_data import Scored
from genlab.evaluation.means import mean
from genlab.evaluation.shares import share

ROWS = 1000
"""Rows of distances that are in memory at once: 80 MB beside 10,000 images."""


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
    # In float64: cdist multiplies matrices, and in float32 the distance of two equal rows would not be near 0.
    metric = prc_features_to_metric(
        generated.features.double(),
        real.features.double(),
        prc_neighborhood=k,
        prc_batch_size=ROWS,
        save_cpu_ram=True,
        verbose=False,
    )
    return PrecisionRecall(
        share(round(metric[KEY_METRIC_PRECISION] * len(generated)), len(generated)),
        share(round(metric[KEY_METRIC_RECALL] * len(real)), len(real)),
    )


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
