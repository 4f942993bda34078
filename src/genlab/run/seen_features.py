"""What a judge has seen in real images, kept in its run's folder: the next evaluation need not look again."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from genlab import __version__
from genlab.whole_file import whole_file


@dataclass(frozen=True)
class SeenFeatures:
    """Features by the images and the judge's checkpoint, a file each in ``folder``, which may be deleted at any time.

    A folder that cannot be written to keeps none. A file that is damaged, which its own checksum tells, is made anew.
    """

    folder: Path
    judge_sha256: str

    def __call__(self, images: Tensor, see: Callable[[], Tensor]) -> Tensor:
        """The features (N, D), float32, of images (N, C, H, W), uint8: as they were kept, or as ``see`` gives them."""
        path = self.folder / f"{self._key(images)}.npz"
        kept = _read(path)
        if kept is not None:
            return kept
        features = see()
        with suppress(OSError), whole_file(path) as file:
            np.savez(file, features=features.numpy())
        return features

    def _key(self, images: Tensor) -> str:
        """The hash of all that features depend on: images, weights, and the code that goes from one to the other."""
        made_by = f"{self.judge_sha256} {__version__} {torch.__version__} {tuple(images.shape)}"
        return sha256(made_by.encode() + sha256(images.contiguous().numpy().data).digest()).hexdigest()[:32]


def _read(path: Path) -> Tensor | None:
    try:
        with path.open("rb") as file, np.load(file) as content:
            return torch.from_numpy(content["features"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
