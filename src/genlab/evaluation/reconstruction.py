"""Reconstruction: how much of a test image is left after it went through the latent space and back."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_protocols import Autoencoder
from genlab.evaluation.means import mean


def squared_errors(images: Tensor, others: Tensor) -> Tensor:
    """Mean squared difference a pixel of each image: (N,) from (N, C, H, W)."""
    return (images - others).square().flatten(1).mean(dim=1)


def cross_entropies(images: Tensor, predicted: Tensor) -> Tensor:
    """Mean cross-entropy a pixel of each image, nats: (N,) from (N, C, H, W) in [0, 1].

    The brightness of a pixel is taken for its probability to be white. Logarithms are cut off at -100, as torch's.
    """
    return binary_cross_entropy(predicted, images, reduction="none").flatten(1).mean(dim=1)


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Mean squared error a pixel of the test images against what is decoded from the mean of their encoding.

    Pixels are in [0, 1] and gray, as stored; lower is better. ``cross_entropy`` is the same in nats a pixel, where
    gray pixels keep even a perfect reconstruction above 0: ``least_cross_entropy``. ``baseline`` reconstructs every
    image as the mean training image. Nothing is drawn.
    """

    name: ClassVar[str] = "reconstruction"

    def __call__(self, model: Autoencoder, data: ImageData) -> dict[str, Any]:
        """Encode and decode ``data.test``."""
        images = data.test.floats()
        average = data.train.floats().mean(dim=0, keepdim=True).expand_as(images)
        return {
            "unit": "squared error a pixel",
            "seed": None,
            **_figures(images, model.reconstruct(images).detach().float().cpu()),
            "least_cross_entropy": mean(cross_entropies(images, images))["value"],
            "baseline": _figures(images, average),
        }


def _figures(images: Tensor, reconstructed: Tensor) -> dict[str, Any]:
    # Not a number is kept as such, to be counted; binary_cross_entropy would refuse it.
    finite = reconstructed.nan_to_num(0.5).clamp(0, 1)
    error = mean(squared_errors(images, reconstructed))
    entropy = None if error["value"] is None else mean(cross_entropies(images, finite))["value"]
    return {**error, "cross_entropy": entropy}
