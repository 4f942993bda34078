"""The datamodule: what is held out, by which seed, what it says of the data, and what it leaves alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.datasets import image_datamodule
from genlab.datasets.download import DownloadError
from genlab.datasets.image_batches import as_floats
from genlab.datasets.image_datamodule import ImageDataModule, carve, share_of
from genlab.datasets.images import Images, load_images


@pytest.fixture(scope="module")
def digits() -> Images:
    return load_images("digits", Path())


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, digits: Images) -> Callable[..., ImageDataModule]:
    """Without reading the digits anew each time."""

    def build(source: Images = digits, **options: Any) -> ImageDataModule:
        monkeypatch.setattr(image_datamodule, "load_images", lambda *_: source)
        return ImageDataModule(**({"dataset": "digits", "val_size": 300} | options))

    return build


# --- the split ---------------------------------------------------------------------------------------------------


@given(st.integers(2, 300), st.data(), st.integers(0, 2**32 - 1))
def test_what_is_trained_on_and_what_is_held_out_are_disjoint_and_all(
    count: int, data: st.DataObject, seed: int
) -> None:
    size = data.draw(st.integers(1, count - 1))
    train, val = carve(count, size, seed)
    assert len(val) == size
    assert set(train.tolist()).isdisjoint(val.tolist())
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(count))
    assert train.tolist() == sorted(train.tolist())
    assert val.tolist() == sorted(val.tolist())
    again = carve(count, size, seed)
    assert torch.equal(again[0], train)
    assert torch.equal(again[1], val)


def test_the_split_is_decided_by_its_own_seed(make: Callable[..., ImageDataModule]) -> None:
    held_out = make().val_indices
    assert torch.equal(make(seed=5).val_indices, held_out), "another order is the same split"
    assert not torch.equal(make(split_seed=1).val_indices, held_out)
    state = torch.get_rng_state()
    make()
    assert torch.equal(torch.get_rng_state(), state)


def test_each_image_goes_with_its_label_to_one_place(make: Callable[..., ImageDataModule], digits: Images) -> None:
    data = make()
    for part, indices in ((data.train_set, data.train_indices), (data.val_set, data.val_indices)):
        assert part.images.dtype == torch.uint8
        assert part.images.shape == (len(indices), 1, 28, 28)
        assert np.array_equal(part.images[:, 0].numpy(), digits.train_images[indices.numpy()])
        assert np.array_equal(part.labels.numpy(), digits.train_labels[indices.numpy()])
    assert len(data.train_set) + len(data.val_set) == len(digits.train_images)


def test_the_test_set_is_the_official_one_and_is_neither_trained_nor_validated_on(
    make: Callable[..., ImageDataModule], digits: Images
) -> None:
    data = make(batch_size=100)
    assert np.array_equal(data.test_set.images[:, 0].numpy(), digits.test_images)
    assert np.array_equal(data.test_set.labels.numpy(), digits.test_labels)
    data.trainer = SimpleNamespace(global_step=0)  # type: ignore[assignment]
    known = {image.numpy().tobytes() for image in as_floats(torch.from_numpy(digits.train_images).unsqueeze(1))}
    batches = [*data.train_dataloader(), *data.val_dataloader()]
    assert {image.numpy().tobytes() for batch in batches for image in batch.images} <= known
    held_out = torch.cat([batch.labels for batch in data.val_dataloader()])
    assert torch.equal(held_out, data.val_set.labels)


def test_training_goes_on_where_the_trainer_stands(make: Callable[..., ImageDataModule]) -> None:
    data = make(batch_size=100)
    assert data.iterations_per_pass == 11
    data.trainer = SimpleNamespace(global_step=0)  # type: ignore[assignment]
    whole = list(data.train_dataloader())
    data.trainer = SimpleNamespace(global_step=9)  # type: ignore[assignment]
    rest = list(data.train_dataloader())
    assert len(rest) == 2
    assert all(torch.equal(a.images, b.images) for a, b in zip(rest, whole[9:], strict=True))


# --- what it says ------------------------------------------------------------------------------------------------


def test_facts_are_plain_values(make: Callable[..., ImageDataModule]) -> None:
    facts = make(batch_size=100).facts()
    assert facts == {"image_shape": [1, 28, 28], "num_classes": 10, "iterations_per_pass": 11}


def test_provenance_says_which_data_and_which_split(make: Callable[..., ImageDataModule], digits: Images) -> None:
    said = make(split_seed=3).provenance()
    assert said == {
        "name": "digits",
        "sha256": digits.sha256,
        "sources": list(digits.sources),
        "split": f"1138 to train on, 300 held out by seed 3, {len(digits.test_labels)} to test on",
    }
    assert len(said["sha256"]) == 64


def test_evaluation_gets_the_three_sets(make: Callable[..., ImageDataModule]) -> None:
    data = make()
    given_to = data.evaluation_data()
    assert (given_to.train, given_to.val, given_to.test) == (data.train_set, data.val_set, data.test_set)
    assert (given_to.name, given_to.num_classes, given_to.warning, given_to.judge) == ("digits", 10, "", None)


def test_a_stand_in_is_said_to_be_one_and_gives_the_same_share(
    make: Callable[..., ImageDataModule], digits: Images
) -> None:
    """MNIST's default of 5,000 held out is more than there are digits."""
    data = make(replace(digits, warning="not MNIST"), dataset="MNIST", val_size=5000)
    assert data.provenance()["warning"] == "not MNIST"
    assert data.evaluation_data().warning == "not MNIST"
    assert len(data.val_set) == round(5000 * 1438 / 60_000) == 120
    assert len(data.train_set) == 1318
    with pytest.raises(ValueError, match=r"^`val_size` must be an integer >= 1; got 0 \(data\.val_size\)$"):
        make(replace(digits, warning="not MNIST"), val_size=0)


def test_a_share_is_never_nothing() -> None:
    assert share_of(1, 100) == 1
    assert share_of(60_000, 60_000) == 60_000


def test_where_mnist_cannot_be_had_training_can_begin_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any) -> None:
        raise DownloadError("no network")

    monkeypatch.setattr("genlab.datasets.images.fetch_raw", refuse)
    data = ImageDataModule(root=tmp_path)
    assert "not MNIST" in data.provenance()["warning"]
    assert data.iterations_per_pass == 1318 // 128


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"batch_size": 0}, "be an integer >= 1"),
        ({"batch_size": 1.5}, "be an integer >= 1"),
        ({"batch_size": 1139}, "be at most the 1,138 images to train on"),
        ({"val_size": 0}, "be an integer >= 1"),
        ({"val_size": 1438}, "leave some of the 1,438 training images"),
        ({"val_size": 5000}, "leave some of the 1,438 training images"),
        ({"val_size": "300"}, "be an integer >= 1"),
        ({"split_seed": -1}, "be an integer >= 0"),
        ({"seed": -1}, "be an integer >= 0"),
        ({"seed": True}, "be an integer >= 0"),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_refused_with_its_path(
    make: Callable[..., ImageDataModule], change: dict[str, Any], rule: str
) -> None:
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match="must") as error:
        make(**change)
    assert str(error.value) == f"`{name}` must {rule}; got {value!r} (data.{name})"


def test_an_unknown_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^`dataset` must be one of MNIST.*\(data\.dataset; did you mean MNIST\?\)$"):
        ImageDataModule("MNITS")
