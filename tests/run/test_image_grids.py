"""Grids of images after chosen passes: which ones, what is in them, and the weights beside them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from pytorch_lightning.loggers.logger import DummyLogger
from torch import Tensor

from genlab.datasets.image_datamodule import ImageDataModule
from genlab.evaluation.image_data import to_bytes
from genlab.reporting.sheets import contact_sheet
from genlab.run.image_grids import ImageGrids

PER_PASS = 6


class Painter(pl.LightningModule):
    """Makes flat images whose grey is its one weight, which is as many hundredths as there were iterations."""

    def __init__(self) -> None:
        super().__init__()
        self.grey = torch.nn.Parameter(torch.zeros(()))
        self.asked: list[tuple[int, int]] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return -self.grey

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        pass

    def sample(self, count: int, *, seed: int) -> Tensor:
        self.asked.append((count, seed))
        return self.grey.detach().expand(count, 1, 28, 28)


class Album(DummyLogger):
    """A logger that takes pictures, as W&B's does."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []

    def log_image(self, **picture: Any) -> None:
        self.taken.append(picture)


Paint = Callable[..., Painter]


@pytest.fixture
def paint(train: Callable[..., Any], few_digits: Callable[..., Any], tmp_path: Path) -> Paint:
    def run(*callbacks: pl.Callback, **options: Any) -> Painter:
        options = {"limit_val_batches": 0, "default_root_dir": tmp_path} | options
        trained: Painter = train(Painter(), few_digits(ImageDataModule), callbacks=list(callbacks), **options).module
        return trained

    return run


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_there_is_a_grid_after_each_pass_that_was_asked_for(paint: Paint, tmp_path: Path) -> None:
    module = paint(ImageGrids([1, 3], count=5, seed=7, keep_weights=False), max_epochs=4)
    assert names(tmp_path) == ["samples/epoch_0001.png", "samples/epoch_0003.png"]
    assert module.asked == [(5, 7)] * 2
    for passes in (1, 3):
        grey = round(passes * PER_PASS / 100 * 255)
        images = to_bytes(torch.full((5, 1, 28, 28), passes * PER_PASS / 100))
        assert {int(value) for value in images.unique()} == {grey}
        expected = contact_sheet(images.numpy(), columns=3)
        assert np.array_equal(pixels(tmp_path / "samples" / f"epoch_{passes:04d}.png"), np.asarray(expected))


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (64, 8)])
def test_a_grid_is_as_near_to_a_square_as_it_can_be(paint: Paint, tmp_path: Path, count: int, columns: int) -> None:
    paint(ImageGrids([1], count=count), max_epochs=1)
    one = contact_sheet(np.zeros((1, 28, 28), np.uint8), columns=1)
    rows = -(-count // columns)
    width, height = pixels(tmp_path / "samples" / "epoch_0001.png").shape[::-1]
    step = one.width - 2
    assert (width, height) == (columns * step + 2, rows * step + 2)


def test_the_weights_beside_a_grid_are_those_that_drew_it(paint: Paint, tmp_path: Path) -> None:
    paint(ImageGrids([1, 2], count=1), max_epochs=3)
    kept = [name for name in names(tmp_path) if name.startswith("checkpoints")]
    assert kept == ["checkpoints/epoch_0001.ckpt", "checkpoints/epoch_0002.ckpt"]
    for passes, name in enumerate(kept, 1):
        content = torch.load(tmp_path / name, weights_only=True)
        assert content["global_step"] == passes * PER_PASS
        assert content["state_dict"]["grey"].item() == pytest.approx(passes * PER_PASS / 100)
        assert "optimizer_states" not in content


@pytest.mark.parametrize("max_steps", [3, 7, 11])
def test_a_pass_that_was_cut_short_has_no_grid(paint: Paint, tmp_path: Path, max_steps: int) -> None:
    paint(ImageGrids([1, 2], count=1, keep_weights=False), max_steps=max_steps)
    assert names(tmp_path) == ["samples/epoch_0001.png"] * (max_steps > PER_PASS)


def test_a_run_that_ends_with_a_pass_has_its_grid(paint: Paint, tmp_path: Path) -> None:
    paint(ImageGrids([2], count=1, keep_weights=False), max_steps=2 * PER_PASS)
    assert names(tmp_path) == ["samples/epoch_0002.png"]


def test_loggers_that_take_pictures_get_them(paint: Paint, tmp_path: Path) -> None:
    album = Album()
    trainer = SimpleNamespace(
        current_epoch=1, global_step=12, default_root_dir=str(tmp_path), loggers=[DummyLogger(), album]
    )
    ImageGrids([2], count=4, keep_weights=False).on_train_epoch_end(trainer, Painter())  # type: ignore[arg-type]
    ((picture,),) = [album.taken]
    assert picture["key"] == "samples"
    assert picture["caption"] == ["epoch_0002"]
    (sheet,) = picture["images"]
    assert np.array_equal(np.asarray(sheet), pixels(tmp_path / "samples" / "epoch_0002.png"))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"epochs": [0]}, "`epochs` must be an integer >= 1; got 0"),
        ({"epochs": [1, 2.5]}, "`epochs` must be an integer >= 1; got 2.5"),
        ({"epochs": 5}, "`epochs` must be a list of passes; got 5"),
        ({"epochs": "25"}, "`epochs` must be a list of passes; got '25'"),
        ({"epochs": None}, "`epochs` must be a list of passes; got None"),
        ({"count": 0}, "`count` must be an integer >= 1; got 0"),
        ({"seed": -1}, "`seed` must be an integer >= 0; got -1"),
        ({"keep_weights": "yes"}, "`keep_weights` must be true or false; got 'yes'"),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused_with_its_path(change: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match="must") as error:
        ImageGrids(**({"epochs": [1]} | change))
    assert str(error.value) == f"{rule} (callbacks.image_grids.{next(iter(change))})"


def test_no_passes_are_none(paint: Paint, tmp_path: Path) -> None:
    paint(ImageGrids([]), max_epochs=1)
    assert names(tmp_path) == []
