"""How the jobs of a study stand: a file each in the study's folder, which every process reads and one writes."""

import json
from pathlib import Path
from typing import Any

ENDED = ("done", "failed", "interrupted", "skipped")
"""The states of a job that has ended; before that it is running, and waiting while it has no record."""


def job_file(folder: Path, key: str, ending: str) -> Path:
    """Where the study in ``folder`` keeps a job's config (``yaml``), its record (``json``) or its ``log``."""
    return folder / "jobs" / f"{key}.{ending}"


def read_record(folder: Path, key: str) -> dict[str, Any]:
    """How a job stands; empty where it was never begun, or where its record was damaged."""
    try:
        record = json.loads(job_file(folder, key, "json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def is_done(folder: Path, key: str, wanted: str, run: Path, measured: str) -> bool:
    """Whether the record of a job says that it was done to the end, for the run of identity ``wanted`` in ``run``.

    And ``measured`` as the study does now: a run that was trained is only measured again.
    """
    record = read_record(folder, key)
    same = (record.get("identity"), record.get("measured")) == (wanted, measured)
    same = same and record.get("run") in (None, str(run))
    return record.get("state") == "done" and same
