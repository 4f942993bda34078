"""Fréchet distance between generated and real images, in the features of the project's own classifier.

Axes: N and M images, D features.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from genlab.checks import at_least
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel


def frechet_distance(first_ND: Tensor, second_MD: Tensor) -> float:
    """Squared Fréchet distance of the Gaussians with the means and covariances of two sets of features.

    In float64 and never below 0, which rounding may lead to. At least two rows each. The covariances are unbiased. The
    trace of the root of their product is that of the symmetric matrix ``A C A``, with ``A`` the root of one of them,
    and so the sum of the roots of its eigenvalues. Source: Heusel et al., "GANs trained by a two time-scale update
    rule converge to a local Nash equilibrium" (NeurIPS 2017), equation 6.
    """
    (mean, covariance_DD), (other_mean, other_DD) = map(_gaussian, (first_ND.double(), second_MD.double()))
    values, vectors_DD = torch.linalg.eigh(covariance_DD)
    root_DD = vectors_DD * values.clamp(min=0).sqrt() @ vectors_DD.T
    shared = torch.linalg.eigvalsh(root_DD @ other_DD @ root_DD).clamp(min=0).sqrt().sum()
    spread = covariance_DD.trace() + other_DD.trace() - 2 * shared
    return max(0.0, float((mean - other_mean).square().sum() + spread))


def _gaussian(features_ND: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (D,) of the rows, and their covariance (D, D)."""
    mean = features_ND.mean(dim=0)
    centred_ND = features_ND - mean
    return mean, centred_ND.T @ centred_ND / (len(features_ND) - 1)


@dataclass(frozen=True, kw_only=True)
class FidMnistCnn(ImageDraws):
    """FID of ``count`` generated images against all training images, or ``real_count`` of them.

    Lower is better. The features are the judge's, not Inception's: the figure compares with others of the same
    judge alone. It falls with the number of images on either side, so that both numbers are stored. ``floor`` is
    what the real test images (``count`` of them at most) score against the same training images.
    """

    name: ClassVar[str] = "fid_mnist_cnn"
    real_count: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.real_count is not None:
            at_least("real_count", self.real_count, 2, self.path("real_count"))

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and compare them with ``data.train``."""
        judge = data.judged_by()
        real = data.real("train", self.real_count, self.seed)
        figures = _figures(data.generated(model, self.count, self.seed), real)
        return {
            "unit": "squared feature distance",
            "seed": self.seed,
            **figures,
            "features": real.features.shape[1],
            "bias": f"upwards, less with more images: compare with {figures['count']:,} against {len(real):,} alone",
            "floor": _figures(data.real("test", self.count, self.seed), real),
            **judge,
        }


def _figures(images: Scored, real: Scored) -> dict[str, Any]:
    distance = frechet_distance(images.features, real.features)
    return {"value": distance, "count": len(images), "real_count": len(real)}
