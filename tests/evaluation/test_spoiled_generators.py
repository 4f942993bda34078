"""Three generators spoiled on purpose, each caught by the measure that is meant for it, beside one that is good."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genlab.evaluation.class_histogram import ClassHistogram
from genlab.evaluation.class_spread import ClassSpread
from genlab.evaluation.coverage import Coverage
from genlab.evaluation.density import Density
from genlab.evaluation.fid_mnist_cnn import FidMnistCnn
from genlab.evaluation.kid_mnist_cnn import KidMnistCnn
from genlab.evaluation.memorisation import Memorisation
from genlab.evaluation.precision import Precision
from genlab.evaluation.recall import Recall

COUNT = 300
MEASURES = {
    "fid": FidMnistCnn,
    "kid": KidMnistCnn,
    "precision": Precision,
    "recall": Recall,
    "density": Density,
    "coverage": Coverage,
    "histogram": ClassHistogram,
    "spread": ClassSpread,
    "memorisation": Memorisation,
}


@pytest.fixture
def data(fakes: SimpleNamespace) -> Any:
    return fakes.image_data(train=600, val=300, test=400)


def figures(make: Any, data: Any, fakes: SimpleNamespace) -> tuple[dict[str, float], dict[str, float]]:
    """Each measure's value, and that of real images in the generator's place."""
    results = {name: measure(count=COUNT)(fakes.Emits(make), data) for name, measure in MEASURES.items()}
    return {n: r["value"] for n, r in results.items()}, {n: r["floor"]["value"] for n, r in results.items()}


def test_a_good_generator_passes_all(fakes: SimpleNamespace, data: Any) -> None:
    value, floor = figures(lambda count, seed: fakes.drawn(count, 99)[0].float() / 255, data, fakes)
    assert value["fid"] < 2 * floor["fid"]
    assert abs(value["kid"]) < 0.01
    for name in ("precision", "recall", "coverage", "density", "spread"):
        assert value[name] == pytest.approx(floor[name], abs=0.1)
    assert value["histogram"] < 0.1
    assert value["memorisation"] == pytest.approx(0.5, abs=0.1)


def test_one_that_collapsed_to_a_single_image(fakes: SimpleNamespace, data: Any) -> None:
    # A good image, of the test set: nothing is wrong with it but that it is always the same.
    value, floor = figures(lambda count, seed: data.test.floats()[:1].expand(count, -1, -1, -1), data, fakes)
    assert value["precision"] == 1, "realism alone does not notice"
    assert value["recall"] < 0.01
    assert value["coverage"] < 0.05 < floor["coverage"]
    assert value["spread"] == pytest.approx(0, abs=1e-6)
    assert value["histogram"] > 0.6 > 10 * floor["histogram"] - 0.6
    assert value["fid"] > 20 * floor["fid"]


def test_one_that_copies_training_images(fakes: SimpleNamespace, data: Any) -> None:
    def copies(count: int, seed: int) -> torch.Tensor:
        chosen = torch.randperm(len(data.train), generator=fakes.generator(seed + 7))[:count]
        images: torch.Tensor = data.train.floats()[chosen]
        return images

    value, floor = figures(copies, data, fakes)
    assert value["fid"] <= 1.5 * floor["fid"], "by the distance it is as good as real images"
    assert value["precision"] >= floor["precision"] - 0.02
    assert value["coverage"] > 0.9 * floor["coverage"]
    assert value["spread"] == pytest.approx(1, abs=0.1)
    assert value["memorisation"] == 1
    assert floor["memorisation"] == pytest.approx(0.5, abs=0.1)


def test_one_that_emits_noise(fakes: SimpleNamespace, data: Any) -> None:
    def noise(count: int, seed: int) -> torch.Tensor:
        return torch.rand(count, 1, fakes.SIDE, fakes.SIDE, generator=fakes.generator(seed))

    value, floor = figures(noise, data, fakes)
    assert value["precision"] < 0.1
    assert value["density"] < 0.1 < floor["density"]
    assert value["fid"] > 20 * floor["fid"]
    assert value["kid"] > 20 * abs(floor["kid"])
    assert value["memorisation"] < 0.6, "noise copies nothing"
