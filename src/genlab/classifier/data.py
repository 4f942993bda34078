"""The classifier's images: those of the data set, turned, moved, scaled and sheared a little while it trains."""

from pathlib import Path

from genlab.checks import at_least
from genlab.classifier.augmentation import RandomAffine
from genlab.datasets.image_batches import Augment
from genlab.datasets.image_datamodule import ImageDataModule


class ClassifierDataModule(ImageDataModule):
    """An ``ImageDataModule`` whose training images are distorted at random; zeros leave them as they are.

    ``degrees`` of rotation either way, ``translate`` pixels either way, ``scale`` and ``shear`` as shares either way.
    Raises ``ValueError`` for amounts and sizes out of range; a batch is two images at least, for a batch norm over
    single numbers learns nothing from one.
    """

    def __init__(
        self,
        dataset: str = "MNIST",
        root: str | Path = "data",
        download: bool = True,
        batch_size: int = 128,
        val_size: int = 5000,
        split_seed: int = 0,
        seed: int = 0,
        degrees: float = 10.0,
        translate: float = 2.0,
        scale: float = 0.1,
        shear: float = 0.1,
        processes: int = 1,
    ) -> None:
        self.affine = RandomAffine(degrees, translate, scale, shear)
        at_least("batch_size", batch_size, 2, "data.batch_size")
        super().__init__(dataset, root, download, batch_size, val_size, split_seed, seed, processes)

    @property
    def augment(self) -> Augment | None:
        """The distortion, unless all of it is zero."""
        return self.affine if self.affine.changes_anything else None
