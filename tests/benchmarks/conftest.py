"""The image models' loops on small batches: what is measured here is nothing, and a batch of 128 takes a second."""

import pytest

from genlab.benchmarks import image_training, peers_images, profiled


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (image_training, peers_images, profiled):
        monkeypatch.setattr(module, "BATCH", 16)
