"""Stopped from outside: by a signal that asks, by one that does not, and then gone on with."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from genlab.run.interrupt import StopOnSignal
from genlab.run.outcome import Stop

ITERATIONS = 1000


def start(words: list[str], place: Path, ready: Path) -> subprocess.Popen:
    """Start training in a process of its own and wait until ``ready`` is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "genlab", "train", *words],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not ready.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    return process


def steps(folder: Path) -> list[int]:
    return [int(line.partition(",")[0]) for line in (folder / "metrics.csv").read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def straight(tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("straight") / "run"
    words = [sys.executable, "-m", "genlab", "train", *words_of(tiny), f"run_dir={folder}"]
    assert subprocess.run(words, capture_output=True).returncode == 0
    return folder


def words_of(tiny) -> list[str]:
    return tiny(
        trainer__max_steps=ITERATIONS,
        trainer__val_check_interval=10,
        callbacks__last__every_seconds=0.1,
        callbacks__text_samples__every=100000,
    )


def check_same_end(folder: Path, straight: Path) -> None:
    assert json.loads((folder / "status.json").read_text())["state"] == "done"
    ours, theirs = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"] for run in (folder, straight)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert steps(folder) == steps(straight)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_saves_and_says_how_to_go_on(number, tiny, place: Path, straight: Path) -> None:
    folder = place / "it's a run, (1)"
    process = start([*words_of(tiny), f"run_dir={folder.name}"], place, folder / "checkpoints" / "last.ckpt")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.startswith("training in ")
    assert "Traceback" not in err
    said = json.loads((folder / "status.json").read_text())
    assert (said["state"], said["reason"]) == ("interrupted", "stopped by the user")
    assert 0 < said["iterations"] < ITERATIONS
    if number == signal.SIGTERM:  # it ends as the other does: going on is tried once
        return
    command = err.splitlines()[-1].partition("to go on: ")[2]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, shell=True, cwd=place, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"going on from iteration {said['iterations']:,} in {folder.name}" in done.stdout
    check_same_end(folder, straight)
    assert shlex.split(command)[:2] == ["genlab", "train"]


def test_a_killed_run_goes_on_from_its_last_checkpoint(tiny, genlab, place: Path, straight: Path) -> None:
    folder = place / "run"
    process = start([*words_of(tiny), "run_dir=run"], place, folder / "checkpoints" / "last.ckpt")
    time.sleep(0.2)
    process.kill()
    process.communicate()
    assert json.loads((folder / "status.json").read_text())["state"] == "running"
    assert genlab("train", *words_of(tiny), "run_dir=run").code == 0
    check_same_end(folder, straight)


def test_the_second_signal_stops_at_once_and_handlers_are_given_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    stop = StopOnSignal(tmp_path / "last.ckpt")
    with stop.listening():
        stop.training = True
        signal.raise_signal(signal.SIGINT)
        assert stop.stopped
        with pytest.raises(Stop):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_before_the_first_step_a_signal_stops_at_once_and_after_the_last_none_does(tmp_path: Path) -> None:
    stop = StopOnSignal(tmp_path / "last.ckpt")
    with stop.listening():
        with pytest.raises(Stop):
            signal.raise_signal(signal.SIGTERM)
        stop.ended = True
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert not stop.stopped


def test_a_stop_before_training_has_begun_is_an_interrupted_run(
    tiny, genlab, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logger that waits for its server, and people who do not."""
    from genlab.run.metrics_csv import MetricsCsv

    words = [*tiny(trainer__max_steps=40), "run_dir=run"]
    assert genlab("train", *words).code == 0
    monkeypatch.setattr(MetricsCsv, "log_hyperparams", lambda *_: signal.raise_signal(signal.SIGINT))
    answer = genlab("train", *words, "trainer.max_steps=60")
    assert answer.code == 130
    assert "interrupted after 40 iterations; to go on: genlab train" in answer.err
    assert json.loads((place / "run/status.json").read_text())["state"] == "interrupted"
    monkeypatch.undo()
    monkeypatch.chdir(place)
    assert "going on from iteration 40" in genlab("train", *words, "trainer.max_steps=60").out


def test_a_stop_that_nobody_is_left_to_read_of_saves_all_the_same(tiny, place: Path) -> None:
    """As with ``genlab train ... 2>&1 | tee log``, where Ctrl-C ends ``tee`` first."""
    folder = place / "run"
    process = start([*words_of(tiny), "run_dir=run"], place, folder / "checkpoints" / "last.ckpt")
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    said = json.loads((folder / "status.json").read_text())
    assert said["state"] == "interrupted"
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert saved == said["iterations"]
