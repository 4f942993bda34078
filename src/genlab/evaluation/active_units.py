"""Latent dimensions that an autoencoder uses at all."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.checks import positive
from genlab.evaluation.image_data import ImageData
from genlab.evaluation.image_protocols import Autoencoder


@dataclass(frozen=True, kw_only=True)
class ActiveUnits:
    """Number of latent dimensions whose mean, given the image, varies by more than ``threshold`` over the test images.

    ``variances`` has every dimension's, largest first: a unit that stays at its prior is near 0. Source: Burda et
    al., "Importance weighted autoencoders" (ICLR 2016), section 5.2. Nothing is drawn.
    """

    name: ClassVar[str] = "active_units"
    threshold: float = 0.01

    def __post_init__(self) -> None:
        positive("threshold", self.threshold, "evaluators.active_units.threshold")

    def __call__(self, model: Autoencoder, data: ImageData) -> dict[str, Any]:
        """Encode ``data.test``. The value is None where a mean is not finite."""
        mu = model.encode(data.test.floats())[0].detach().double().cpu()
        usable = bool(mu.isfinite().all())
        variances = mu.var(dim=0, correction=0).sort(descending=True).values if usable else mu[0, :0]
        return {
            "value": int((variances > self.threshold).sum()) if usable else None,
            "unit": "latent dimensions",
            "count": len(mu) if usable else 0,
            "seed": None,
            "latent_dim": model.latent_dim,
            "threshold": self.threshold,
            "variances": variances.tolist(),
        }
