"""Fréchet distance between generated and real images, in the features of the project's own classifier."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from genlab.checks import at_least
from genlab.evaluation.image_data import ImageData, Scored
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Squared Fréchet distance of the Gaussians with the means and covariances of two sets of features (N, D).

    In float64 and never below 0, which rounding may lead to. At least two rows each. Source: Heusel et al., "GANs
    trained by a two time-scale update rule converge to a local Nash equilibrium" (NeurIPS 2017), equation 6.
    """
    statistics = [fid_features_to_statistics(features.double()) for features in (first, second)]
    return max(0.0, float(fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID]))


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
