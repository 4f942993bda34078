"""A study's folder: ``study.json`` names its jobs, and each job's run lies beside it or where it was done before.

What others may have done to those runs since is no result of the study: what was measured otherwise than it asks for is
left out of a run, and so is a run that was trained on other data than the rest.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

import yaml

from genlab.checks import refuse
from genlab.reporting.runs import RunRecord, read_run
from genlab.studies.measured import Digests, is_as_asked, judge_digests
from genlab.studies.study import weights_of

STUDY_FILE = "study.json"
NOT_DATA = ("seed", "root", "download")
"""What a run's data settings say beside which data it is."""


@dataclass(frozen=True)
class JobRecord:
    """One run of a study: what sets it apart (``arm``), its seed, and the run, None where none has begun.

    ``state`` is one of waiting, running, done, failed, interrupted; ``reason`` says why a run is not done.
    """

    number: int
    name: str
    arm: dict[str, Any]
    seed: int
    folder: Path
    run: RunRecord | None
    state: str
    reason: str


@dataclass(frozen=True)
class StudyRecord:
    """Everything that a study's folder says; ``definition`` has the budget's changes merged in.

    ``words`` are what was typed of its runs beside study and budget.
    """

    folder: Path
    name: str
    budget: str
    definition: dict[str, Any]
    jobs: tuple[JobRecord, ...]
    words: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that makes the study, or goes on with it."""
        return " ".join(["genlab train -m", f"study={self.name}", f"budget={self.budget}", *map(quote, self.words)])


def find_studies(folder: Path) -> list[Path]:
    """The folders below ``folder``, or itself, that hold a study; sorted."""
    return sorted({file.parent for file in Path(folder).rglob(STUDY_FILE)})


def read_study(folder: Path) -> StudyRecord:
    """Read the study in ``folder`` with all of its runs; raises ``ValueError`` naming the file that is damaged."""
    folder = Path(folder)
    content = read_plan(folder)
    judges = judge_digests(folder, content)
    jobs = tuple(_of_one_data(_job(folder, entry, content["definition"], judges) for entry in content["jobs"]))
    words = tuple(map(str, content.get("words", ())))
    return StudyRecord(folder, content["name"], content["budget"], content["definition"], jobs, words)


def read_plan(folder: Path) -> dict[str, Any]:
    """What ``study.json`` says; raises ``ValueError`` for one that is missing or damaged."""
    file = folder / STUDY_FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        _ = content["name"], content["budget"], content["definition"], content["jobs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise refuse("study", "be a study's folder with a readable study.json", str(file), "study") from error
    plan: dict[str, Any] = content
    return plan


def _job(folder: Path, entry: dict[str, Any], definition: Mapping[str, Any], judges: Digests) -> JobRecord:
    place = Path(os.path.normpath(folder / entry["folder"]))
    run = read_run(place) if (place / "status.json").is_file() and (place / "config.yaml").is_file() else None
    state, reason = _how_it_ended(folder, entry, run)
    if run is not None and run.evaluation:
        run, others = _as_asked(run, _settings(folder, entry), weights_of(definition), judges)
        if others := [name for name in (definition.get("evaluate") or {}).get("measures") or [] if name in others]:
            reason = reason or f"{', '.join(others)} with other weights, settings or judge: run the study again"
    return JobRecord(entry["number"], entry["name"], entry["arm"], entry["seed"], place, run, state, reason)


def _settings(folder: Path, entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The evaluators of a job's config, by name; empty where it cannot be read."""
    file = folder / "jobs" / f"{entry['number']:04d}.yaml"
    try:
        config = yaml.load(file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return dict(config["evaluators"] or {})
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError):
        return {}


def _as_asked(
    run: RunRecord, settings: Mapping[str, Any], weights: str, judges: Digests
) -> tuple[RunRecord, list[str]]:
    """``run`` with those results alone that were taken as the study asks for, and the names of the others."""
    others = [
        name for name, result in run.evaluation.items() if not is_as_asked(result, weights, settings.get(name), judges)
    ]
    kept = {name: result for name, result in run.evaluation.items() if name not in others}
    passes = {
        epoch: {name: each for name, each in found.items() if is_as_asked(each, epoch, settings.get(name), judges)}
        for epoch, found in run.passes.items()
    }
    return replace(run, evaluation=kept, passes=passes), others


def _of_one_data(jobs: Iterable[JobRecord]) -> Iterator[JobRecord]:
    """``jobs``; those without their run that have other data than the first with the same settings of data."""
    first: dict[str, tuple[str, str]] = {}
    for job in jobs:
        said = "" if job.run is None else str((job.run.provenance.get("data") or {}).get("sha256") or "")
        if job.run is None or not said:
            yield job
            continue
        settings = {key: value for key, value in (job.run.config.get("data") or {}).items() if key not in NOT_DATA}
        digest, name = first.setdefault(json.dumps(settings, sort_keys=True, default=str), (said, job.name))
        why = f"trained on other data ({said[:8]}) than {name} ({digest[:8]})"
        yield job if said == digest else replace(job, run=None, reason=why)


def _how_it_ended(folder: Path, entry: dict[str, Any], run: RunRecord | None) -> tuple[str, str]:
    """What the job's own record says, for a run may fail before it has a folder; else what the run's folder says."""
    if entry.get("state"):
        return str(entry["state"]), str(entry.get("reason") or "")
    try:
        record = json.loads((folder / "jobs" / f"{entry['number']:04d}.json").read_text(encoding="utf-8"))
        return str(record["state"]), str(record["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return (run.state, run.reason) if run is not None else ("waiting", "")
