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

from genlab.run.interrupt import Stop, StopOnSignal

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
        signal.raise_signal(signal.SIGINT)
        assert stop.stopped
        with pytest.raises(Stop):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
