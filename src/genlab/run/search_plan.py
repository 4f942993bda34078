"""A search as it was typed: the ranges of a study's file, what is looked for, and the job of a trial.

All is checked and composed before anything is written, as a study's plan is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from genlab.checks import at_least, one_of, positive, refuse
from genlab.run.config_keys import nearest_key
from genlab.run.study_plan import Plan, PlannedJob, composing, job_of, make_plan
from genlab.run.study_words import StudyWords, split_words, values_of
from genlab.studies.axes import axis_of
from genlab.studies.quantities import HIGHER, LOWER, Evaluated, Quantity, read_quantities
from genlab.studies.study import Job, weights_of

Direction = Literal["minimize", "maximize"]
Range = Mapping[str, Any]
"""``{low, high, log, step}`` or ``{choices: [...]}``."""
SETTINGS = ("objective",)
"""Keys of a study's ``search`` that are no override's range."""
OF_A_SWEEP = ("dry_run", "fail_fast")
"""Keys of a study's command that a search, whose runs come one after another, has no use for."""


@dataclass(frozen=True)
class Search:
    """What is looked for: the plan that trials join, the ranges, the quantity and which way it is better.

    ``on_test_images`` where the quantity is measured on the test set, so that no trial's figure is a test figure.
    """

    plan: Plan
    ranges: dict[str, Range]
    objective: str
    direction: Direction
    on_test_images: bool
    trials: int
    seed: int

    @property
    def database(self) -> Path:
        """The file that Optuna keeps the search in."""
        return self.plan.folder / "search.db"

    @property
    def storage(self) -> str:
        """The same as Optuna wants to be told."""
        return f"sqlite:///{self.database}"

    @property
    def definition(self) -> dict[str, Any]:
        """What all trials of a search have in common, by the path below ``study`` of what sets it."""
        study, judge = self.plan.study, self.plan.judge
        return {
            "objective": self.objective,
            "direction": self.direction,
            "experiment": study.experiment,
            "seeds": study.seeds[0],
            "evaluate": study.evaluate,
            "judge": None if judge is None else judge.identity,
            **{f"search.{key}": dict(given) for key, given in self.ranges.items()},
            **{f"settings.{key}": value for key, value in study.settings.items()},
        }


def read_search(words: Sequence[str]) -> Search:
    """The search that was typed; ``trials``, ``seed`` and ``objective`` are its own keys, the others a study's.

    Raises ``ValueError``, and Hydra's errors, for whatever is wrong with the command or with the study's ranges.
    """
    own = {"trials": "20", "seed": "0", "objective": ""}
    own |= {key: value for key, equals, value in (word.partition("=") for word in words) if key in own and equals}
    typed = split_words([word for word in words if word.partition("=")[0] not in own])
    _refuse_sweeps_words(typed)
    numbers = {key: int(value) if value.isdigit() else value for key, value in own.items()}
    trials, seed = at_least("trials", numbers["trials"], 1, "trials"), at_least("seed", numbers["seed"], 0, "seed")
    plan = make_plan(typed)
    ranges = {key: _range(key, value) for key, value in plan.study.search.items() if key not in SETTINGS}
    if not ranges:
        raise refuse("study", "have a `search`: ranges to look in", plan.name, "study.search")
    plan = _of_one_arm(plan, typed, ranges)
    config = _tried_out(plan, ranges)
    plan = replace(plan, definition=_with_monitored(plan.definition, config))
    quantity = _objective(plan, config, own["objective"])
    direction: Direction = "minimize" if quantity.better == LOWER else "maximize"
    return Search(plan, ranges, quantity.name, direction, _is_of_test_set(quantity, config), trials, seed)


def planned_trial(plan: Plan, number: int, values: Mapping[str, Any]) -> PlannedJob:
    """The job of trial ``number``: a run of the study's first seed with ``values`` of what is searched."""
    study = plan.study
    arm = {axis_of(key): value for key, value in values.items()}
    changes = {"experiment": study.experiment, **study.settings, **values, "seed": study.seeds[0]}
    job = Job(number, f"trial-{number:04d}", arm, study.seeds[0], changes, first=False)
    with composing():
        return job_of(study, job, plan.name, plan.folder, plan.reader)


def _refuse_sweeps_words(typed: StudyWords) -> None:
    """Raise ``ValueError`` for no study, and for what a study's command takes and a search would pass over."""
    if "study" not in typed.sweep:
        raise refuse("study", "name a study: genlab search study=rnn_lr", None, "study")
    rule = "be left out: a search trains its trials one after another, in this process"
    for key in OF_A_SWEEP:
        if typed.sweep[key]:
            raise refuse(key, rule, typed.sweep[key], key)
    for word in typed.hydra:
        if word not in ("-m", "--multirun"):
            raise refuse(word.partition("=")[0], rule, word, "hydra")


