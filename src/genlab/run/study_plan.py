"""A study's plan: every job with its composed config and the folder that its run has or gets; written before any runs.

The plan is ``study.json`` and, a file each, the configs in ``jobs/``; how a job ended is written beside its config.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from genlab.checks import one_of, refuse
from genlab.reporting.figure_specs import read_figures
from genlab.run.artifacts import read_config, write_json, write_text
from genlab.run.config_files import config_dir
from genlab.run.config_keys import refuse_added_keys
from genlab.run.config_values import refuse_values
from genlab.run.identity import finished_runs, identity, read_fast
from genlab.run.same_data import data_digest, look_anew, of_the_same_data
from genlab.run.study_measures import lacks_weights, taken_otherwise
from genlab.run.study_records import job_file
from genlab.run.study_words import StudyWords, as_word
from genlab.run.train import make_absolute, plain
from genlab.studies.claims import check_selections
from genlab.studies.folder import STUDY_FILE, read_plan
from genlab.studies.measured import Digests, digest_of
from genlab.studies.quantities import check_measures
from genlab.studies.study import Job, Study, at_budget, read_definition

JUDGE, READER, WITNESS = "judge", "reader", "witness"
CLASSIFIERS = {
    JUDGE: "the classifier that judges",
    READER: "the classifier that helps to train",
    WITNESS: "the second classifier that judges",
}
OF_THE_DATA = (
    "data.dataset",
    "data.root",
    "data.download",
    "data.val_size",
    "trainer.precision",
    "trainer.accelerator",
)
"""Typed keys that the runs of classifiers take too."""


@dataclass(frozen=True)
class PlannedJob:
    """A job, the config of its run, and that run's identity; ``job`` is None for a classifier that others wait for."""

    key: str
    job: Job | None
    config: dict[str, Any]
    identity: str
    overrides: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.config["run_dir"])

    @property
    def name(self) -> str:
        """The run's name in the study."""
        return self.job.name if self.job is not None else CLASSIFIERS[self.key]

    def moved_to(self, folder: Path) -> "PlannedJob":
        """The same job with its run in another folder."""
        return replace(self, config=_with_prefix(self.config, str(self.folder), str(folder)))


@dataclass(frozen=True)
class Plan:
    """A study at a budget, with all that was typed: where it lies, its jobs, and the run that judges, if any."""

    folder: Path
    name: str
    budget: str
    definition: dict[str, Any]
    study: Study
    jobs: tuple[PlannedJob, ...]
    judge: PlannedJob | None
    reader: PlannedJob | None
    witness: PlannedJob | None
    fail_fast: int | None
    words: tuple[str, ...] = ()

    def all_jobs(self) -> list[PlannedJob]:
        """The jobs of judge, reader and witness, where there is one, and then every other."""
        classifiers = (self.judge, self.reader, self.witness)
        return [*(each for each in classifiers if each is not None), *self.jobs]

    def judges(self) -> Digests:
        """The digests of those that judge, as far as they are trained."""
        return {JUDGE: _digest(self.judge), WITNESS: _digest(self.witness)}

    def write(self, earlier: bool = False) -> None:
        """Write the plan into the study's folder; with ``earlier`` the jobs that a plan there has come before its own.

        Records of how jobs ended stay as they are.
        """
        for planned in self.all_jobs():
            write_text(self.job_file(planned.key, "yaml"), OmegaConf.to_yaml(OmegaConf.create(planned.config)))
        jobs = [
            {
                "number": planned.job.number,
                "name": planned.job.name,
                "arm": planned.job.arm,
                "seed": planned.job.seed,
                "folder": os.path.relpath(planned.folder, self.folder),
                "overrides": list(planned.overrides),
                "first": planned.job.first,
            }
            for planned in self.jobs
            if planned.job is not None
        ]
        if earlier and (self.folder / STUDY_FILE).is_file():
            jobs = [*read_plan(self.folder)["jobs"], *jobs]
        content = {
            "name": self.name,
            "budget": self.budget,
            "definition": self.definition,
            "judge": self._place_of(self.judge),
            "witness": self._place_of(self.witness),
            "classifiers": {each.key: list(each.overrides) for each in self.all_jobs() if each.job is None},
            "fail_fast": self.fail_fast,
            "words": list(self.words),
            "jobs": jobs,
        }
        write_json(self.folder / STUDY_FILE, content)

    def _place_of(self, planned: PlannedJob | None) -> str | None:
        return None if planned is None else os.path.relpath(planned.folder, self.folder)

    def job_file(self, key: str, ending: str) -> Path:
        """Where a job's config (``yaml``), record (``json``) or ``log`` lies."""
        return job_file(self.folder, key, ending)


