"""What a training is warned about: once, by name, on the screen and in ``warnings.json`` of the run's folder."""

import json
import logging
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer

from genlab.checks import refuse
from genlab.run.artifacts import write_json

FILE = "warnings.json"
LOG = logging.getLogger("genlab.diagnoses")


def warn(trainer: Trainer, diagnosis: str, said: str) -> None:
    """Say what is the matter and write it down; nothing where this diagnosis has been written down already."""
    path = Path(trainer.default_root_dir) / FILE
    before = diagnoses(path.parent)
    if any(each["diagnosis"] == diagnosis for each in before):
        return
    LOG.warning("%s at iteration %s: %s", diagnosis, f"{trainer.global_step:,}", said)
    new = {"diagnosis": diagnosis, "iteration": trainer.global_step, "said": said}
    write_json(path, {"warnings": [*before, new]})


def forget_later(trainer: Trainer) -> None:
    """Take away what was said after the iteration that a resumed run goes on from: it will be said again."""
    folder = Path(trainer.default_root_dir)
    before = diagnoses(folder)
    kept = [each for each in before if each["iteration"] <= trainer.global_step]
    if not kept:
        (folder / FILE).unlink(missing_ok=True)
    elif len(kept) < len(before):
        write_json(folder / FILE, {"warnings": kept})


def diagnoses(folder: Path) -> list[dict[str, Any]]:
    """The warnings of the run in ``folder``: ``diagnosis``, ``iteration`` and what was ``said``."""
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["warnings"]
        _ = [(each["diagnosis"], each["iteration"] < 0) for each in found]
    except (ValueError, KeyError, TypeError) as error:
        raise refuse("run_dir", f"hold a readable {FILE}", str(path), "run_dir") from error
    return found