def _of_one_arm(plan: Plan, typed: StudyWords, ranges: Mapping[str, Range]) -> Plan:
    """The plan in the search's folder, without the study's jobs; what was typed is a setting, also of a grid's key."""
    settings = dict(plan.study.settings)
    for override in typed.runs:
        key, values = override.key_or_group, values_of(override)
        if key in ranges:
            raise refuse(key, "be left to the search, which has a range of it", values, key)
        if len(values) > 1:
            raise refuse(key, "have one value: ranges to search stand in the study's file", values, key)
        settings[key] = values[0]
    return replace(
        plan,
        folder=plan.folder.with_name(f"search-{plan.budget}"),
        definition={**plan.definition, "settings": settings},
        study=replace(plan.study, settings=settings),
        jobs=(),
    )


# --- ranges ------------------------------------------------------------------------------------------------------


def _range(key: str, given: Any) -> Range:
    """``given`` if it is a range; ``ValueError`` if Optuna could not draw from it."""
    path = f"study.search.{key}"
    if isinstance(given, Mapping) and given.keys() == {"choices"}:
        _check_choices(given["choices"], f"{path}.choices")
        return given
    if not isinstance(given, Mapping) or not {"low", "high"} <= given.keys() <= {"low", "high", "log", "step"}:
        raise refuse(key, "be a range {low, high, log, step} or {choices: [...]}", given, path)
    low, high = (_number(end, given[end], f"{path}.{end}") for end in ("low", "high"))
    log, step = given.get("log", False), given.get("step")
    if not isinstance(log, bool):
        raise refuse("log", "be true or false", log, f"{path}.log")
    if not low < high or (log and low <= 0):
        raise refuse(key, "have low < high, and low > 0 with log", dict(given), path)
    if step is not None and log:
        raise refuse("step", "be left out with log", step, f"{path}.step")
    if step is not None and isinstance(low, int) and isinstance(high, int):
        at_least("step", step, 1, f"{path}.step")
    elif step is not None:
        positive("step", step, f"{path}.step")
    return given


def _number(end: str, value: Any, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refuse(end, "be a finite number (which YAML wants written as 1.0e-4, not 1e-4)", value, path)
    return value


def _check_choices(choices: Any, path: str) -> None:
    plain = isinstance(choices, list) and all(isinstance(each, bool | int | float | str | None) for each in choices)
    if not plain or not choices or len(set(map(repr, choices))) < len(choices):
        raise refuse("choices", "be a list of texts or numbers that differ from each other", choices, path)


def _tried_out(plan: Plan, ranges: Mapping[str, Range]) -> dict[str, Any]:
    """Compose a run at either end of the ranges and with every choice; the config of the first of them.

    Raises ``ValueError``, and Hydra's errors, for a key that the config has not and a value that it cannot have.
    """
    count = max(len(_corners(given)) for given in ranges.values())
    points = [{key: _corners(given)[n % len(_corners(given))] for key, given in ranges.items()} for n in range(count)]
    try:
        configs = [planned_trial(plan, 0, point).config for point in points]
    except ConfigCompositionException as error:
        for key in ranges:
            if f"Could not override '{key}'" in str(error):
                hint = nearest_key(OmegaConf.create(planned_trial(plan, 0, {}).config), key)
                rule = f"be a key of the config of {plan.study.experiment}"
                raise refuse(key, rule, dict(ranges[key]), f"study.search.{key}{hint}") from error
        raise
    return configs[0]


def _corners(given: Range) -> list[Any]:
    return list(given["choices"]) if "choices" in given else [given["low"], given["high"]]


# --- what is looked for ------------------------------------------------------------------------------------------


def _with_monitored(definition: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """``definition`` with one more quantity: what runs monitor on held-out data, at the weights that are measured."""
    if (monitor := config["monitor"]) is None:
        return dict(definition)
    falls = config["mode"] == "min"
    at_best = "minimum" if falls else "maximum"
    take = "last" if weights_of(definition) == "last" else at_best
    quantity = {"logged": monitor, "take": take, "label": monitor, "better": LOWER if falls else HIGHER}
    return {**definition, "quantities": {**(definition.get("quantities") or {}), monitor: quantity}}


def _objective(plan: Plan, config: Mapping[str, Any], typed: str) -> Quantity:
    """The quantity that is searched for: as typed, as the study's file says, or else what the runs monitor.

    Raises ``ValueError`` for a measure of the test set where the runs monitor something on held-out data, and where
    they monitor nothing and no objective is named.
    """
    monitor, path = config["monitor"], "objective" if typed else "study.search.objective"
    known = {name: each for name, each in read_quantities(plan.definition).items() if each.better is not None}
    named = typed or plan.study.search.get("objective")
    if named is None and monitor is None:
        named_so = " or ".join(f"objective={name}" for name in known)
        rule = f"be named: {plan.study.experiment} monitors nothing on held-out data, and {named_so} is of test images"
        raise refuse("objective", rule, None, "objective")
    quantity = known[one_of("objective", monitor if named is None else named, known, path)]
    if monitor is not None and _is_of_test_set(quantity, config):
        rule = f"be a figure on held-out data, such as {monitor}: nothing is tuned on the test set"
        raise refuse("objective", rule, quantity.name, path)
    return quantity


def _is_of_test_set(quantity: Quantity, config: Mapping[str, Any]) -> bool:
    """Whether it is an evaluation of images, which looks at the test set; a text has a held-out tail and no other."""
    return isinstance(quantity.source, Evaluated) and "text" not in config["data"]
