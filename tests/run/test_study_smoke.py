"""Every study at its smallest budget, by glob, started as people start it."""

import json
import warnings
from pathlib import Path

import pytest

from genlab.run.cli import main
from genlab.run.config_files import config_dir

pytestmark = pytest.mark.minutes

STUDIES = sorted(path.stem for path in (config_dir() / "study").glob("*.yaml"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of all studies of a module: equal ones are done once, as they are for anybody."""
    return tmp_path_factory.mktemp("runs")


def smoke_of(study: str, runs: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    """Run the study and check what it leaves; returns its folder."""
    monkeypatch.setenv("GENLAB_RUNS", str(runs))
    monkeypatch.delenv("GENLAB_DATA", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of worker processes, and the stand-in's own
        assert main(["train", "-m", f"study={study}", "budget=smoke", *words]) == 0
    folder = runs / study / "smoke"
    plan = json.loads((folder / "study.json").read_text())
    assert plan["jobs"]
    for job in plan["jobs"]:
        run = folder / job["folder"]
        assert json.loads((run / "status.json").read_text())["state"] == "done", job["name"]
        assert list((run / "evaluation").glob("*.json")), job["name"]
    assert (folder / "results.csv").read_text().count("\n") > len(plan["jobs"])
    assert (folder / "report.html").stat().st_size > 10_000
    decided = {row["study"] for row in json.loads((folder / "claims.json").read_text())["rows"]}
    assert decided == ({study} if plan["definition"].get("claims") else set())
    return folder


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_runs_in_one_process(study: str, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = smoke_of(study, shared, monkeypatch)
    assert "BasicLauncher" in (folder / "launcher" / "multirun.yaml").read_text()
