"""Agreement of two classifiers that learned apart on what a generated image shows."""

from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.evaluation.image_data import ImageData, Scored, required
from genlab.evaluation.image_draws import ImageDraws
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.shares import share


@dataclass(frozen=True, kw_only=True)
class JudgeAgreement(ImageDraws):
    """Share of ``count`` generated images in which the judge and the witness, another classifier, read the same digit.

    Two networks of different architecture and seed that agree see something in the image, and no habit of one of them.
    ``floor`` is how often they agree on the real test images. Raises ``ValueError`` without a witness.
    """

    name: ClassVar[str] = "judge_agreement"

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Draw images from ``model`` and show them to both."""
        judge, witness = data.judged_by(), required(data.witness)
        generated, test = data.generated(model, self.count, self.seed), data.real("test", self.count, self.seed)
        as_witnessed = (Scored(images.images, None, witness) for images in (generated, test))
        ours, floor = (
            share(int((images.read == others.read).sum()), len(images))
            for images, others in zip((generated, test), as_witnessed, strict=True)
        )
        return {
            **ours,
            "unit": "share of images read alike",
            "seed": self.seed,
            "floor": floor,
            **judge,
            "witness_sha256": data.witness_sha256,
        }
