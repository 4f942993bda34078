"""The peer of ``genlab evaluate``: torch-fidelity called directly on two folders of images.

Its feature extractor is genlab's judge, registered the way torch-fidelity's documentation says. Run as a program:
options as JSON, and a JSON object on the last line that it prints.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import torch
import torch_fidelity
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from genlab.classifier.nets import DigitNet


class JudgeFeatures(FeatureExtractorBase):  # type: ignore[misc]
    """The embedding of a classifier whose weights lie in a file."""

    def __init__(self, name: str, features_list: list[str], **options: Any) -> None:
        super().__init__(name, features_list)
        self.net = DigitNet()
        self.net.load_state_dict(torch.load(options["feature_extractor_weights_path"], weights_only=True))

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """One layer."""
        return ("embedding",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """The same for every metric."""
        return "embedding"

    @staticmethod
    def can_be_compiled() -> bool:
        """It could; by default nothing is."""
        return True

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Embeddings (B, 50) of uint8 images (B, 3, 28, 28), gray ones with three equal channels."""
        return (self.net.embed(images[:, :1].float() / 255),)


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the folders ``generated`` and ``real``, seen by the classifier in ``judge``."""
    options: dict[str, Any] = json.loads((sys.argv[1:] if argv is None else argv)[0])
    if "judge" not in FEATURE_EXTRACTORS_REGISTRY:
        torch_fidelity.register_feature_extractor("judge", JudgeFeatures)
    metrics = torch_fidelity.calculate_metrics(
        input1=options["generated"],
        input2=options["real"],
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="judge",
        feature_extractor_weights_path=options["judge"],
        kid_subset_size=options["subset_size"],
        rng_seed=options["seed"],
        cuda=torch.cuda.is_available(),
        verbose=False,
    )
    print(json.dumps({name: float(value) for name, value in metrics.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
