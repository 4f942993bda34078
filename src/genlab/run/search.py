"""``genlab search study=NAME``: Optuna looks for the best values within the ranges that a study's file gives.

Trials are jobs of a study like any others, in ``<GENLAB_RUNS>/<study>/search-<budget>``; the search itself is kept in
SQLite beside them, so that the same command goes on with it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from optuna.trial import TrialState
from rich.console import Console

from genlab.checks import refuse
from genlab.reporting.sections import duration
from genlab.run.artifacts import RunFolder
from genlab.run.lock import only_one
from genlab.run.outcome import Interrupted
from genlab.run.pruning import PRUNED
from genlab.run.search_plan import Search, planned_trial, read_search
from genlab.run.study import pending_jobs
from genlab.run.study_job import run_job
from genlab.run.study_plan import Plan, PlannedJob
from genlab.studies.axes import axis_of
from genlab.studies.folder import read_study
from genlab.studies.observations import observe
from genlab.studies.study import run_name

STUDY = "search"
DEFINITION = "definition"
"""The attribute of Optuna's study that says what its trials have in common."""


class Counts(NamedTuple):
    """Trials that were tried, to their end or until they were pruned, and trials that failed."""

    tried: int
    failed: int


def run_search(words: Sequence[str]) -> int:
    """Go on with the search until it has had as many trials as were asked for; returns the exit code.

    Raises ``ValueError`` for whatever is wrong with the command or the study's ranges, before anything is written, and
    for a search other than the one in its folder.
    """
    search = read_search(words)
    search.plan.folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with only_one(search.plan.folder, "study", "it is being searched there now"):
        study = _opened(search)
        console = Console(highlight=False)
        before = _counts(study)
        if before.tried < search.trials:
            _train_classifiers(search.plan, console)
        while (done := _tried_since(study, before)) < search.trials:
            study.sampler = _sampler(search, study)
            trial = study.ask()
            value, state, said = _tried(search, study, trial)
            study.tell(trial, value, state)
            best = _best(study)
            console.print(
                f"trial {done + 1} of {search.trials}: {_values(trial.params)}: {said}; {best}", soft_wrap=True
            )
    return _sum_up(search, study)


def _sum_up(search: Search, study: optuna.Study) -> int:
    """Say what was best, and what that figure is not; the exit code."""
    if not any(trial.state == TrialState.COMPLETE for trial in study.trials):
        raise RuntimeError(f"no trial was finished ({search.plan.folder / 'jobs'})")
    overrides = " ".join(f"{key}={value}" for key, value in study.best_params.items())
    print(f"best {search.objective}: {study.best_value:.4g} with {overrides}")
    if search.on_test_images:
        print(f"{search.objective} is measured on test images, which these values were chosen by: it is no test figure")
    return 0


def _opened(search: Search) -> optuna.Study:
    """The search, new or gone on with; a trial that a killed process left behind is tried again.

    Raises ``ValueError`` where the trials that are there are of another search.
    """
    study = optuna.create_study(
        storage=search.storage,
        study_name=STUDY,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        direction=search.direction,
        load_if_exists=True,
    )
    there = study.user_attrs.get(DEFINITION)
    if there is None and not study.trials:
        study.set_user_attr(DEFINITION, search.definition)
    else:
        _refuse_another(search, there)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


def _refuse_another(search: Search, there: Mapping[str, Any] | None) -> None:
    """Raise ``ValueError``, which says what differs, unless ``there``, the folder's definition, is the search's own."""
    otherwise = f"to search otherwise, move {search.plan.folder} away or set GENLAB_RUNS"
    if there is None:
        rule = f"have trials that say what they have in common ({otherwise})"
        raise refuse("study", rule, str(search.database), "study")
    asked = search.definition
    for key in {**there, **asked}:
        if _written(asked, key) != _written(there, key):
            name = key.removeprefix("search.").removeprefix("settings.")
            before = repr(there[key])[:200] if key in there else "left out"
            rule = f"be {before} as in the trials that are there ({otherwise})"
            raise refuse(name, rule, asked.get(key), f"study.{key}")


def _written(definition: Mapping[str, Any], key: str) -> str:
    """The value of ``key`` as one text, by which two are compared: 1 and 1.0 are ranges of different kinds."""
    return json.dumps(definition[key], sort_keys=True, default=str) if key in definition else ""


