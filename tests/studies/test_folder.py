"""A study's folder: what ``study.json`` and the jobs' own records say, and runs that lie elsewhere."""

import json
from hashlib import sha256
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


RESULT: dict[str, Any] = {"value": 3.0, "checkpoint": "best", "settings": {"count": 10}}


def write_measured(study: Path, number: int, data: str = "d", **results: dict[str, Any]) -> dict[str, Any]:
    """A finished run of the study with ``results`` by measure (``epoch_0002__fid`` for a pass), and its job."""
    name = f"lr=1,seed={number}"
    write_run(study / name, "done")
    (study / name / "provenance.json").write_text(json.dumps({"data": {"sha256": data}}))
    (study / name / "metrics.csv").write_text("step,loss\n1,2\n")
    for key, result in results.items():
        file = study / name / "evaluation" / f"{key.replace('__', '/')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result))
    (study / "jobs").mkdir(exist_ok=True)
    config = {"evaluators": {"fid": {"count": 10}, "kid": {"count": 10}}}
    (study / "jobs" / f"{number:04d}.yaml").write_text(yaml.safe_dump(config))
    return {**JOB, "number": number, "name": name, "folder": name, "seed": number, "state": "done"}


def plan_of(study: Path, *jobs: dict[str, Any], **more: Any) -> None:
    definition = {"evaluate": {"measures": ["fid", "kid"], "checkpoint": "best"}}
    (study / "study.json").write_text(json.dumps({**PLAN, "definition": definition, "jobs": list(jobs), **more}))


def test_results_that_are_not_as_the_study_asks_for_are_none_of_it(tmp_path: Path) -> None:
    judge = tmp_path / "judge" / "checkpoints" / "best.ckpt"
    judge.parent.mkdir(parents=True)
    judge.write_bytes(b"weights")
    ours = {"judge_sha256": sha256(b"weights").hexdigest()}
    others: list[dict[str, Any]] = [
        {"checkpoint": "last"},
        {"settings": {"count": 11}},
        {"judge_sha256": "of another"},
    ]
    jobs = [
        write_measured(
            tmp_path, 0, fid=RESULT | ours, kid=RESULT, epoch_0002__fid=RESULT | {"checkpoint": "epoch_0002"}
        )
    ]
    jobs += [
        write_measured(tmp_path, number, fid=RESULT | other, kid=RESULT | ours, epoch_0002__fid=RESULT | other)
        for number, other in enumerate(others, start=1)
    ]
    plan_of(tmp_path, *jobs, judge="judge")
    good, *bad = read_study(tmp_path).jobs
    assert good.run is not None
    assert (set(good.run.evaluation), set(good.run.passes["epoch_0002"]), good.reason) == ({"fid", "kid"}, {"fid"}, "")
    for job in bad:
        assert job.run is not None
        assert (set(job.run.evaluation), job.run.passes["epoch_0002"]) == ({"kid"}, {})
        assert job.reason == "fid with other weights, settings or judge: run the study again"


def test_a_measure_that_the_study_does_not_ask_for_is_nothing_to_run_it_again_for(tmp_path: Path) -> None:
    plan_of(tmp_path, write_measured(tmp_path, 0, fid=RESULT, other=RESULT | {"checkpoint": "last"}))
    (job,) = read_study(tmp_path).jobs
    assert job.run is not None
    assert (set(job.run.evaluation), job.reason) == ({"fid"}, "")


def test_a_run_on_other_data_is_none_of_the_study(tmp_path: Path) -> None:
    jobs = [write_measured(tmp_path, number, data, fid=RESULT) for number, data in enumerate(["d1", "d1", "d2"])]
    plan_of(tmp_path, *jobs)
    first, second, third = read_study(tmp_path).jobs
    assert first.run is not None
    assert second.run is not None
    assert (third.run, third.reason) == (None, "trained on other data (d2) than lr=1,seed=0 (d1)")


def test_arms_may_have_data_of_their_own(tmp_path: Path) -> None:
    jobs = [write_measured(tmp_path, number, f"d{number}", fid=RESULT) for number in range(2)]
    for number in range(2):
        config = {"data": {"corpus": f"c{number}", "root": "anywhere", "seed": number}}
        (tmp_path / f"lr=1,seed={number}" / "config.yaml").write_text(yaml.safe_dump(config))
    plan_of(tmp_path, *jobs)
    assert all(job.run is not None for job in read_study(tmp_path).jobs)


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
