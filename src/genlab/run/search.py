"""``genlab search study=NAME``: Optuna looks for the best values within the ranges that a study's file gives.

Trials are jobs of a study like any others, in ``<GENLAB_RUNS>/<study>/search-<budget>``; the search itself is kept in
SQLite beside them, so that the same command goes on with it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import TrialState
from rich.console import Console

from genlab.checks import at_least, one_of, refuse
from genlab.reporting.sections import duration
from genlab.run.lock import only_one
from genlab.run.outcome import Interrupted
from genlab.run.pruning import PRUNED
from genlab.run.study_job import run_job
from genlab.run.study_plan import Plan, PlannedJob, composing, job_of, make_plan
from genlab.run.study_words import StudyWords, split_words
from genlab.studies.axes import axis_of
from genlab.studies.folder import read_study
from genlab.studies.observations import observe
from genlab.studies.quantities import read_quantities
from genlab.studies.study import Job, run_name

STUDY = "search"
Direction = Literal["minimize", "maximize"]
SETTINGS = ("objective",)
"""Keys of a study's ``search`` that are no override's range."""


@dataclass(frozen=True)
class Search:
    """What is looked for: the plan that trials join, the ranges, the quantity and which way it is better."""

    plan: Plan
    words: StudyWords
    ranges: dict[str, Mapping[str, Any]]
    objective: str
    direction: Direction
    trials: int
    seed: int

    @property
    def storage(self) -> str:
        """Where Optuna keeps the search."""
        return f"sqlite:///{self.plan.folder / 'search.db'}"


def run_search(words: Sequence[str]) -> int:
    """Go on with the search until it has had as many trials as were asked for; returns the exit code.

    Raises ``ValueError`` for whatever is wrong with the command or the study's ranges, before anything is written.
    """
    search = _read(words)
    search.plan.folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with only_one(search.plan.folder, "study", "it is being searched there now"):
        study = _opened(search)
        console = Console(highlight=False)
        while (done := _ended(study)) < search.trials:
            trial = study.ask()
            value, state, said = _tried(search, study, trial)
            study.tell(trial, value, state)
            best = _best(study)
            console.print(
                f"trial {done + 1} of {search.trials}: {_values(trial.params)}: {said}; {best}", soft_wrap=True
            )
    if not any(trial.state == TrialState.COMPLETE for trial in study.trials):
        raise RuntimeError(f"no trial was finished ({search.plan.folder / 'jobs'})")
    overrides = " ".join(f"{key}={value}" for key, value in study.best_params.items())
    print(f"best {search.objective}: {study.best_value:.4g} with {overrides}")
    return 0


def _read(words: Sequence[str]) -> Search:
    """The search that was typed; ``trials`` and ``seed`` are its own keys, the others a study's."""
    own = {"trials": "20", "seed": "0"}
    for word in list(words):
        key, equals, value = word.partition("=")
        if key in own and equals:
            own[key] = value
    typed = split_words([word for word in words if word.partition("=")[0] not in own])
    if "study" not in typed.sweep:
        raise refuse("study", "name a study: genlab search study=rnn_lr", None, "study")
    numbers = {key: int(value) if value.isdigit() else value for key, value in own.items()}
    trials, seed = at_least("trials", numbers["trials"], 1, "trials"), at_least("seed", numbers["seed"], 0, "seed")
    plan = make_plan(typed)
    plan = replace(plan, folder=plan.folder.with_name(f"{STUDY}-{plan.budget}"), jobs=())
    asked = plan.study.search
    if not asked:
        raise refuse("study", "have a `search`: ranges to look in", plan.name, "study.search")
    ranges = {key: _range(key, value) for key, value in asked.items() if key not in SETTINGS}
    objective, direction = _objective(plan)
    return Search(plan, typed, ranges, objective, direction, trials, seed)


def _range(key: str, given: Any) -> Mapping[str, Any]:
    """A range of numbers, ``{low, high, log, step}``, or ``{choices: [...]}``."""
    path = f"study.search.{key}"
    if isinstance(given, Mapping) and isinstance(given.get("choices"), list) and len(given) == 1:
        return given
    if not isinstance(given, Mapping) or not {"low", "high"} <= given.keys() <= {"low", "high", "log", "step"}:
        raise refuse(key, "be a range {low, high, log, step} or {choices: [...]}", given, path)
    if not given["low"] < given["high"] or (given.get("log") and given["low"] <= 0):
        raise refuse(key, "have low < high, and low > 0 with log", dict(given), path)
    return given


def _objective(plan: Plan) -> tuple[str, Direction]:
    """The quantity that is searched for, and Optuna's word for which way it is better."""
    quantities = read_quantities(plan.definition)
    known = [name for name, quantity in quantities.items() if quantity.better is not None]
    default = next((name for name in plan.study.table if name in known), None)
    name = one_of("objective", plan.study.search.get("objective", default), known, "study.search.objective")
    return name, "minimize" if quantities[name].better == "lower" else "maximize"


def _opened(search: Search) -> optuna.Study:
    """The search, new or gone on with; a trial that a killed process left behind is tried again."""
    sampler = optuna.samplers.TPESampler(seed=search.seed, n_startup_trials=min(8, max(2, search.trials // 3)))
    study = optuna.create_study(
        storage=search.storage,
        study_name=STUDY,
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4),
        direction=search.direction,
        load_if_exists=True,
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)
    return study


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
    study, folder = search.plan.study, search.plan.folder
    arm = {axis_of(key): value for key, value in values.items()}
    changes = {"experiment": study.experiment, **study.settings, **values, "seed": study.seeds[0]}
    name = f"trial-{trial.number:04d}"
    with composing():
        job = Job(trial.number, name, arm, study.seeds[0], changes, first=False)
        planned = job_of(study, job, search.plan.name, folder, search.plan.reader)
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


def _ended(study: optuna.Study) -> int:
    """Trials that were done or pruned: a failed one is no trial of its values, unless it fails again."""
    states = [trial.state for trial in study.trials]
    tried = sum(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states)
    failed = states.count(TrialState.FAIL)
    if failed > max(5, tried):
        raise RuntimeError(f"{failed} trials failed: the study's ranges are not such that a run can be trained")
    return tried


def _best(study: optuna.Study) -> str:
    done = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    return f"best so far {study.best_value:.4g} (trial {study.best_trial.number + 1})" if done else "none done yet"


def _values(params: Mapping[str, Any]) -> str:
    values = {axis_of(key): f"{value:.4g}" if isinstance(value, float) else value for key, value in params.items()}
    return run_name(values).replace(",", ", ")
