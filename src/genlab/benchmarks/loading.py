"""Image batches: genlab's in-memory batches beside torchvision's data set with transforms in a ``DataLoader``."""

import struct
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from genlab.benchmarks.rounds import Case, Measure, alternate, compare
from genlab.datasets.image_batches import ImageBatches

OURS, PEER = "genlab ImageBatches", "torchvision MNIST in a DataLoader"
TARGET = 20.0
BATCH = 128

Pass = Callable[[], Iterable[tuple[Tensor, Tensor]]]


def loading_case(count: int, rounds: int, folder: Path) -> Case:
    """Measure images a second over whole passes of ``count`` 28x28 images, whatever is on them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (count,), generator=generator)
    write_idx_files(folder, images, labels)
    passes: dict[str, Pass] = {OURS: in_memory(images, labels)}
    for workers in (0, 2):
        passes[f"{PEER}, {workers} workers"] = torchvision_loader(folder, workers)
    difference = max_difference(passes)
    contenders = {name: _rate(each) for name, each in passes.items()}
    rates = alternate(contenders, rounds)
    size = f"{count:,} images, batch {BATCH}"
    return Case("image batches", size, "images/s", rates, [compare(rates, OURS, PEER, TARGET)], difference)


def in_memory(images: Tensor, labels: Tensor) -> Pass:
    """Passes as ``genlab train`` makes them, without augmentation."""
    batches = ImageBatches(images[:, None], labels, BATCH, 0, lambda: 0)
    return lambda: batches


def torchvision_loader(root: Path, workers: int) -> Pass:
    """Passes as torchvision's documentation makes them."""
    images = datasets.MNIST(str(root), train=True, transform=transforms.ToTensor())
    loader: DataLoader[Any] = DataLoader(images, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=workers)
    return lambda: loader


def write_idx_files(
    root: Path, images: Tensor, labels: Tensor, test_images: Tensor | None = None, test_labels: Tensor | None = None
) -> None:
    """Write images (N, H, W) and labels (N,) where torchvision looks for MNIST; as both halves where one is given."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    if test_images is None or test_labels is None:
        test_images, test_labels = images, labels
    for half, pixels, classes in (("train", images, labels), ("t10k", test_images, test_labels)):
        (folder / f"{half}-images-idx3-ubyte").write_bytes(
            struct.pack(">BBBBIII", 0, 0, 8, 3, *pixels.shape) + pixels.numpy().tobytes()
        )
        (folder / f"{half}-labels-idx1-ubyte").write_bytes(
            struct.pack(">BBBBI", 0, 0, 8, 1, len(classes)) + classes.byte().numpy().tobytes()
        )


def max_difference(passes: dict[str, Pass]) -> float:
    """The largest difference between the contenders' first batches, each image told by its label and its pixels.

    The order is each one's own, so images are compared over a whole pass: sorted by their brightness. Raises
    ``RuntimeError`` unless the differences are rounding alone.
    """
    sums = [torch.cat([_fingerprints(*batch) for batch in one()]).sort().values for one in passes.values()]
    shortest = min(map(len, sums))
    missing = max(map(len, sums)) - shortest
    difference = max(float((each - sums[0]).abs().max()) for each in sums) if missing == 0 else float("inf")
    if difference > 1e-3 * float(sums[0].abs().max()):
        raise RuntimeError(f"{', '.join(passes)} must give the same images; they differ by {difference}")
    return difference


def _fingerprints(images: Tensor, labels: Tensor) -> Tensor:
    """One number an image: its brightness, its label added."""
    return images.double().flatten(1).sum(1) + 1000 * labels


def _rate(one_pass: Pass) -> Measure:
    """Images a second over a whole pass."""

    def rate() -> float:
        began, seen = time.perf_counter(), 0
        for images, _ in one_pass():
            seen += len(images)
        return seen / (time.perf_counter() - began)

    return rate
