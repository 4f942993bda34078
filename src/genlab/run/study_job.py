"""One job of a study, in whatever process a launcher starts it: train, evaluate, draw samples, write down how it went.

Everything it needs stands in the study's folder, and everything it says goes there: the config is ``jobs/<key>.yaml``,
what it prints ``jobs/<key>.log``, how it ended ``jobs/<key>.json``.
"""

import os
import shlex
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import hydra
from omegaconf import DictConfig, OmegaConf

from genlab.run import evaluate, train
from genlab.run.artifacts import RunFolder, write_json
from genlab.run.bench import Bench
from genlab.run.command_line import typed_words
from genlab.run.error_line import one_line
from genlab.run.identity import identity, measured_by, read_fast
from genlab.run.mirror import mirror_results
from genlab.run.outcome import Interrupted
from genlab.run.secrets import redacted
from genlab.run.study_measures import checkpoints_of, not_taken
from genlab.run.study_plan import JUDGE, composing
from genlab.run.study_records import job_file, read_record
from genlab.run.study_words import as_word
from genlab.studies.folder import read_plan
from genlab.studies.measured import ROLES, digest_of, judge_digests
from genlab.studies.study import weights_of

_BENCH = Bench()
"""What this process keeps from one job to the next."""


class Ended(NamedTuple):
    """How a job ended: done, failed, interrupted or skipped; why; and the seconds that it took."""

    state: str
    reason: str
    seconds: float


def run_job(folder: Path, key: str) -> Ended:
    """Do job ``key`` of the study in ``folder``. Whatever becomes of it is recorded, and nothing is raised."""
    began = time.monotonic()
    config = read_fast(job_file(folder, key, "yaml"))
    plan = read_plan(folder)
    if _too_many_failed(folder, plan):
        return _recorded(folder, key, config, plan, "skipped", f"fail_fast={plan['fail_fast']}", began)
    _recorded(folder, key, config, plan, "running", "", began)
    with job_file(folder, key, "log").open("a", encoding="utf-8", buffering=1) as log, _saying_to(log):
        try:
            _work(folder, key, config, plan)
        except (Interrupted, KeyboardInterrupt):  # in training, or before and after it
            return _recorded(folder, key, config, plan, "interrupted", "stopped by the user", began)
        except Exception as error:
            print(redacted(traceback.format_exc()), file=sys.stderr)
            return _recorded(folder, key, config, plan, "failed", redacted(one_line(error, "train", ())), began)
    return _recorded(folder, key, config, plan, "done", "", began)


def _work(folder: Path, key: str, config: dict[str, Any], plan: Mapping[str, Any]) -> None:
    entry = next((each for each in plan["jobs"] if f"{each['number']:04d}" == key), None)
    with _as_if_typed(entry["overrides"] if entry is not None else plan["classifiers"][key], config):
        run = Path(config["run_dir"])
        if not _is_trained(run, config):
            train.main(OmegaConf.create(config))
        if entry is None:
            return
        judges = {role: (folder / plan[role]).resolve() if plan.get(role) else None for role in ROLES}
        definition = plan["definition"]
        for checkpoint in checkpoints_of(definition, config):
            _evaluate(run, checkpoint, config["evaluators"], definition, judges)
        for sample in definition.get("samples") or [] if entry["first"] else []:
            _sample(run, {"checkpoint": weights_of(definition), **sample}, judges[JUDGE])
        mirror_results(run, config["logger"], definition)


def _is_trained(run: Path, config: dict[str, Any]) -> bool:
    """Whether the run is there and finished, wherever it was trained: its own folder says so."""
    if not (run / "config.yaml").is_file() or (RunFolder(run).status() or {}).get("state") != "done":
        return False
    return identity(read_fast(run / "config.yaml")) == identity(config)


def _evaluate(
    run: Path,
    checkpoint: str,
    evaluators: Mapping[str, Any],
    definition: Mapping[str, Any],
    judges: Mapping[str, Path | None],
) -> None:
    """Take those of the study's measures that the run has, and that were not taken as it asks for before."""
    digests = {role: None if place is None else digest_of(place) for role, place in judges.items()}
    missing = not_taken(run, checkpoint, definition, evaluators, digests)
    if not missing:
        return
    words = [as_word("run", str(run)), f"checkpoint={checkpoint}", as_word("only", missing)]
    typed = (as_word(role, None if place is None else str(place)) for role, place in judges.items())
    cfg = _composed("evaluate", [*words, *typed])
    OmegaConf.set_struct(cfg, False)
    cfg.evaluators = {name: evaluators[name] for name in missing}
    evaluate.main(cfg, _BENCH)


def _sample(run: Path, settings: Mapping[str, Any], judge: Path | None) -> None:
    from genlab.run import sample

    asked = {"run": str(run), **settings}
    if judge is not None and settings.get("kind") == "labelled":
        asked["judge"] = str(judge)
    sample.main(_composed("sample", [as_word(key, value) for key, value in asked.items()]))


def _composed(verb: str, words: list[str]) -> DictConfig:
    with composing():
        return hydra.compose(verb, overrides=words)


def _too_many_failed(folder: Path, plan: Mapping[str, Any]) -> bool:
    if plan.get("fail_fast") is None:
        return False
    failed: int = sum(read_record(folder, f"{entry['number']:04d}").get("state") == "failed" for entry in plan["jobs"])
    return failed >= int(plan["fail_fast"])


def _recorded(
    folder: Path, key: str, config: dict[str, Any], plan: Mapping[str, Any], state: str, reason: str, began: float
) -> Ended:
    seconds = round(time.monotonic() - began, 3)
    judges = {} if key in plan["classifiers"] else judge_digests(folder, plan)
    record = {
        "state": state,
        "reason": reason,
        "seconds": seconds,
        "run": config["run_dir"],
        "identity": identity(config),
        "measured": measured_by(plan["definition"], config, judges),
        "process": os.getpid(),
    }
    write_json(job_file(folder, key, "json"), record)
    return Ended(state, reason, seconds)


@contextmanager
def _saying_to(log: Any) -> Iterator[None]:
    with redirect_stdout(log), redirect_stderr(log):
        yield


@contextmanager
def _as_if_typed(overrides: Sequence[str], config: Mapping[str, Any]) -> Iterator[None]:
    """A block in which the process's command line is that of the single run: provenance names a command to repeat."""
    before = sys.argv
    sys.argv = ["genlab train", *overrides, as_word("run_dir", config["run_dir"])]
    try:
        print(f"$ genlab train {shlex.join(typed_words())}", flush=True)
        yield
    finally:
        sys.argv = before
