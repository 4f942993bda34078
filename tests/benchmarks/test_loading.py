"""Both ways of making batches hand out the same images, and a way that does not is noticed."""

from pathlib import Path

import pytest
import torch

from genlab.benchmarks.loading import BATCH, in_memory, max_difference, torchvision_loader, write_idx_files


def random_images(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (2 * BATCH, 28, 28), dtype=torch.uint8, generator=generator)
    return images, torch.randint(0, 10, (2 * BATCH,), generator=generator)


def test_torchvision_reads_what_was_written(tmp_path: Path) -> None:
    images, labels = random_images(0)
    write_idx_files(tmp_path, images, labels)
    assert max_difference({"a": in_memory(images, labels), "b": torchvision_loader(tmp_path, 0)}) < 1e-3


def test_other_images_other_labels_and_fewer_of_them_are_noticed(tmp_path: Path) -> None:
    images, labels = random_images(0)
    write_idx_files(tmp_path, images, labels)
    written = torchvision_loader(tmp_path, 0)
    for other in (random_images(1), (images, (labels + 1) % 10), (images[:BATCH], labels[:BATCH])):
        with pytest.raises(RuntimeError, match="must give the same images"):
            max_difference({"a": in_memory(*other), "b": written})
