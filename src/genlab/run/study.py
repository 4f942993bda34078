"""``genlab train -m study=NAME``: plans a study, does what is missing of it under any launcher, and sums it up."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from omegaconf import DictConfig

from genlab.checks import refuse
from genlab.run.artifacts import RunFolder
from genlab.run.command_line import quoted
from genlab.run.identity import measured_by
from genlab.run.lock import only_one
from genlab.run.outcome import Interrupted
from genlab.run.quick_imports import quick_imports
from genlab.run.study_line import StudyLine
from genlab.run.study_measures import taken_otherwise
from genlab.run.study_plan import Plan, PlannedJob, composing, make_plan
from genlab.run.study_records import is_done, read_record
from genlab.run.study_words import StudyWords, split_words
from genlab.run.sweep import composed_beforehand
from genlab.studies.measured import Digests

Launch = Callable[[Sequence[str], Callable[[DictConfig], object]], None]
"""Runs a task under Hydra with these words as its command line."""


def run_study(words: Sequence[str], launch: Launch) -> int:
    """Do what the study lacks, and write its figures, its table and its verdicts; returns the exit code.

    Raises ``ValueError``, and Hydra's errors, for whatever is wrong with the command or the study, before anything
    is written; ``Interrupted`` when the user stopped it.
    """
    typed = split_words(words)
    plan = make_plan(typed)
    if typed.sweep["dry_run"]:
        from genlab.run.study_dry_run import show

        show(plan)
        return 0
    with _locked(plan.folder):
        plan.write()
        _do(plan, typed, launch)
        code = _sum_up(plan)
        records = [read_record(plan.folder, planned.key) for planned in plan.jobs]
        interrupted = any(record.get("state") == "interrupted" for record in records)
        _stop_where(interrupted, "interrupted", _left(plan), plan)
        return code


def _do(plan: Plan, typed: StudyWords, launch: Launch) -> None:
    """Run every job that is not done: those of classifiers first, for the others wait for them."""
    pending = pending_jobs(plan)
    line = StudyLine(plan, pending, workers(typed.hydra))
    stopped = False
    with line.shown():
        while pending and pending[0].job is None:
            first, *pending = pending
            _classify(plan, first, line)
        if pending:
            stopped = _launch(plan, typed, launch, pending)
    _stop_where(stopped, "interrupted", _left(plan), plan)


def _classify(plan: Plan, planned: PlannedJob, line: StudyLine) -> None:
    """Do a classifier's job, after any other command that is at it: what that one has trained is taken.

    Raises ``RuntimeError`` where it failed, and ``Interrupted``.
    """
    with quick_imports():
        from genlab.run.study_job import run_job
    waiting = f"{planned.name} is being trained by another command: waiting for its end ({planned.folder})"
    try:
        with RunFolder(planned.folder).waited_for(lambda: line.say(waiting)):
            ended = run_job(plan.folder, planned.key)
    except KeyboardInterrupt:
        _stop_where(True, "interrupted", _left(plan), plan)
        raise
    why = f"{planned.name}: {ended.reason} ({plan.job_file(planned.key, 'log')})"
    _stop_where(ended.state in ("failed", "interrupted"), ended.state, why, plan)


def _left(plan: Plan) -> str:
    """How many runs nobody has come to the end of."""
    left = sum(read_record(plan.folder, planned.key).get("state") not in ("done", "failed") for planned in plan.jobs)
    return f"{left} of {len(plan.jobs)} runs are left to do"


def pending_jobs(plan: Plan, clear: bool = True) -> list[PlannedJob]:
    """The jobs that have no record of being done; the record of an earlier try at them is cleared away.

    A job whose results somebody has replaced since by others than the study asks for is not done either.
    """
    judges = plan.judges()
    pending = [each for each in plan.all_jobs() if not _is_done(plan, each, judges)]
    for planned in pending if clear else []:
        plan.job_file(planned.key, "json").unlink(missing_ok=True)
    return pending


def _is_done(plan: Plan, planned: PlannedJob, judges: Digests) -> bool:
    measured = measured_by(plan.definition, planned.config, {} if planned.job is None else judges)
    if not is_done(plan.folder, planned.key, planned.identity, planned.folder, measured):
        return False
    return planned.job is None or not taken_otherwise(planned.folder, plan.definition, planned.config, judges)


def _launch(plan: Plan, typed: StudyWords, launch: Launch, pending: Sequence[PlannedJob]) -> bool:
    """Hand the pending jobs to Hydra as one sweep over their numbers, with the launcher that was typed.

    Whether the user stopped it before its end.
    """
    folder = str(plan.folder)
    numbers = ",".join(str(planned.job.number) for planned in pending if planned.job is not None)
    place = quoted(f"{folder}/launcher")
    words = [f"study={plan.name}", f"budget={plan.budget}", f"+job={numbers}", f"hydra.sweep.dir={place}"]
    flags = [word for word in typed.hydra if word not in ("-m", "--multirun")]
    in_here = os.getpid()

    def task(cfg: DictConfig) -> None:
        with quick_imports():
            from genlab.run.study_job import run_job
        ended = run_job(Path(folder), f"{cfg.job:04d}")
        if ended.state == "interrupted" and os.getpid() == in_here and not _goes_on():
            raise KeyboardInterrupt

    before = dict(os.environ)
    os.environ.update(_threads(typed.hydra))
    try:
        with composed_beforehand():  # the runs' configs, when they were planned
            launch(["-m", *flags, *words], task)
    except KeyboardInterrupt:
        return True
    finally:
        os.environ.clear()
        os.environ.update(before)
    return False


def _goes_on() -> bool:
    """Ask, where there is somebody to ask, whether the sweep goes on after a run was stopped."""
    terminal = sys.__stderr__
    if terminal is None or not terminal.isatty() or not sys.stdin.isatty():
        return False
    print("\nthis run is stopped. Go on with the next one? [y/N] ", end="", file=terminal, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        return False


def workers(hydra_words: Sequence[str]) -> int:
    """How many runs go at once under the launcher that was typed, as far as this process can tell."""
    typed = dict(word.split("=", 1) for word in hydra_words if "=" in word)
    if typed.get("hydra/launcher") in (None, "basic"):
        return 1
    given = typed.get("hydra.launcher.n_jobs", "-1")
    count = int(given) if given.lstrip("-").isdigit() else -1
    return count if count > 0 else os.cpu_count() or 1


def _threads(hydra_words: Sequence[str]) -> dict[str, str]:
    """Threads of a run, unless the user has said how many: this machine's are divided among runs that go at once.

    A cluster's are as many as the CPUs that are asked for.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return {}
    if "hydra/launcher=submitit_slurm" in hydra_words:
        return {"OMP_NUM_THREADS": str(_cpus_per_task(hydra_words))}
    if (count := workers(hydra_words)) == 1:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count))}


