"""A study's folder: ``study.json`` names its jobs, and each job's run lies beside it or where it was done before."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from genlab.checks import refuse
from genlab.reporting.runs import RunRecord, read_run

STUDY_FILE = "study.json"


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
    jobs = tuple(_job(folder, entry) for entry in content["jobs"])
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


def _job(folder: Path, entry: dict[str, Any]) -> JobRecord:
    place = Path(os.path.normpath(folder / entry["folder"]))
    run = read_run(place) if (place / "status.json").is_file() and (place / "config.yaml").is_file() else None
    state, reason = _how_it_ended(folder, entry, run)
    return JobRecord(entry["number"], entry["name"], entry["arm"], entry["seed"], place, run, state, reason)


def _how_it_ended(folder: Path, entry: dict[str, Any], run: RunRecord | None) -> tuple[str, str]:
    """What the job's own record says, for a run may fail before it has a folder; else what the run's folder says."""
    if entry.get("state"):
        return str(entry["state"]), str(entry.get("reason") or "")
    try:
        record = json.loads((folder / "jobs" / f"{entry['number']:04d}.json").read_text(encoding="utf-8"))
        return str(record["state"]), str(record["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return (run.state, run.reason) if run is not None else ("waiting", "")
