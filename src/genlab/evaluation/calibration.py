"""Calibration: whether a classifier is right as often as it says it is."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from genlab.checks import at_least
from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_protocols import Judge
from genlab.evaluation.means import mean

BELOW_ONE = 1 - 2**-24
"""The largest float32 below 1."""


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int) -> float:
    """Expected calibration error (l1) over ``bins`` equal bins of the largest of ``probabilities`` (N, K).

    Source: Guo et al., "On calibration of modern neural networks" (ICML 2017), equation 3.
    """
    # torchmetrics gives a probability of exactly 1 a bin of its own; here it belongs to the last one.
    inside = probabilities.clamp(max=BELOW_ONE)
    error = multiclass_calibration_error(inside, labels, num_classes=probabilities.shape[1], n_bins=bins, norm="l1")
    return float(error)


def reliability(probabilities: Tensor, labels: Tensor, bins: int) -> list[dict[str, Any]]:
    """For each of ``bins`` equal bins its ends, and the ``count``, mean ``confidence`` and ``accuracy`` within.

    The lower end belongs to the bin, the upper one to the last bin alone. Means are None in an empty bin.
    """
    confidence, read = probabilities.max(dim=1)
    edges = torch.linspace(0, 1, bins + 1)
    place = (torch.bucketize(confidence, edges, right=True) - 1).clamp(0, bins - 1)
    rows = []
    for i in range(bins):
        chosen = place == i
        some = bool(chosen.any())
        rows.append(
            {
                "low": i / bins,
                "high": (i + 1) / bins,
                "count": int(chosen.sum()),
                "confidence": float(confidence[chosen].double().mean()) if some else None,
                "accuracy": float((read == labels)[chosen].double().mean()) if some else None,
            }
        )
    return rows


def log_losses(probabilities: Tensor, labels: Tensor) -> Tensor:
    """-log p(true class) in nats: (N,). Probabilities of 0 count as the smallest float32, 87 nats."""
    true = probabilities.gather(1, labels[:, None])[:, 0]
    return -true.clamp_min(torch.finfo(torch.float32).tiny).log()


def brier_scores(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Sum over classes of the squared difference to 1 for the true class and 0 for others: (N,), 0 to 2.

    Source: Brier, "Verification of forecasts expressed in terms of probability" (Monthly Weather Review 78, 1950).
    """
    truth = torch.nn.functional.one_hot(labels, probabilities.shape[1])
    return (probabilities - truth).square().sum(dim=1)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Mean difference of confidence and accuracy on the test images, over ``bins`` equal bins of confidence.

    Lower is better. ``reliability`` is the table behind it; ``negative_log_likelihood`` (nats an image) and
    ``brier_score`` judge all probabilities, not only the largest. Nothing is drawn.
    """

    name: ClassVar[str] = "calibration"
    bins: int = 15

    def __post_init__(self) -> None:
        at_least("bins", self.bins, 1, "evaluators.calibration.bins")

    def __call__(self, model: Judge, data: ImageData) -> dict[str, Any]:
        """Let ``model`` read ``data.test``."""
        probabilities, labels = data.seen_by(model, "test").probabilities, data.test.labels
        return {
            "value": calibration_error(probabilities, labels, self.bins),
            "unit": "share between confidence and accuracy",
            "count": len(labels),
            "seed": None,
            "bins": self.bins,
            "mean_confidence": mean(probabilities.max(dim=1).values)["value"],
            "negative_log_likelihood": mean(log_losses(probabilities, labels))["value"],
            "brier_score": mean(brier_scores(probabilities, labels))["value"],
            "reliability": reliability(probabilities, labels, self.bins),
        }
