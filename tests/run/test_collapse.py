"""The watchdogs: what they call a collapse, that they say it once, and that a resumed run says it again."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genlab.datasets.image_batches import Batch
from genlab.run.collapse import GanCollapse, PosteriorCollapse, Stretch
from genlab.run.diagnoses import diagnoses, forget_later, warn

REAL = Batch(torch.rand(16, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(16))


def trainer(folder: Path, iteration: int, **figures: float) -> Any:
    metrics = {name.replace("__", "/"): torch.tensor(value) for name, value in figures.items()}
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(_batches_that_stepped=iteration))
    return SimpleNamespace(
        default_root_dir=str(folder),
        global_step=iteration,
        callback_metrics=metrics,
        fit_loop=loop,
        log_every_n_steps=1,
        sanity_checking=False,
    )


def test_a_stretch_is_broken_by_one_look() -> None:
    stretch = Stretch()
    assert [stretch.lasts(so, at, 20) for at, so in ((0, True), (10, True), (20, True))] == [False, False, True]
    assert not stretch.lasts(False, 30, 20)
    assert [stretch.lasts(True, at, 20) for at in (40, 59, 60)] == [False, False, True]


def test_a_validation_before_training_is_no_look(tmp_path: Path) -> None:
    at = trainer(tmp_path, 0)
    at.sanity_checking = True
    GanCollapse().on_validation_end(at, None)
    assert diagnoses(tmp_path) == []


@pytest.mark.parametrize(("fake", "expected"), [(1.0, ["discriminator won"]), (0.99, [])])
def test_a_discriminator_that_is_never_wrong_has_won(fake: float, expected: list[str], tmp_path: Path) -> None:
    watch = GanCollapse(patience=30)
    for iteration in range(0, 60, 10):
        at = trainer(tmp_path, iteration, train__accuracy_real=1.0, train__accuracy_fake=fake)
        watch.on_train_batch_end(at, None, None, REAL, 0)  # type: ignore[arg-type]
    assert [each["diagnosis"] for each in diagnoses(tmp_path)] == expected


@pytest.mark.parametrize(("scale", "expected"), [(0.1, ["mode collapse"]), (0.5, [])])
def test_images_that_are_nearly_all_alike_are_a_collapse(scale: float, expected: list[str], tmp_path: Path) -> None:
    drawn: list[int] = []

    def sample(count: int, seed: int) -> torch.Tensor:
        drawn.append(count)
        noise = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(seed))
        return 0.5 + scale * noise

    watch = GanCollapse(patience=30)
    for iteration in range(0, 60, 10):
        watch.on_train_batch_end(trainer(tmp_path, iteration), None, None, REAL, 0)  # type: ignore[arg-type]
        watch.on_validation_end(trainer(tmp_path, iteration), SimpleNamespace(sample=sample))
    found = diagnoses(tmp_path)
    assert [each["diagnosis"] for each in found] == expected
    assert set(drawn) == {64}
    if expected:
        assert (found[0]["iteration"], "spread by 0.1" in found[0]["said"]) == (30, True)


@pytest.mark.parametrize(
    ("kl", "spread", "collapsed"), [(5.0, 1.0, False), (0.01, 1.0, True), (5.0, 0.05, True), (5.0, 0.2, False)]
)
def test_latents_that_say_nothing_are_a_posterior_collapse(
    kl: float, spread: float, collapsed: bool, tmp_path: Path
) -> None:
    def encode(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mu = spread * torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).repeat(len(images) // 2, 1)  # variance spread^2
        return mu, mu

    watch = PosteriorCollapse(patience=30)
    for iteration in range(0, 60, 10):
        at = trainer(tmp_path, iteration, val__kl=kl)
        watch.on_validation_batch_end(at, None, None, REAL, 0)  # type: ignore[arg-type]
        watch.on_validation_end(at, SimpleNamespace(encode=encode))
    assert [each["diagnosis"] for each in diagnoses(tmp_path)] == (["posterior collapse"] if collapsed else [])


def test_a_warning_comes_once_and_again_after_a_resumption_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="genlab.diagnoses"):
        for iteration in (10, 20):
            warn(trainer(tmp_path, iteration), "mode collapse", "all alike")
        warn(trainer(tmp_path, 30), "discriminator won", "always right")
    assert caplog.messages == [
        "mode collapse at iteration 10: all alike",
        "discriminator won at iteration 30: always right",
    ]
    forget_later(trainer(tmp_path, 20))
    assert [each["iteration"] for each in json.loads((tmp_path / "warnings.json").read_text())["warnings"]] == [10]
    forget_later(trainer(tmp_path, 9))
    assert not (tmp_path / "warnings.json").exists()
    warn(trainer(tmp_path, 10), "mode collapse", "all alike")
    assert len(diagnoses(tmp_path)) == 1


def test_what_was_seen_is_taken_up_by_a_run_that_goes_on(tmp_path: Path) -> None:
    watch = PosteriorCollapse(patience=30)
    watch._silent.lasts(True, 100, 30)
    again = PosteriorCollapse(patience=30)
    again.load_state_dict(watch.state_dict())
    assert again._silent.lasts(True, 130, 30)
    gan = GanCollapse(patience=30)
    gan._won.lasts(True, 7, 30)
    other = GanCollapse(patience=30)
    other.load_state_dict(gan.state_dict())
    assert (other._won.since, other._alike.since) == (7, None)


@pytest.mark.parametrize("options", [{"patience": 0}, {"spread": 0}, {"spread": 2}, {"count": 1}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"callbacks.gan_collapse.{next(iter(options))}"):
        GanCollapse(**options)
    with pytest.raises(ValueError, match=r"callbacks.posterior_collapse.kl"):
        PosteriorCollapse(kl=0)
