"""A study under the launchers that start runs elsewhere: a cluster's queue, tried locally, and a local Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genlab.run.study import run_study

pytestmark = pytest.mark.minutes

RAY = Path(sys.prefix) / "ray"
LR = ("train", "-m", "study=rnn_lr", "budget=smoke", "trainer.max_steps=40", "model.engine=torch", "seed=0")
SHORT = ("data.windows_per_step=20",)


def study(tmp_path: Path, *launcher: str, python_path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GENLAB_RUNS": str(tmp_path / "runs"), "RAY_AUTH_MODE": "disabled"}
    environment["HOME"] = str(tmp_path)
    environment["PYTHONPATH"] = python_path
    words = [sys.executable, "-m", "genlab", *LR, *SHORT, *launcher]
    return subprocess.run(words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=400)


def check(tmp_path: Path, done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs/rnn_lr/smoke"
    records = [json.loads(file.read_text()) for file in sorted((folder / "jobs").glob("*.json"))]
    assert [record["state"] for record in records] == ["done", "done"]
    assert len({record["process"] for record in records}) == 2  # each in a process of its own
    assert "2 of 2 runs done" in done.stdout
    assert (folder / "claims.json").is_file()


def test_submitit_on_this_machine(tmp_path: Path) -> None:
    check(tmp_path, study(tmp_path, "hydra/launcher=submitit_local", "hydra.launcher.timeout_min=10"))


@pytest.mark.skipif(not RAY.is_dir() and not os.environ.get("CI"), reason="Ray is not installed: make install-ray")
def test_ray_on_this_machine(tmp_path: Path) -> None:
    words = (
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=2",
        "+hydra.launcher.ray.init.include_dashboard=false",
    )
    check(tmp_path, study(tmp_path, *words, python_path=str(RAY)))


SLURM = "hydra/launcher=submitit_slurm"


@pytest.mark.parametrize(
    ("words", "threads"),
    [
        ([SLURM, "hydra.launcher.cpus_per_task=8"], "8"),
        ([SLURM, "hydra.launcher.cpus_per_task=${oc.env:CPUS}"], "6"),
        ([SLURM], "1"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], "2"),
        (["hydra/launcher=submitit_local", "hydra.launcher.cpus_per_task=8"], "1"),
        ([], None),
    ],
)
def test_threads_of_a_run(
    words: list[str], threads: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setenv("GENLAB_RUNS", str(tmp_path))
    monkeypatch.setenv("CPUS", "6")
    seen = []
    for typed in (None, "3"):
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if typed is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", typed)
        run_study([*LR[2:], *words], lambda words, task: seen.append(os.environ.get("OMP_NUM_THREADS")))
        assert os.environ.get("OMP_NUM_THREADS") == typed
    assert seen == [threads, "3"]


def test_a_launcher_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = study(tmp_path, "hydra/launcher=rey")
    assert done.returncode == 2
    assert "hydra/launcher=rey: no such option" in done.stderr
    assert not list((tmp_path / "runs").rglob("status.json"))
