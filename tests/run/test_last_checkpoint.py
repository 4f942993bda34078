"""The checkpoint that a run goes on from: when it is written, and what an end at any moment leaves of a run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from genlab.run import fit, last_checkpoint
from genlab.run.interrupt import StopOnSignal
from genlab.run.last_checkpoint import LastCheckpoint
from genlab.run.outcome import Stop


@pytest.fixture
def saves(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The iterations at which it is written while training."""
    found: list[int] = []
    save = last_checkpoint.save_checkpoint

    def noted(trainer: Any, path: Path) -> None:
        found.append(trainer.global_step)
        save(trainer, path)

    monkeypatch.setattr(last_checkpoint, "save_checkpoint", noted)
    return found


def test_it_is_written_after_each_pass_or_so_many_seconds(
    genlab: Any, tiny: Any, place: Path, saves: list[int]
) -> None:
    long = "data.seq_len=50"  # a pass of a few steps
    words = tiny(trainer__max_steps=200)
    assert genlab("train", *words, long, "run_dir=a").code == 0
    per_pass = torch.load(place / "a/checkpoints/last.ckpt", weights_only=True)["genlab"]["facts"]["windows_per_pass"]
    assert saves == list(range(per_pass, 200, per_pass))
    saves.clear()
    assert genlab("train", *words, long, "run_dir=b", "callbacks.last.every_pass=false").code == 0
    assert saves == []
    seconds = ("callbacks.last.every_pass=false", "callbacks.last.every_seconds=1e-9")
    assert genlab("train", *words, long, "run_dir=c", *seconds).code == 0
    assert len(saves) > 200 // 20 - 2


@pytest.mark.parametrize(
    ("options", "said"),
    [({"every_seconds": 0}, "callbacks.last.every_seconds"), ({"every_pass": 1}, "callbacks.last.every_pass")],
)
def test_other_values_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LastCheckpoint("last.ckpt", **options)


@pytest.mark.parametrize("path", ["", ".", "/", 3, None])
def test_a_path_that_names_no_file_is_refused(path: Any) -> None:
    with pytest.raises(ValueError, match=r"^`path` must name a file; got .* \(callbacks.last.path\)$"):
        LastCheckpoint(path)


@pytest.mark.parametrize("where", ["_draw_curves", "_end"])
def test_a_run_that_is_ended_after_its_last_step_lacks_nothing_when_it_goes_on(
    where: str, genlab: Any, tiny: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert genlab("train", *tiny(), "run_dir=straight").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(fit, where, lambda *_: os._exit(9))
        pid = os.fork() if hasattr(os, "fork") else pytest.skip("no fork")
        if pid == 0:
            genlab("train", *tiny(), "run_dir=run")
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    assert json.loads((place / "run/status.json").read_text())["state"] == "running"
    answer = genlab("train", *tiny(), "run_dir=run")
    assert answer.code == 0, answer.err
    ours, theirs = (json.loads((place / run / "status.json").read_text()) for run in ("run", "straight"))
    for status in (ours, theirs):
        del status["metrics"]["train/iterations_per_second"]
    assert (ours["state"], ours["metrics"]) == ("done", theirs["metrics"])
    figures = [sorted(path.name for path in (place / run / "figures").iterdir()) for run in ("run", "straight")]
    assert figures[0] == figures[1]


def test_an_end_that_cannot_be_noted_is_told_with_what_was_the_matter(
    genlab: Any, tiny: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = fit.RunFolder.write_status

    def refuse(self: Any, state: str, *rest: Any) -> None:
        if state != "running":
            raise OSError(28, "No space left on device", str(self.path / "status.json"))
        write(self, state, *rest)

    monkeypatch.setattr(fit.RunFolder, "write_status", refuse)
    answer = genlab("train", *tiny(), "run_dir=run")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "failed after 60 iterations: its end cannot be noted: [Errno 28] No space left" in answer.err


def test_a_long_validation_is_broken_off_by_a_signal_and_a_short_one_is_not(tmp_path: Path) -> None:
    stop = StopOnSignal(tmp_path / "last.ckpt")
    batch: Any = None
    stop.training = True
    stop.on_validation_batch_start(batch, batch, batch, 0)
    stop._handle(2, None)  # type: ignore[arg-type]
    stop.on_validation_batch_start(batch, batch, batch, 1)
    stop._stopped_at -= 10
    with pytest.raises(Stop):
        stop.on_validation_batch_start(batch, batch, batch, 2)
