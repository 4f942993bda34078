"""Studies made up in memory: a run for each job, with the results that a test gives it."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genlab.reporting.runs import RunRecord
from genlab.studies.folder import JobRecord, StudyRecord

Evaluation = dict[str, dict[str, Any]]


def make_run(folder: Path, evaluation: Evaluation, state: str = "done", **more: Any) -> RunRecord:
    """A run with ``evaluation``; ``metrics`` maps a series to its values at iterations 100, 200, ..."""
    metrics = {
        name: (100 * np.arange(1, len(values) + 1), np.array(values, dtype=float))
        for name, values in more.get("metrics", {}).items()
    }
    status = {"state": state, "iterations": max((int(steps[-1]) for steps, _ in metrics.values()), default=0)}
    config = {"trainer": {"max_epochs": more.get("max_epochs", -1)}}
    return RunRecord(folder, config, status, {}, metrics, evaluation, {}, (), passes=more.get("passes", {}))


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., StudyRecord]:
    """``make_study(definition, results)``: every arm and seed of the definition, with ``results(arm, seed)``.

    ``results`` gives the keyword arguments of :func:`make_run`, or None where no run has begun.
    """

    def make(
        definition: Mapping[str, Any],
        results: Callable[[dict[str, Any], int], dict[str, Any] | None],
        name: str = "made_up",
        budget: str = "quick",
    ) -> StudyRecord:
        axes = {key.rpartition(".")[2]: values for key, values in definition.get("grid", {}).items()}
        if definition.get("arms"):
            axes = {"arm": list(definition["arms"]), **axes}
        jobs = []
        for seed, values in itertools.product(definition.get("seeds", [0, 1, 2]), itertools.product(*axes.values())):
            arm = dict(zip(axes, values, strict=True))
            job = ",".join(f"{axis}={value}" for axis, value in {**arm, "seed": seed}.items())
            found = results(arm, seed)
            run = None if found is None else make_run(tmp_path / job, **found)
            state = "waiting" if run is None else run.state
            jobs.append(JobRecord(len(jobs), job, arm, seed, tmp_path / job, run, state, ""))
        return StudyRecord(tmp_path / name / budget, name, budget, dict(definition), tuple(jobs))

    return make