def _digest(judge: PlannedJob | None) -> str | None:
    return None if judge is None else digest_of(judge.folder)


def runs_root() -> Path:
    """The folder that runs go to."""
    return Path(os.environ.get("GENLAB_RUNS") or "runs").expanduser().absolute()


def make_plan(words: StudyWords) -> Plan:
    """Compose and check every job. Raises ``ValueError``, and Hydra's errors, for whatever would be refused later."""
    name, budget = str(words.sweep["study"]), str(words.sweep["budget"])
    fail_fast = _fail_fast(words.sweep["fail_fast"])
    file = load_definition(name)
    definition = _resolved(words.applied_to(at_budget(file, budget)))
    study = read_definition(definition)
    read_figures(definition)
    check_measures(file)  # the whole file: a budget may measure less, and have fewer arms, than its claims speak of
    check_selections(file)
    folder = runs_root() / name / budget
    finished = finished_runs(runs_root())
    look_anew()
    with composing():
        judge = _judge(study, words, finished)
        reader = _classifier(READER, study, study.reader, finished)
        witness = _classifier(WITNESS, study, study.witness, finished)
        jobs = [job_of(study, job, name, folder, reader) for job in study.jobs()]
    _refuse_unmeasured(study, jobs)
    judges = {JUDGE: _digest(judge), WITNESS: _digest(witness)}
    placed = tuple(_placed(planned, definition, judges, finished) for planned in jobs)
    typed = tuple(str(override.input_line) for override in words.runs)
    return Plan(folder, name, budget, definition, study, placed, judge, reader, witness, fail_fast, typed)


def load_definition(name: str) -> dict[str, Any]:
    """The file of study ``name`` as plain values; ``ValueError`` for a study that there is not."""
    files = {path.stem: path for path in sorted((config_dir() / "study").glob("*.yaml"))}
    return read_fast(files[one_of("study", name, list(files), "study")])


def _resolved(definition: Mapping[str, Any]) -> dict[str, Any]:
    """``definition`` with what refers to other fields of it, as ``${study.evaluate.passes[0]}``, put in."""
    resolved = OmegaConf.to_container(OmegaConf.create({"study": dict(definition)}), resolve=True)
    assert isinstance(resolved, dict)
    study: dict[str, Any] = resolved["study"]
    return study


@contextmanager
def composing() -> Iterator[None]:
    """A block in which configs are composed, whatever Hydra is at outside of it."""
    state = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = state


def compose_run(overrides: Sequence[str]) -> DictConfig:
    """The config of ``genlab train`` with these overrides, its values checked; called within :func:`composing`.

    Runs that differ in seed and folder alone, which no choice of a file depends on, are composed once.
    """
    own = [word for word in overrides if word.startswith(("seed=", "run_dir="))]
    cfg = deepcopy(_composed(str(config_dir()), tuple(word for word in overrides if word not in own)))
    for override in OverridesParser.create().parse_overrides(own):
        OmegaConf.update(cfg, override.key_or_group, override.value())
    refuse_added_keys(cfg, list(overrides))
    refuse_values(cfg)
    return cfg


@lru_cache(maxsize=256)
def _composed(folder: str, overrides: tuple[str, ...]) -> DictConfig:
    """As the files in ``folder`` have it: composing one takes longer than all else that is done for a run."""
    return hydra.compose("train", overrides=list(overrides))


def job_of(study: Study, job: Job, name: str, folder: Path, reader: PlannedJob | None = None) -> PlannedJob:
    """``job`` composed, with its run in ``folder`` and, where its model wants one, with the study's reader.

    To be called within :func:`composing`.
    """
    overrides = [as_word(key, value) for key, value in job.overrides.items()]
    place = [f"name={name}", f"budget={folder.name}", as_word("run_dir", str(folder / job.name))]
    cfg = compose_run([*overrides, *place])
    if reader is not None and _wants_reader(cfg):
        overrides.append(as_word("model.reader", str(reader.folder)))
        cfg = compose_run([*overrides, *place])
    OmegaConf.set_struct(cfg, False)
    cfg.study = {"experiment": job.overrides["experiment"]}
    for key, value in (study.evaluate.get("settings") or {}).items():
        if key.partition(".")[0] in cfg.evaluators:
            OmegaConf.update(cfg, f"evaluators.{key}", value, force_add=False)
    return _composed_job(f"{job.number:04d}", job, cfg, overrides)