def _cpus_per_task(hydra_words: Sequence[str]) -> int:
    """The CPUs that Slurm is asked for, for each run; one where it is not told how many, as is its own default."""
    words = [word for word in hydra_words if not word.startswith("-")]
    with composing():
        launcher = hydra.compose("train", overrides=words, return_hydra_config=True).hydra.launcher
    return int(launcher.cpus_per_task or 1)


def _stop_where(stopped: bool, state: str, why: str, plan: Plan) -> None:
    if not stopped:
        return
    command = f"to go on: {command_of(plan)}"
    if state == "interrupted":
        raise Interrupted(f"interrupted: {why}; {command}")
    raise RuntimeError(f"{why}; {command}")


def command_of(plan: Plan) -> str:
    """The command that goes on with the study, as it was typed."""
    words = (
        sys.argv[1:]
        if sys.argv[0].endswith("genlab")
        else ["train", "-m", f"study={plan.name}", f"budget={plan.budget}"]
    )
    return shlex.join(["genlab", *words])


def _sum_up(plan: Plan) -> int:
    """Write what the study found, say which runs failed and where to look; the exit code."""
    from genlab.run.study_results import write_results

    records = {planned.name: read_record(plan.folder, planned.key) for planned in plan.jobs}
    failed = {name: record for name, record in records.items() if record.get("state") == "failed"}
    skipped = [name for name, record in records.items() if record.get("state") == "skipped"]
    done = sum(record.get("state") == "done" for record in records.values())
    print(f"{done} of {len(records)} runs done", flush=True)
    for name, record in failed.items():
        print(f"failed: {name}: {record['reason']}", file=sys.stderr)
    if skipped:
        print(f"left out after {plan.fail_fast} failed: {len(skipped)} runs", file=sys.stderr)
    print(f"open {write_results(plan.folder)}")
    return 1 if failed else 0


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep every other process from working at the study; raises ``ValueError`` while one does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refuse("GENLAB_RUNS", f"be writable ({error.strerror})", str(folder), "environment") from error
    with only_one(folder, "study", "it is being run there now"):
        yield