def _sampler(search: Search, study: optuna.Study) -> optuna.samplers.BaseSampler:
    """The sampler of the next trial, seeded by the trials before it: no process draws what one before it drew."""
    begun = sum(trial.state != TrialState.WAITING for trial in study.trials)
    at_random = min(8, max(2, search.trials // 3))
    return optuna.samplers.TPESampler(seed=search.seed + begun, n_startup_trials=at_random)


def _train_classifiers(plan: Plan, console: Console) -> None:
    """Train those that judge, or help to train, where the study wants them and they are not there yet.

    Raises ``RuntimeError`` where one fails, for no trial could do without, and ``Interrupted``.
    """
    plan.write(earlier=True)
    for planned in pending_jobs(plan):
        console.print(f"before all trials: {planned.name}, in {planned.folder}", soft_wrap=True)
        waiting = partial(console.print, "another command is at it: waiting for its end")
        with RunFolder(planned.folder).waited_for(waiting):
            ended = run_job(plan.folder, planned.key)
        if ended.state == "interrupted":
            raise Interrupted(f"interrupted in {planned.name}; the same command goes on")
        if ended.state != "done":
            raise RuntimeError(f"{planned.name}: {ended.reason} ({plan.job_file(planned.key, 'log')})")


def _tried(search: Search, study: optuna.Study, trial: optuna.Trial) -> tuple[float | None, TrialState, str]:
    """Run one trial: its value, how it ended, and that in words."""
    plan = _joined(search, trial)
    planned = plan.jobs[-1]
    ended = run_job(plan.folder, planned.key)
    if ended.state == "interrupted":
        raise Interrupted(f"interrupted in trial {trial.number + 1}; the same command goes on")
    if ended.state == "failed":
        return None, TrialState.FAIL, f"failed: {ended.reason}"
    if (iteration := study.trials[trial.number].user_attrs.get(PRUNED)) is not None:
        return None, TrialState.PRUNED, f"ended at iteration {iteration:,}, worse than the others there"
    value = _value(plan.folder, planned, search.objective)
    if value is None or not math.isfinite(value):
        return None, TrialState.FAIL, f"gave no {search.objective}"
    return value, TrialState.COMPLETE, f"{search.objective} {value:.4g} in {duration(ended.seconds)}"


def _joined(search: Search, trial: optuna.Trial) -> Plan:
    """The plan with the trial's job as its last, written down."""
    values = {key: _suggested(trial, key, given) for key, given in search.ranges.items()}
    planned = planned_trial(search.plan, trial.number, values)
    if (monitor := planned.config["monitor"]) is not None:
        agrees = (planned.config["mode"] == "min") == (search.direction == "minimize")
        planned.config["callbacks"]["pruning"] = {
            "_target_": "genlab.run.pruning.Pruning",
            "storage": search.storage,
            "study": STUDY,
            "number": trial.number,
            "monitor": monitor,
            "sign": 1 if agrees else -1,
        }
    plan = replace(search.plan, jobs=(planned,))
    plan.write(earlier=True)
    return plan


def _suggested(trial: optuna.Trial, key: str, given: Mapping[str, Any]) -> Any:
    if "choices" in given:
        return trial.suggest_categorical(key, given["choices"])
    low, high, log, step = given["low"], given["high"], bool(given.get("log")), given.get("step")
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, step=int(step or 1), log=log)
    return trial.suggest_float(key, low, high, step=step, log=log)


def _value(folder: Path, planned: PlannedJob, objective: str) -> float | None:
    """What the trial's run was measured at, at its end."""
    assert planned.job is not None
    name = planned.job.name
    found = [each for each in observe(read_study(folder)) if each.folder.name == name]
    values = [each.values.get(objective) for each in found]
    return next((value for value in reversed(values) if value is not None), None)


def _counts(study: optuna.Study) -> Counts:
    states = [trial.state for trial in study.trials]
    tried = sum(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states)
    return Counts(tried, states.count(TrialState.FAIL))


def _tried_since(study: optuna.Study, before: Counts) -> int:
    """Trials that were tried, in all: a failed one is no trial of its values.

    Raises ``RuntimeError`` if more fail, of those since ``before``, than bad luck explains.
    """
    tried, failed = _counts(study)
    failed_now = failed - before.failed
    if failed_now > max(5, tried - before.tried):
        raise RuntimeError(f"{failed_now} trials failed: the study's ranges are not such that a run can be trained")
    return tried


def _best(study: optuna.Study) -> str:
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    return f"best so far {study.best_value:.4g} (trial {study.best_trial.number + 1})" if done else "none done yet"


def _values(params: Mapping[str, Any]) -> str:
    values = {axis_of(key): f"{value:.4g}" if isinstance(value, float) else value for key, value in params.items()}
    return run_name(values).replace(",", ", ")
