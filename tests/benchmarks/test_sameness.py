"""Contenders that do not do the same stop the command: images, losses, figures, artifacts."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from genlab.benchmarks import bare, image_training, peers_images
from genlab.benchmarks.accuracy import refuse_below
from genlab.benchmarks.evaluation import largest_difference, write_pngs
from genlab.benchmarks.image_training import TOLERANCE, datamodule, difference_from, write_images
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.sweep import refuse_missing
from genlab.datasets.image_batches import Batch


def plan(folder: Path) -> Plan:
    return Plan("quick", 1, folder, "digits", Path("data"), "32-true")


def test_the_peers_see_genlabs_training_images(tmp_path: Path) -> None:
    written, data = write_images(plan(tmp_path)), datamodule(plan(tmp_path))
    loader = peers_images.loader_of(str(written.root), True, peers_images.VaeLoop.transform, 128, 0)
    assert torch.equal(loader.dataset.data, data.train_set.images[:, 0])
    assert torch.equal(loader.dataset.targets, data.train_set.labels)
    test = peers_images.loader_of(str(written.root), False, peers_images.VaeLoop.transform, 128, 0)
    assert torch.equal(test.dataset.data, data.test_set.images[:, 0])
    kept = torch.load(written.file, weights_only=True)
    assert torch.equal(kept["images"], data.train_set.images)
    assert (written.count, written.passes) == (
        len(data.train_set.images),
        len(data.train_set.images) // image_training.BATCH,
    )


@pytest.mark.parametrize("model", ["dcgan", "vae"])
def test_the_examples_do_what_the_bare_loops_do(model: str) -> None:
    """From the same weights and random numbers, in double precision, over some steps."""
    torch.manual_seed(0)
    steps = [
        {"images": torch.rand(16, 1, 28, 28), "labels": torch.zeros(16), "random": torch.get_rng_state()} for _ in "abc"
    ]
    peer, alone = peers_images.LOOPS[model](), bare.LOOPS[model](3)
    weights = {name: value.double() for name, value in peer.nets.state_dict().items()}
    recorded = []
    torch.set_default_dtype(torch.float64)
    try:
        alone.nets.double().load_state_dict(weights)
        for step in steps:
            torch.set_rng_state(step["random"])
            found = alone.step(step["images"].double(), step["labels"])
            figures = dict(zip(alone.figures, map(float, found), strict=True))
            recorded.append({**step, "figures": figures})
    finally:
        torch.set_default_dtype(torch.float32)

    def again(batch: Batch) -> tuple[float, ...]:
        return peer.step(batch.images * 2 - 1 if model == "dcgan" else batch.images)

    peer.nets.double().load_state_dict(weights)
    assert difference_from(recorded, "peer", peer.figures, again) < TOLERANCE * 1000
    assert torch.get_default_dtype() == torch.float32
    with pytest.raises(RuntimeError, match=r"peer differs from genlab train .* of step 1"):  # it has been trained on
        difference_from(recorded, "peer", peer.figures, again)


def test_rates_of_image_loops_count_the_timed_steps(tmp_path: Path) -> None:
    written = write_images(plan(tmp_path))
    peer = peers_images.rate("dcgan", str(written.root), workers=0, warm_up=1, steps=2)
    alone = bare.rate("classifier", str(written.file), "32-true", batch=128, warm_up=1, steps=11)  # into a next pass
    assert 0 < peer["rate"] < 1e6
    assert 0 < alone["rate"] < 1e6


def test_a_classifier_that_does_not_get_there_is_an_error(tmp_path: Path) -> None:
    written = write_images(plan(tmp_path))
    with pytest.raises(RuntimeError, match=r"below 1\.1 after 1 passes"):
        peers_images.train_classifier(str(written.root), goal=1.1, passes=1, seed=0)
    refuse_below(0.99, 0.99)
    with pytest.raises(RuntimeError, match=r"must reach 0\.99"):
        refuse_below(0.9899, 0.99)


def test_measures_that_differ_are_noticed() -> None:
    ours = {"fid_mnist_cnn": 100.0, "precision": 0.5}
    assert largest_difference(ours, {"fid_mnist_cnn": 100.1, "precision": 0.5}) == pytest.approx(0.001, rel=1e-2)
    with pytest.raises(RuntimeError, match="fid_mnist_cnn must be the same"):
        largest_difference(ours, {"fid_mnist_cnn": 101.0, "precision": 0.5})
    with pytest.raises(RuntimeError, match="precision must be the same"):
        largest_difference(ours, {"fid_mnist_cnn": 100.0, "precision": 0.51})


def test_images_on_disk_are_in_their_order(tmp_path: Path) -> None:
    images = torch.randint(0, 256, (12, 1, 28, 28), dtype=torch.uint8)
    write_pngs(tmp_path / "new", images)
    files = sorted((tmp_path / "new").iterdir())
    read = torch.stack([torch.from_numpy(np.array(Image.open(file))) for file in files])
    assert torch.equal(read, images[:, 0])


def test_a_sweep_that_leaves_too_little_is_an_error(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").touch()
    refuse_missing(tmp_path, 2, ("metrics.csv",))
    with pytest.raises(RuntimeError, match=r"must leave 2 files status\.json; got 0"):
        refuse_missing(tmp_path, 2, ("metrics.csv", "status.json"))
