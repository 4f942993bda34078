"""Control: how often the digit that was asked for is the one that is read.

Axes: N images, K labels that a model can be asked for, C classes of the data.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import Steerable
from genlab.evaluation.shares import share


def best_names(asked: Tensor, read: Tensor, num_labels: int, num_classes: int) -> list[int | None]:
    """For each of K labels the class that it is taken to stand for, so that the most images are read so.

    ``asked`` and ``read`` are (N,). No class stands for two labels; with more labels than classes some stand for none.
    """
    counts = torch.bincount(asked * num_classes + read, minlength=num_labels * num_classes)
    table: NDArray[Any] = counts.view(num_labels, num_classes).numpy()
    from scipy.optimize import linear_sum_assignment  # here, for it takes a while to load

    labels, classes = linear_sum_assignment(-table)
    named = dict(zip(labels.tolist(), classes.tolist(), strict=True))
    return [named.get(label) for label in range(num_labels)]


@dataclass(frozen=True, kw_only=True)
class Control(ImageDraws):
    """Share of ``count`` images, as many of each label, in which the judge reads the digit that was asked for.

    The judge took no part in the model's training: evaluation refuses one that did. Where labels are codes that nobody
    has named, as InfoGAN's, they are first given the names that suit these very images best (``named``): an upper
    bound, not control. ``by_label`` has each label's own share. Nothing to measure where a model cannot be asked.
    """

    name: ClassVar[str] = "control"

    def __call__(self, model: Steerable, data: ImageData) -> dict[str, Any]:
        """Ask ``model`` for every label in turn and let the judge read."""
        judge = data.judged_by()
        said = {"unit": "share of images read as asked", "seed": self.seed, **judge}
        if not model.num_labels:
            return {**share(0, 0), **said, "named": None, "by_label": []}
        images = data.asked(model, self.count, self.seed)
        names = _names(model, images, data.num_classes)
        return {
            **_as_asked(images, names),
            **said,
            "named": not model.labels_are_digits,
            "by_label": _each(images, names),
        }


def _names(model: Steerable, images: Scored, num_classes: int) -> list[int | None]:
    if model.labels_are_digits:
        return list(range(model.num_labels))
    assert images.labels is not None
    return best_names(images.labels, images.read, model.num_labels, num_classes)


def _right(images: Scored, names: list[int | None]) -> NDArray[np.bool_]:
    """Which images (N,) are read as what their label stands for."""
    assert images.labels is not None
    wanted = torch.tensor([-1 if name is None else name for name in names])[images.labels]
    right: NDArray[np.bool_] = (images.read == wanted).numpy()
    return right


def _as_asked(images: Scored, names: list[int | None]) -> dict[str, Any]:
    return share(int(_right(images, names).sum()), len(images))


def _each(images: Scored, names: list[int | None]) -> list[dict[str, Any]]:
    assert images.labels is not None
    right, labels = _right(images, names), images.labels.numpy()
    return [
        {"label": label, "digit": name, **share(int(right[labels == label].sum()), int((labels == label).sum()))}
        for label, name in enumerate(names)
    ]
