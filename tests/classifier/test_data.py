"""The classifier's images: distorted in training alone, and only if any amount says so."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genlab.classifier.augmentation import RandomAffine
from genlab.classifier.data import ClassifierDataModule
from genlab.datasets.image_batches import as_floats

AS_THEY_ARE = {"degrees": 0.0, "translate": 0.0, "scale": 0.0, "shear": 0.0}


def at_iteration(data: ClassifierDataModule, iteration: int) -> ClassifierDataModule:
    data.trainer = SimpleNamespace(global_step=iteration)  # type: ignore[assignment]
    return data


def test_zeros_leave_the_images_as_they_are(few_digits: Callable[..., Any]) -> None:
    data = at_iteration(few_digits(ClassifierDataModule, **AS_THEY_ARE), 0)
    assert data.augment is None
    seen = [image.numpy().tobytes() for batch in data.train_dataloader() for image in batch.images]
    assert sorted(seen) == sorted(image.numpy().tobytes() for image in as_floats(data.train_set.images))


def test_amounts_reach_the_batches_of_training_and_nothing_else(few_digits: Callable[..., Any]) -> None:
    amounts = {"degrees": 7.0, "translate": 1.5, "scale": 0.2, "shear": 0.05}
    data = at_iteration(few_digits(ClassifierDataModule, **amounts), 0)
    assert data.augment == RandomAffine(**amounts)
    plain = at_iteration(few_digits(ClassifierDataModule, **AS_THEY_ARE), 0)
    for distorted, batch in zip(data.train_dataloader(), plain.train_dataloader(), strict=True):
        assert torch.equal(distorted.labels, batch.labels), "the order is the same"
        moved = (distorted.images - batch.images).flatten(1).abs().amax(1)
        assert (moved > 0.05).all(), "every image is distorted"
    for ours, theirs in zip(data.val_dataloader(), plain.val_dataloader(), strict=True):
        assert torch.equal(ours.images, theirs.images)
    assert torch.equal(data.test_set.images, plain.test_set.images)


def test_distortions_are_a_function_of_the_seed_and_the_iteration(few_digits: Callable[..., Any]) -> None:
    data = at_iteration(few_digits(ClassifierDataModule), 0)
    first = list(data.train_dataloader())
    later = list(at_iteration(data, 4).train_dataloader())
    assert len(later) == 2
    for ours, theirs in zip(later, first[4:], strict=True):
        assert torch.equal(ours.images, theirs.images)
    again = list(at_iteration(few_digits(ClassifierDataModule), 0).train_dataloader())
    assert all(torch.equal(a.images, b.images) for a, b in zip(again, first, strict=True))
    other = next(iter(at_iteration(few_digits(ClassifierDataModule, seed=1), 0).train_dataloader()))
    assert not torch.equal(other.images, first[0].images)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"degrees": -1}, "be a number in [0, 180]"),
        ({"scale": 1}, "be a number in [0, 1)"),
        ({"batch_size": 1}, "be an integer >= 2"),
        ({"batch_size": 0}, "be an integer >= 2"),
    ],
)
def test_what_is_out_of_range_is_refused(few_digits: Callable[..., Any], change: dict[str, Any], rule: str) -> None:
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match=rf"^`{name}` must ") as error:
        few_digits(ClassifierDataModule, **change)
    assert str(error.value) == f"`{name}` must {rule}; got {value} (data.{name})"
