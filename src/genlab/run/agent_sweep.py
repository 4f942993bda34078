"""A study as a sweep for W&B's own agents: made from the study's definition, so that there is no second copy of it."""

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from genlab.checks import refuse
from genlab.run.artifacts import write_text
from genlab.run.config_files import config_dir
from genlab.run.study_words import as_word
from genlab.studies.study import Job, Study

Sweep = dict[str, Any]
"""A sweep's definition as W&B reads it."""


def sweeps_of(study: Study, name: str, budget: str, project: str) -> dict[str, Sweep]:
    """The sweeps whose runs together are the study's, by what sets each apart; of one sweep that is nothing.

    W&B's grids are products. Named arms mostly are none, and a group's option (``optimizer=sgd``) as a parameter would
    hide that part of the run's config: such arms have a sweep each, over what is left of the grid and the seeds.

    Raises ``ValueError`` for a study of which runs train with a classifier: an agent makes none before them.
    """
    if study.reader:
        raise refuse(
            "study", "be one whose runs need no classifier to train with, for a sweep of agents", name, "study"
        )
    jobs = study.jobs()
    apart: dict[str, list[Job]] = {"": jobs}
    if not _is_product(jobs):
        apart = {}
        for job in jobs:
            apart.setdefault(_label(job), []).append(job)
    return {
        label: _sweep([job.overrides for job in members], study, name, budget, label, project)
        for label, members in apart.items()
    }


def write_sweeps(sweeps: Mapping[str, Sweep], path: Path, command: str) -> list[Path]:
    """Write each sweep to ``path``, or, where there are several, to files beside it that are named by what differs."""
    written = []
    for label, sweep in sweeps.items():
        file = path.with_name(f"{path.stem}-{_slug(label)}{path.suffix}") if label else path
        heading = f"# Written by `{command}` from the study's definition: make it anew instead of changing it.\n"
        write_text(file, heading + yaml.safe_dump(sweep, sort_keys=False, allow_unicode=True, width=1000))
        written.append(file)
    return written


def _sweep(runs: Sequence[Mapping[str, Any]], study: Study, name: str, budget: str, label: str, project: str) -> Sweep:
    fixed = {key: value for key, value in runs[0].items() if all(run.get(key, ...) == value for run in runs)}
    tags = [fixed["experiment"], name, budget]
    words = [as_word(key, value) for key, value in fixed.items() if key != "seed"]
    return {
        "name": " ".join(filter(None, (name, budget, label))),
        "description": study.question,
        "project": project,
        "program": "genlab",
        "method": "grid",
        "parameters": {key: {"values": _values(runs, key)} for key in runs[0] if key not in fixed or key == "seed"},
        "command": [
            *("${env}", "${program}", "train", *words, as_word("name", name)),
            *("logger=wandb", "logger.wandb.offline=false", as_word("logger.wandb.tags", tags)),
            "${args_no_hyphens}",
        ],
    }


def _is_product(jobs: Sequence[Job]) -> bool:
    """Whether the jobs are every combination of each key's values, none of them a group's options."""
    runs = [job.overrides for job in jobs]
    keys = list(runs[0])
    if any(run.keys() != runs[0].keys() for run in runs):
        return False
    values = {key: _distinct([run[key] for run in runs]) for key in keys}
    if any(len(values[key]) > 1 and _is_group(key) for key in keys):
        return False
    points = [dict(zip(keys, point, strict=True)) for point in itertools.product(*values.values())]
    return len(points) == len(runs) and all(point in runs for point in points)


def _label(job: Job) -> str:
    """The name of a job's arm, and the options of groups that the grid varies."""
    apart = [str(job.arm["arm"])] if "arm" in job.arm else []
    return ", ".join([*apart, *(f"{axis}={value}" for axis, value in job.arm.items() if _is_group(axis))])


def _is_group(key: str) -> bool:
    return (config_dir() / key).is_dir()


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Each value once; they may be lists."""
    return [value for index, value in enumerate(values) if value not in values[:index]]


def _values(runs: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    """The values of a parameter as an agent writes them after ``key=``: numbers as they are, else Hydra's words."""
    values = _distinct([run[key] for run in runs])
    return [value if isinstance(value, int | float) else as_word(key, value).partition("=")[2] for value in values]


def _slug(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=]+", "_", label).strip("_")
