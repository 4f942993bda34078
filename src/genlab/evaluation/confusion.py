"""Which classes a classifier takes for which."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_protocols import Judge
from genlab.evaluation.shares import share


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """How many test images of each class (rows of ``matrix``) are read as each class (columns).

    ``value`` is the share off the diagonal: the errors. Nothing is drawn.
    """

    name: ClassVar[str] = "confusion"

    def __call__(self, model: Judge, data: ImageData) -> dict[str, Any]:
        """Let ``model`` read ``data.test``."""
        read = data.seen_by(model, "test").read
        matrix = multiclass_confusion_matrix(read, data.test.labels, num_classes=data.num_classes)
        wrong = matrix.clone().fill_diagonal_(0)
        return {
            "unit": "share of test images misread",
            "seed": None,
            **share(int(wrong.sum()), len(read)),
            "most_frequent": _most_frequent(wrong),
            "matrix": matrix.tolist(),
        }


def _most_frequent(wrong: Tensor) -> str:
    """The largest count in words, the first of equals."""
    row, column = divmod(int(wrong.argmax()), len(wrong))
    times = int(wrong[row, column])
    return f"{row} read as {column}, {times} time{'s' * (times != 1)}" if times else "none"
