"""Image data sets of a few images, in files as the real ones have them."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genlab.datasets import raw_images
from genlab.datasets.raw_images import RAW_SETS, RawSet

_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}

ToIdx = Callable[[NDArray[Any]], bytes]
Contents = Callable[..., dict[str, bytes]]
Put = Callable[..., Path]


def _to_idx(values: NDArray[Any]) -> bytes:
    kind = values.dtype.str[1:]
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, _CODES[kind], values.ndim]) + sizes + values.astype(f">{kind}").tobytes()


def _contents(raw: RawSet, train: int = 12, test: int = 7) -> dict[str, bytes]:
    """The four raw files of ``raw`` by name: noise for images, labels that go round through the classes."""
    random = np.random.default_rng(0)
    contents = {}
    for part, count in enumerate((train, test)):
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count) % raw.num_classes + raw.first_label
        contents[raw.files[2 * part]] = _to_idx(images)
        if raw.folder == "QMNIST":
            rows = np.column_stack([labels, *random.integers(-5, 5, (7, count))])
            contents[raw.files[2 * part + 1]] = _to_idx(rows.astype(np.int32))
        else:
            contents[raw.files[2 * part + 1]] = _to_idx(labels.astype(np.uint8))
    return contents


def _put(contents: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def to_idx() -> ToIdx:
    """An array as the bytes of an IDX file."""
    return _to_idx


@pytest.fixture
def contents() -> Contents:
    return _contents


@pytest.fixture
def put() -> Put:
    """Write files by their names into a folder, which is made."""
    return _put


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch) -> RawSet:
    """An MNIST of 19 images: its hashes take the place of the real ones."""
    hashes = tuple(hashlib.sha256(content).hexdigest() for content in _contents(raw_images.MNIST).values())
    small = replace(raw_images.MNIST, sha256=hashes, time_limit=20.0)
    monkeypatch.setitem(RAW_SETS, "MNIST", small)
    return small
