"""Images in memory, cut into batches by indexing one tensor: no image is decoded or passed through Python alone.

Which images iteration i sees, and how they are augmented, is a function of the seed and of i: a resumed run goes on
in the right place because it knows how many iterations it has done. Of several processes each takes its own part of
what one process with their joined batch would take.

Axes: N images, B batch, C channels, H rows, W columns.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from genlab.checks import refuse
from genlab.processes import place_among

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Changed images (B, C, H, W) from images in [0, 1], with random numbers from the generator."""


class Batch(NamedTuple):
    """Images (B, C, H, W), floats in [0, 1], and their labels (B,)."""

    images: Tensor
    labels: Tensor


class ImageBatches:
    """One pass in an order of its own, from where training stands; what does not fill a batch is left out.

    ``images_NCHW`` are uint8, ``labels_N`` int64. ``progress()`` gives the iterations done so far, asked anew at each
    pass. An iteration takes a batch for each of ``processes``. Raises ``ValueError`` where there are fewer images than
    that, and for a pass in another number of processes.
    """

    def __init__(
        self,
        images_NCHW: Tensor,
        labels_N: Tensor,
        batch_size: int,
        seed: int,
        progress: Callable[[], int],
        augment: Augment | None = None,
        processes: int = 1,
    ) -> None:
        if len(images_NCHW) < batch_size * processes:
            shared = f", shared by {processes} processes (trainer.devices)" if processes > 1 else ""
            rule = f"be at most the {len(images_NCHW):,} images to train on{shared}"
            raise refuse("batch_size", rule, batch_size, "data.batch_size")
        self.images_NCHW, self.labels_N = images_NCHW, labels_N
        self.batch_size, self.seed, self.progress, self.augment = batch_size, seed, progress, augment
        self.processes = processes
        self.iterations_per_pass = len(images_NCHW) // (batch_size * processes)

    def __iter__(self) -> Iterator[Batch]:
        process = place_among(self.processes)
        number, first = divmod(self.progress(), self.iterations_per_pass)
        order_N = torch.randperm(len(self.images_NCHW), generator=self._generator(number, 0))
        for i in range(first, self.iterations_per_pass):
            start = (i * self.processes + process) * self.batch_size
            chosen_B = order_N[start : start + self.batch_size]
            images_BCHW = as_floats(self.images_NCHW.index_select(0, chosen_B))  # many times as fast as [chosen_B]
            if self.augment is not None:
                images_BCHW = self.augment(images_BCHW, self._generator(number, i + 1, process))
            yield Batch(images_BCHW, self.labels_N.index_select(0, chosen_B))

    def _generator(self, number: int, place: int, process: int = 0) -> torch.Generator:
        """Random numbers for one place of one pass: 0 is the order, i + 1 the augmentation of a process's batch i."""
        mixed = ((process * 1_000_003 + self.seed) * 1_000_003 + number) * 1_000_003 + place
        return torch.Generator().manual_seed(mixed % 2**63)


class WholeSet:
    """All images in their own order, in batches of up to ``batch_size``."""

    def __init__(self, images_NCHW: Tensor, labels_N: Tensor, batch_size: int) -> None:
        self.images_NCHW, self.labels_N, self.batch_size = images_NCHW, labels_N, batch_size

    def __len__(self) -> int:
        return -(-len(self.images_NCHW) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for images_BCHW, labels_B in zip(
            torch.split(self.images_NCHW, self.batch_size), torch.split(self.labels_N, self.batch_size), strict=True
        ):
            yield Batch(as_floats(images_BCHW), labels_B)


def as_floats(images: Tensor) -> Tensor:
    """Bytes 0 to 255 as floats from 0 to 1."""
    return images.float().div_(255)
