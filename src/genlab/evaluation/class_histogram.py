"""Which classes a generator makes, and how evenly: its images as the judge reads them, against the training labels."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.shares import wilson_interval

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def class_counts(labels: Tensor, num_classes: int) -> Counts:
    """How many of ``labels`` (N,) there are of each class: (K,)."""
    counts: Counts = torch.bincount(labels, minlength=num_classes).numpy()
    return counts


def total_variation(counts: NDArray[Any], prior: Floats) -> float:
    """Half the sum of the differences of shares, (K,) each: what is too much in some classes, and missing in others."""
    return float(np.abs(counts / counts.sum() - prior).sum() / 2)


def chi_square(counts: Counts, prior: Floats) -> dict[str, Any]:
    """Pearson's statistic of ``counts`` (K,) against ``prior``, its degrees of freedom, and its p-value.

    Classes that the prior has none of are left out where none was counted. Where one was, the prior is refuted: the
    p-value is 0 and the statistic, which would be infinite, None.
    """
    possible = prior > 0
    degrees = int(possible.sum()) - 1
    if counts[~possible].any():
        return {"chi_square": None, "degrees_of_freedom": degrees, "p_value": 0.0}
    if not degrees:
        return {"chi_square": 0.0, "degrees_of_freedom": 0, "p_value": 1.0}
    from scipy.stats import chisquare  # here, for it takes a while to load, and every run of a GAN names this measure

    statistic, p_value = chisquare(counts[possible], prior[possible] * counts.sum())
    return {"chi_square": float(statistic), "degrees_of_freedom": degrees, "p_value": float(p_value)}


def readings(labels: Tensor, read: Tensor, num_classes: int) -> Floats:
    """Share of the images of class i that are read as class j: (K, K); a class without images is taken as read right.

    ``labels`` and ``read`` are (N,).
    """
    pairs = class_counts(labels * num_classes + read, num_classes**2).reshape(num_classes, num_classes)
    totals = pairs.sum(axis=1, keepdims=True)
    shares: Floats = np.where(totals > 0, pairs / np.maximum(totals, 1), np.eye(num_classes))
    return shares


def corrected_counts(counts: Counts, confusion: Floats) -> Floats:
    """Counts (K,) that a judge who reads as ``confusion`` (true, read) most likely turned into ``counts``.

    The nearest in least squares that has no count below 0, scaled to the same total.
    """
    from scipy.optimize import nnls  # here, as above

    true = nnls(confusion.T, counts.astype(np.float64))[0]
    corrected: Floats = true * counts.sum() / true.sum()
    return corrected


@dataclass(frozen=True, kw_only=True)
class ClassHistogram(ImageDraws):
    """Classes that the judge reads in ``count`` generated images, beside the shares of the training labels.

    ``value`` is the total variation distance to those shares: the part of the images that is too much of its class.
    Chance alone keeps it above 0; ``chi_square`` has a ``p_value`` for that. ``corrected`` counts allow for the
    judge's errors, as it makes them on the real test images. ``floor`` takes the true labels of those.
    """

    name: ClassVar[str] = "class_histogram"

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model``, let the judge read them, and count."""
        from scipy.stats import entropy  # here, as above

        judge = data.judged_by()
        generated = data.generated(model, self.count, self.seed)
        counts = class_counts(generated.read, data.num_classes)
        labels = class_counts(data.train.labels, data.num_classes)
        prior = labels / labels.sum()
        corrected = corrected_counts(counts, _confusion(data.real("test"), data.num_classes))
        return {
            "value": total_variation(counts, prior),
            "unit": "share of images too many of their class",
            "count": self.count,
            "seed": self.seed,
            **chi_square(counts, prior),
            "entropy_bits": float(entropy(counts, base=2)),
            "prior_entropy_bits": float(entropy(prior, base=2)),
            "corrected_value": total_variation(corrected, prior),
            "by_class": _by_class(counts, prior, corrected),
            "floor": _floor(data, prior),
            **judge,
        }


def _confusion(test: Scored, num_classes: int) -> Floats:
    assert test.labels is not None
    return readings(test.labels, test.read, num_classes)


def _by_class(counts: Counts, prior: Floats, corrected: Floats) -> list[dict[str, Any]]:
    total = int(counts.sum())
    return [
        {
            "class": i,
            "count": int(counts[i]),
            "share": float(counts[i] / total),
            "interval": list(wilson_interval(int(counts[i]), total)),
            "prior": float(prior[i]),
            "corrected": float(corrected[i]),
        }
        for i in range(len(counts))
    ]


def _floor(data: ImageData, prior: Floats) -> dict[str, Any]:
    counts = class_counts(data.test.labels, data.num_classes)
    return {
        "value": total_variation(counts, prior),
        "count": int(counts.sum()),
        **chi_square(counts, prior),
        "counts": counts.tolist(),
    }
