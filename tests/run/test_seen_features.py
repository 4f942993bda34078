"""What a judge has seen is kept by images and weights; whatever is wrong with a file, the features are right."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from genlab.run import seen_features
from genlab.run.seen_features import SeenFeatures

IMAGES = torch.randint(0, 256, (7, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
FEATURES = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))


def never() -> Tensor:
    raise AssertionError("looked again")


@pytest.fixture
def remember(tmp_path: Path) -> SeenFeatures:
    return SeenFeatures(tmp_path / "run" / "features", "ab" * 32)


def test_it_looks_once(remember: SeenFeatures) -> None:
    assert torch.equal(remember(IMAGES, lambda: FEATURES), FEATURES)
    kept = SeenFeatures(remember.folder, remember.judge_sha256)(IMAGES.clone(), never)
    assert torch.equal(kept, FEATURES)
    assert kept.dtype == torch.float32
    assert torch.equal(remember(IMAGES.transpose(2, 3).contiguous().transpose(2, 3), never), FEATURES), "strides"
    assert len(list(remember.folder.iterdir())) == 1


@pytest.mark.parametrize("other", ["images", "order", "judge", "version"])
def test_it_looks_again_at_anything_else(remember: SeenFeatures, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(IMAGES, lambda: FEATURES)
    images = {"images": IMAGES[:6], "order": IMAGES.flip(0)}.get(other, IMAGES)
    if other == "judge":
        remember = SeenFeatures(remember.folder, "cd" * 32)
    if other == "version":
        monkeypatch.setattr(seen_features, "__version__", "0.0")
    assert torch.equal(remember(images, lambda: FEATURES + 1), FEATURES + 1)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-9],
        lambda content: b"",
        lambda content: b"not a zip",
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
    ],
    ids=["cut short", "empty", "other", "a bit"],
)
def test_a_damaged_file_is_made_anew(remember: SeenFeatures, damage: Callable[[bytes], bytes]) -> None:
    remember(IMAGES, lambda: FEATURES)
    (file,) = remember.folder.iterdir()
    content = file.read_bytes()
    file.write_bytes(damage(content))
    assert torch.equal(remember(IMAGES, lambda: FEATURES), FEATURES)
    assert file.read_bytes() == content


class Trap:
    """Writes into a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.mkdir, (self.folder,)


def test_nothing_is_unpickled(remember: SeenFeatures, tmp_path: Path) -> None:
    remember(IMAGES, lambda: FEATURES)
    (file,) = remember.folder.iterdir()
    np.savez(file, features=np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
    assert torch.equal(remember(IMAGES, lambda: FEATURES), FEATURES)
    assert not (tmp_path / "sprung").exists()


def test_where_nothing_can_be_kept_it_looks_each_time(remember: SeenFeatures) -> None:
    remember.folder.parent.mkdir()
    remember.folder.write_text("no folder")
    for _ in range(2):
        assert torch.equal(remember(IMAGES, lambda: FEATURES), FEATURES)
    with pytest.raises(AssertionError, match="looked again"):
        remember(IMAGES, never)


def test_what_cannot_be_seen_is_not_kept(remember: SeenFeatures) -> None:
    with pytest.raises(AssertionError, match="looked again"):
        remember(IMAGES, never)
    assert not remember.folder.exists()
