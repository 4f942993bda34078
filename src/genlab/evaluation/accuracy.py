"""Accuracy of a classifier on the test images."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_protocols import Judge
from genlab.evaluation.shares import share


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Share of the test images whose most probable class is the true one, with its Wilson interval.

    ``baseline`` always says the most frequent class of the training set. Nothing is drawn.
    """

    name: ClassVar[str] = "accuracy"

    def __call__(self, model: Judge, data: ImageData) -> dict[str, Any]:
        """Let ``model`` read ``data.test``."""
        labels = data.test.labels
        right = data.seen_by(model, "test").read == labels
        most_frequent = int(torch.bincount(data.train.labels, minlength=data.num_classes).argmax())
        return {
            "unit": "share of test images",
            "seed": None,
            **share(int(right.sum()), len(right)),
            "errors": int((~right).sum()),
            "by_class": [
                {"class": i, **share(int(right[labels == i].sum()), int((labels == i).sum()))}
                for i in range(data.num_classes)
            ],
            "baseline": share(int((labels == most_frequent).sum()), len(labels)),
        }
