"""Pictures on a page: the right ones, in a reader's order, and nothing that is no picture."""

import base64
from pathlib import Path

import numpy as np
import pytest

from genlab.reporting import pictures
from genlab.reporting.pictures import figure_pictures, progress_pictures, sample_pictures
from genlab.reporting.sheets import contact_sheet, save_animation, save_png


@pytest.fixture
def samples(tmp_path: Path) -> list[Path]:
    images = np.zeros((3, 4, 4), dtype=np.uint8)
    names = ("epoch_0100", "epoch_0005", "walk", "walk_strip", "odd_one", "grid", "epoch_best")
    paths = [save_png(contact_sheet(images, 3), tmp_path / f"{name}.png") for name in names]
    return sorted([*paths, save_animation(images, tmp_path / "walk.gif")])


def test_samples_come_in_a_readers_order_with_captions(samples: list[Path]) -> None:
    shown = sample_pictures(samples)
    assert [picture.file for picture in shown] == [
        *("grid.png", "walk.gif", "walk_strip.png", "walk.png", "epoch_best.png", "odd_one.png")
    ]
    assert [picture.moves for picture in shown] == [False, True, False, False, False, False]
    assert shown[0].caption == "Images from the prior, drawn at random"
    assert shown[-1].caption == "Odd one"
    for picture in shown:
        kind, content = picture.uri.removeprefix("data:image/").split(";base64,")
        assert picture.file.endswith(kind)
        assert base64.b64decode(content) == (samples[0].parent / picture.file).read_bytes()


def test_progress_is_in_the_order_of_training(samples: list[Path]) -> None:
    shown = progress_pictures(samples)
    assert [(picture.file, picture.caption) for picture in shown] == [
        ("epoch_0005.png", "after pass 5"),
        ("epoch_0100.png", "after pass 100"),
    ]


def test_figures_begin_with_what_training_was_about(tmp_path: Path) -> None:
    images = np.zeros((1, 4, 4), dtype=np.uint8)
    names = ("accuracy", "confusion", "elbo", "kl", "loss", "fid_mnist_cnn")
    paths = [save_png(contact_sheet(images, 1), tmp_path / f"{name}.png") for name in names]
    shown = figure_pictures(paths)
    assert [picture.caption for picture in shown] == ["ELBO", "Loss", "Accuracy", "KL", "Confusion", "FID (mnist_cnn)"]


def test_a_picture_that_is_too_large_is_not_put_into_the_page(
    samples: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    assert {picture.uri for picture in sample_pictures(samples)} == {""}


@pytest.mark.parametrize(("name", "content"), [("a.gif", b"\x89PNG\r\n\x1a\n"), ("a.png", b"GIF89a"), ("a.png", b"")])
def test_what_is_no_picture_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: not a {name[-3:].upper()} image"):
        sample_pictures([path])
