"""What the suite calls the same: a run that differs in one number of one file is found out."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from genlab.torture.comparison import differences


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    """Two equal runs in two places, with a path of its own in each."""
    made = tmp_path / "one", tmp_path / "other"
    for run in made:
        (run / "checkpoints").mkdir(parents=True)
        (run / "samples").mkdir()
        content = {
            "state_dict": {"w": torch.ones(2, 2)},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}],
            "callbacks": {"RandomState": {"python": [3, [1, 2, 3], None]}, "best": {"path": f"{run}/best.ckpt"}},
            "figures": {"train/loss": 1.0, "train/iterations_per_second": hash(run)},
        }
        torch.save(content, run / "checkpoints" / "last.ckpt")
        (run / "metrics.csv").write_text(f"step,train/loss,train/iterations_per_second\n10,1.5,{hash(run)}\n")
        (run / "samples" / "training.txt").write_text("Harry")
        (run / "provenance.json").write_text(str(run))
        status = {"state": "done", "reason": "", "iterations": 10, "metrics": {"train/loss": 1.0}, "seconds": hash(run)}
        (run / "status.json").write_text(json.dumps(status))
    return made


def test_equal_runs_differ_in_nothing(runs: tuple[Path, Path]) -> None:
    assert differences(*runs) == []


def change_checkpoint(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def work(run: Path) -> None:
        path = run / "checkpoints" / "last.ckpt"
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)

    return work


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a weight": (
        change_checkpoint(lambda content: content["state_dict"]["w"].view(-1)[3].mul_(1 + 2e-7)),
        "checkpoints/last.ckpt: state_dict.w",
    ),
    "a type": (
        change_checkpoint(lambda content: content["state_dict"].update(w=torch.ones(2, 2, dtype=torch.float64))),
        "checkpoints/last.ckpt: state_dict.w",
    ),
    "a moment": (
        change_checkpoint(lambda content: content["optimizer_states"][0]["state"][0]["exp_avg"].add_(1)),
        "checkpoints/last.ckpt: optimizer_states.0.state.0.exp_avg",
    ),
    "a random state": (
        change_checkpoint(lambda content: content["callbacks"]["RandomState"]["python"][1].append(4)),
        "checkpoints/last.ckpt: callbacks.RandomState.python.1.3",
    ),
    "a figure": (
        lambda run: (run / "metrics.csv").write_text("step,train/loss,train/iterations_per_second\n10,1.6,0\n"),
        "metrics.csv at 10",
    ),
    "a row": (
        lambda run: (run / "metrics.csv").write_text("step,train/loss\n10,1.5\n20,1.5\n"),
        "metrics.csv: 2 rows and 1, at other iterations",
    ),
    "a sample": (lambda run: (run / "samples" / "training.txt").write_text("Ron"), "samples/training.txt"),
    "the end": (
        lambda run: (run / "status.json").write_text((run / "status.json").read_text().replace("done", "failed")),
        "status.json: state",
    ),
    "a file": (lambda run: (run / "samples" / "more.txt").touch(), "samples/more.txt is in one of them only"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_changed_is_named(name: str, runs: tuple[Path, Path]) -> None:
    change, expected = CHANGES[name]
    change(runs[0])
    assert differences(*runs) == [expected]


def test_what_may_be_there_besides_is_let_pass(runs: tuple[Path, Path]) -> None:
    (runs[0] / "failure").mkdir()
    (runs[0] / "failure" / "batch_3.pt").touch()
    assert differences(*runs, besides="failure/") == []
    shutil.copytree(runs[0] / "failure", runs[1] / "failure")
    (runs[0] / "failure" / "batch_3.pt").unlink()
    assert differences(*runs) == ["failure/batch_3.pt is in one of them only"]
