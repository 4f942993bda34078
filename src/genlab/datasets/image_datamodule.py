"""The LightningDataModule behind every image model: the official split, with validation carved out of training."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from genlab.checks import at_least, refuse
from genlab.datasets.image_batches import Augment, ImageBatches, WholeSet
from genlab.datasets.images import Images, load_images
from genlab.evaluation.image_data import ImageData, LabelledImages

MNIST_TRAIN = 60_000
"""Training images of MNIST, the one data set that another stands in for."""


class ImageDataModule(pl.LightningDataModule):
    """A data set by name, in memory, in batches of float images in [0, 1].

    ``root`` is the folder that data sets lie in; one that is not there is fetched if ``download``. ``val_size`` images
    are taken out of the training set, at random by ``split_seed``; the official test set is for evaluation alone.
    Where a much smaller set stands in for the one that could not be had, the same share of it is taken. ``seed`` is
    that of the order. ``batch_size`` is that of each of the ``processes`` that train together. Raises ``ValueError``
    for an unknown or damaged data set and sizes out of range, and ``DownloadError`` for one that cannot be fetched and
    that nothing stands in for.
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
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.processes = processes
        self.batch_size = at_least("batch_size", batch_size, 1, "data.batch_size")
        self.split_seed = at_least("split_seed", split_seed, 0, "data.split_seed")
        self.seed = at_least("seed", seed, 0, "data.seed")
        self.source: Images = load_images(dataset, Path(root), download)
        if self.source.warning:
            val_size = share_of(at_least("val_size", val_size, 1, "data.val_size"), len(self.source.train_images))
        self.train_indices, self.val_indices = carve(len(self.source.train_images), val_size, split_seed)
        images, labels = _tensors(self.source.train_images, self.source.train_labels)
        self.train_set = LabelledImages(images[self.train_indices], labels[self.train_indices])
        self.val_set = LabelledImages(images[self.val_indices], labels[self.val_indices])
        self.test_set = LabelledImages(*_tensors(self.source.test_images, self.source.test_labels))
        self._batches = self._make_batches()  # at once, so that a batch that is too large is refused at once

    @property
    def augment(self) -> Augment | None:
        """What is done to the images of a training batch; nothing, unless a model's own datamodule says so."""
        return None

    @property
    def iterations_per_pass(self) -> int:
        """Whole batches in the training set, or of several processes whole batches for each of them."""
        return self._batches.iterations_per_pass

    def facts(self) -> dict[str, Any]:
        """What the module must know of the data."""
        return {
            "image_shape": list(self.train_set.images.shape[1:]),
            "num_classes": self.source.num_classes,
            "iterations_per_pass": self.iterations_per_pass,
        }

    def provenance(self) -> dict[str, Any]:
        """Which data it is, for the run's record."""
        record = {
            "name": self.source.name,
            "sha256": self.source.sha256,
            "sources": list(self.source.sources),
            "split": f"{len(self.train_indices)} to train on, {len(self.val_indices)} held out by seed "
            f"{self.split_seed}, {len(self.test_set.labels)} to test on",
        }
        return record | ({"warning": self.source.warning} if self.source.warning else {})

    def state_dict(self) -> dict[str, Any]:
        """What checkpoints keep of the data: that they are a stand-in, where they are."""
        return {"warning": self.source.warning} if self.source.warning else {}

    def evaluation_data(self) -> ImageData:
        """What evaluators judge against."""
        return ImageData(
            train=self.train_set,
            val=self.val_set,
            test=self.test_set,
            num_classes=self.source.num_classes,
            name=self.source.name,
            warning=self.source.warning,
        )

    def train_dataloader(self) -> ImageBatches:
        """One pass over the training set, from the iteration that the trainer has reached."""
        return self._batches

    def val_dataloader(self) -> WholeSet:
        """The held-out images."""
        return WholeSet(self.val_set.images, self.val_set.labels, 500)

    def _make_batches(self) -> ImageBatches:
        images, labels = self.train_set.images, self.train_set.labels
        options = self.batch_size, self.seed, self._iterations_done, self.augment, self.processes
        return ImageBatches(images, labels, *options)

    def _iterations_done(self) -> int:
        assert self.trainer is not None
        return self.trainer.global_step


def share_of(val_size: int, count: int) -> int:
    """What ``val_size`` of MNIST's training images comes to among ``count``, one at least."""
    return max(1, round(val_size * count / MNIST_TRAIN))


def carve(count: int, val_size: int, seed: int) -> tuple[Tensor, Tensor]:
    """The indices of the images to train on and of those held out, each ascending; every index is in one of them."""
    size = at_least("val_size", val_size, 1, "data.val_size")
    if size >= count:
        raise refuse("val_size", f"leave some of the {count:,} training images", val_size, "data.val_size")
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    return order[size:].sort().values, order[:size].sort().values


def _tensors(images: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """Images (N, 1, H, W) as bytes and labels (N,)."""
    return torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels)
