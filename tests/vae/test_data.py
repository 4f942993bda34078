"""The VAE's images are those of the data set, as they are."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from genlab.datasets.image_batches import as_floats
from genlab.vae.data import VaeDataModule


def test_a_pass_is_every_image_of_the_training_set_unchanged(few_digits: Callable[..., Any]) -> None:
    data = few_digits(VaeDataModule)
    data.trainer = SimpleNamespace(global_step=0)
    assert data.augment is None
    seen = [image.numpy().tobytes() for batch in data.train_dataloader() for image in batch.images]
    assert sorted(seen) == sorted(image.numpy().tobytes() for image in as_floats(data.train_set.images))