def _composed_job(key: str, job: Job | None, cfg: DictConfig, overrides: Sequence[str]) -> PlannedJob:
    make_absolute(cfg)
    config = plain(cfg)
    return PlannedJob(key, job, config, identity(config), tuple(overrides))


def _judge(study: Study, words: StudyWords, finished: Mapping[str, list[Path]]) -> PlannedJob | None:
    """The classifier that judges: the typed folder's run, or one that is trained for all studies alike."""
    if study.judge and words.sweep["judge"] is not None:
        folder = Path(str(words.sweep["judge"])).expanduser().absolute()
        config = {**read_config(folder / "config.yaml", JUDGE), "run_dir": str(folder)}
        return PlannedJob(JUDGE, None, config, identity(config), ())
    return _classifier(JUDGE, study, study.judge, finished)


def _classifier(
    key: str, study: Study, changes: Mapping[str, Any], finished: Mapping[str, list[Path]]
) -> PlannedJob | None:
    """A classifier's run with these ``changes``, where it was done before or in a folder for all studies alike.

    None where there are no changes: the study does not want one.
    """
    if not changes:
        return None
    typed = {key: value for key, value in study.settings.items() if key in OF_THE_DATA}
    overrides = [as_word(key, value) for key, value in {"experiment": "classifier", **typed, **changes}.items()]
    cfg = compose_run([*overrides, f"name={key}", as_word("run_dir", str(runs_root() / key))])
    planned = _composed_job(key, None, cfg, overrides)
    there = of_the_same_data(finished.get(planned.identity, []), planned.config)
    if there:
        return planned.moved_to(there[0])
    return _with_a_folder_of_its_own(planned.moved_to(runs_root() / key / planned.identity[:12]))


def _wants_reader(cfg: DictConfig) -> bool:
    """Whether the run's model trains with a frozen classifier, and none was typed."""
    design = cfg.model.get("design")
    if design is None or cfg.model.reader is not None:
        return False
    wants: bool = hydra.utils.get_object(design._target_).needs_reader
    return wants


def _placed(
    planned: PlannedJob, definition: Mapping[str, Any], judges: Digests, finished: Mapping[str, list[Path]]
) -> PlannedJob:
    """The job with its run where it was done before, or in a folder that holds nothing else.

    A run that was measured otherwise, with other settings or by another judge, is another's to keep: two studies would
    overwrite each other's results there. One that has not kept the weights that are measured is of no use.
    """
    there = of_the_same_data(finished.get(planned.identity, []), planned.config)
    if planned.folder in there:
        return planned
    for run in there:
        lacks = lacks_weights(run, definition, planned.config)
        if not lacks and not taken_otherwise(run, definition, planned.config, judges):
            return planned.moved_to(run)
    return _with_a_folder_of_its_own(planned)


def _with_a_folder_of_its_own(planned: PlannedJob) -> PlannedJob:
    """The job in its folder, or in one beside it where that has a run of another config or of other data."""
    config = planned.folder / "config.yaml"
    if not config.is_file():
        return planned
    if identity(read_fast(config)) != planned.identity:
        return planned.moved_to(planned.folder.with_name(f"{planned.folder.name}-{planned.identity[:8]}"))
    if not of_the_same_data([planned.folder], planned.config):
        digest = str(data_digest(planned.config))[:8]
        return planned.moved_to(planned.folder.with_name(f"{planned.folder.name}-{digest}"))
    return planned


def _refuse_unmeasured(study: Study, jobs: Sequence[PlannedJob]) -> None:
    """Raise ``ValueError`` for a measure, or a setting of one, that no run of the study has."""
    known = sorted({name for planned in jobs for name in planned.config["evaluators"]})
    for name in study.evaluate.get("measures") or []:
        one_of("measures", name, known, "study.evaluate.measures")
    for key in study.evaluate.get("settings") or {}:
        one_of("settings", key.partition(".")[0], known, "study.evaluate.settings")


def _with_prefix(value: Any, old: str, new: str) -> Any:
    """``value`` with every path in the folder ``old`` moved to the folder ``new``."""
    if isinstance(value, Mapping):
        return {key: _with_prefix(below, old, new) for key, below in value.items()}
    if isinstance(value, list):
        return [_with_prefix(each, old, new) for each in value]
    inside = isinstance(value, str) and (value == old or value.startswith(f"{old}/"))
    return f"{new}{value[len(old) :]}" if inside else value


def _fail_fast(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise refuse("fail_fast", "be a number of failed runs >= 1", value, "fail_fast")
    return value
