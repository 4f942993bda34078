"""A study's folder: what ``study.json`` and the jobs' own records say, and runs that lie elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from genlab.studies.folder import find_studies, read_plan, read_study

JOB: dict[str, Any] = {"number": 7, "name": "lr=1,seed=2", "arm": {"lr": 1}, "seed": 2, "folder": "lr=1,seed=2"}
PLAN: dict[str, Any] = {"name": "rnn_lr", "budget": "quick", "definition": {"question": "Which?"}}


def write_study(folder: Path, *jobs: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps({**PLAN, "jobs": list(jobs)}), encoding="utf-8")
    return folder


def write_run(folder: Path, state: str, reason: str = "") -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"seed": 2}))
    (folder / "status.json").write_text(json.dumps({"state": state, "reason": reason, "iterations": 5}))


def test_a_job_that_has_not_begun_is_waiting(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path, JOB))
    assert (study.folder, study.name, study.budget) == (tmp_path, "rnn_lr", "quick")
    assert study.definition == {"question": "Which?"}
    (job,) = study.jobs
    assert (job.number, job.name, job.arm, job.seed) == (7, "lr=1,seed=2", {"lr": 1}, 2)
    assert job.folder == tmp_path / "lr=1,seed=2"
    assert (job.run, job.state, job.reason) == (None, "waiting", "")


def test_a_run_is_read_where_it_lies(tmp_path: Path) -> None:
    """Beside the study's file, or where it was done before; the place is written without detours."""
    write_run(tmp_path / "other" / "run", "running")
    folder = write_study(tmp_path / "study", {**JOB, "folder": "../other/run"})
    (job,) = read_study(folder).jobs
    assert job.folder == tmp_path / "other" / "run"
    assert job.run is not None
    assert job.run.config == {"seed": 2}
    assert (job.state, job.reason) == ("running", "")


@pytest.mark.parametrize("missing", ["config.yaml", "status.json"])
def test_half_a_run_is_none(missing: str, tmp_path: Path) -> None:
    write_run(tmp_path / JOB["folder"], "running")
    (tmp_path / JOB["folder"] / missing).unlink()
    (job,) = read_study(write_study(tmp_path, JOB)).jobs
    assert (job.run, job.state) == (None, "waiting")


def test_the_plan_wins_over_the_jobs_record_and_that_over_the_run(tmp_path: Path) -> None:
    write_run(tmp_path / JOB["folder"], "interrupted", "Ctrl-C")
    (job,) = read_study(write_study(tmp_path, JOB)).jobs
    assert (job.state, job.reason) == ("interrupted", "Ctrl-C")
    (tmp_path / "jobs").mkdir()
    record = tmp_path / "jobs" / "0007.json"
    record.write_text(json.dumps({"state": "failed", "reason": "no disk"}))
    (job,) = read_study(tmp_path).jobs
    assert (job.state, job.reason) == ("failed", "no disk")
    (job,) = read_study(write_study(tmp_path, {**JOB, "state": "done", "reason": None})).jobs
    assert (job.state, job.reason) == ("done", "")
    (job,) = read_study(write_study(tmp_path, {**JOB, "state": "failed", "reason": "lost"})).jobs
    assert (job.state, job.reason) == ("failed", "lost")


@pytest.mark.parametrize("content", ["{", "[]", '{"state": "failed"}', '{"reason": "why"}'])
def test_a_damaged_record_of_a_job_says_nothing(content: str, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "0007.json").write_text(content)
    (job,) = read_study(write_study(tmp_path, JOB)).jobs
    assert (job.state, job.reason) == ("waiting", "")


def test_studies_are_found_below_a_folder_and_in_itself(tmp_path: Path) -> None:
    places = [write_study(tmp_path / name) for name in ("b/full", "a/quick")]
    (tmp_path / "c").mkdir()
    assert find_studies(tmp_path) == sorted(places)
    assert find_studies(places[0]) == [places[0]]
    assert find_studies(tmp_path / "c") == []


@pytest.mark.parametrize("key", ["name", "budget", "definition", "jobs"])
def test_a_plan_that_lacks_something_is_refused(key: str, tmp_path: Path) -> None:
    write_study(tmp_path)
    content = json.loads((tmp_path / "study.json").read_text())
    assert read_plan(tmp_path) == content
    del content[key]
    (tmp_path / "study.json").write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"^`study` must be a study's folder with a readable study.json; got .*\(study\)$"
    ):
        read_plan(tmp_path)


@pytest.mark.parametrize("content", [None, "{", "[]", "\xff"])
def test_a_missing_or_damaged_plan_is_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "study.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"study\.json' \(study\)$"):
        read_study(tmp_path)
