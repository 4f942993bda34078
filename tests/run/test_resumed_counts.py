"""A run of several passes that was stopped anywhere ends where one left alone ends, and logs the same steps."""

from pathlib import Path
from typing import Any

import pytest
import torch

from genlab.run.interrupt import StopOnSignal
from genlab.run.outcome import Stop

PER_PASS = 9  # batches of the small digits
WORDS = [
    "experiment=classifier",
    "data.dataset=digits",
    "data.val_size=200",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=3",
    "trainer.log_every_n_steps=4",
    "model.embedding_dim=4",
]


def ending(folder: Path) -> tuple[list[str], dict[str, torch.Tensor]]:
    """Every line of the figures, and the last weights."""
    lines = (folder / "metrics.csv").read_text().splitlines()
    return lines, torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.fixture
def straight(genlab: Any, place: Path) -> tuple[list[str], dict[str, torch.Tensor]]:
    assert genlab("train", *WORDS, "run_dir=straight").code == 0
    return ending(place / "straight")


def check_same(folder: Path, straight: tuple[list[str], dict[str, torch.Tensor]]) -> None:
    lines, weights = ending(folder)
    assert lines == straight[0]
    assert lines[-1].startswith(f"{3 * PER_PASS},")
    assert all(torch.equal(weights[name], straight[1][name]) for name in straight[1])


def test_it_may_be_stopped_in_any_pass_and_between_two(
    genlab: Any, place: Path, straight: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = StopOnSignal.on_train_batch_start
    places = [5, PER_PASS, 2 * PER_PASS + 3, 3 * PER_PASS - 1]

    def stop_here(self: StopOnSignal, trainer: Any, *rest: Any) -> None:
        if places and trainer.global_step == places[0]:
            places.pop(0)
            self.stopped = True
        stop(self, trainer, *rest)

    monkeypatch.setattr(StopOnSignal, "on_train_batch_start", stop_here)
    for expected in list(places):
        answer = genlab("train", *WORDS, "run_dir=run")
        assert answer.code == 130
        assert f"interrupted after {expected} iterations" in answer.err
    assert genlab("train", *WORDS, "run_dir=run").code == 0
    check_same(place / "run", straight)


def test_passes_are_counted_right_after_an_end_in_the_middle_of_one(genlab: Any, place: Path) -> None:
    words = [*WORDS, "model.lr_schedule=constant", "run_dir=run"]
    assert genlab("train", *words, f"trainer.max_steps={PER_PASS + 4}").code == 0
    answer = genlab("train", *words)
    assert answer.code == 0
    assert f"done: {3 * PER_PASS} iterations" in answer.out


def test_a_run_whose_rate_follows_a_schedule_is_not_made_longer(genlab: Any, place: Path) -> None:
    """Its rate has come down already: with more passes it would not be the run that those passes alone make."""
    words = [*WORDS, "run_dir=run"]
    assert genlab("train", *words, "trainer.max_epochs=1").code == 0
    answer = genlab("train", *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "run has trainer.max_epochs=1, not 3 (run_dir)" in answer.err
    assert "nothing to do" in genlab("train", *words, "trainer.max_epochs=1").out


def test_validations_after_so_many_steps_come_at_the_same_steps_however_often_it_is_stopped(
    genlab: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*WORDS, "trainer.val_check_interval=4", "trainer.check_val_every_n_epoch=null"]
    assert genlab("train", *words, "run_dir=straight").code == 0
    stop, places = StopOnSignal.on_train_batch_start, [3, 7, 10, 14]

    def stop_here(self: StopOnSignal, trainer: Any, *rest: Any) -> None:
        if places and trainer.global_step == places[0]:
            places.pop(0)
            self.stopped = True
        stop(self, trainer, *rest)

    monkeypatch.setattr(StopOnSignal, "on_train_batch_start", stop_here)
    while places:
        assert genlab("train", *words, "run_dir=run").code == 130
    assert genlab("train", *words, "run_dir=run").code == 0
    check_same(place / "run", ending(place / "straight"))


def test_a_checkpoint_that_is_saved_as_soon_as_a_run_goes_on_has_the_right_counts(
    genlab: Any, place: Path, straight: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if every session were killed right after its first save; each save is of the same iteration."""
    often = "callbacks.last.every_seconds=1e-9"
    with monkeypatch.context() as patch:

        def stop_after_the_save(self: StopOnSignal, trainer: Any, *rest: Any) -> None:
            if trainer.global_step >= 5:
                raise Stop

        patch.setattr(StopOnSignal, "on_train_batch_start", stop_after_the_save)
        for _ in range(3):
            assert genlab("train", *WORDS, often, "run_dir=run").code == 130
    assert genlab("train", *WORDS, often, "run_dir=run").code == 0
    check_same(place / "run", straight)
    counts = [
        torch.load(place / name / "checkpoints" / "last.ckpt", weights_only=True)["loops"]["fit_loop"]
        for name in ("run", "straight")
    ]
    assert counts[0] == counts[1]
