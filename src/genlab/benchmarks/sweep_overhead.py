"""What a sweep costs beside its trainings: two runs at a time against one, and the start of a run within a sweep."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from genlab.benchmarks.children import Runner, run_child
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case, alternate, at_most, compare
from genlab.benchmarks.sweep import refuse_missing
from genlab.benchmarks.training import Setting

ONE, TWO = "genlab train -m, one at a time", "genlab train -m hydra/launcher=joblib, 2 processes"
START = "a run within a sweep"
TARGET = 1.7
LIMIT = 1.0  # seconds
SETTING = Setting(256, 20)
UPDATES = 20_000
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


def overhead_cases(plan: Plan) -> Iterator[Case]:
    """Seconds of a sweep with one process and with two, and those of each run in it that are not its training's.

    Sixteen runs of some ten seconds each, as a study has: with fewer or shorter ones it is start-up that is compared.
    """
    runs, updates = plan.size(2, 16), plan.size(20, UPDATES)
    runner, starts = Runner(), list[float]()

    def one_by_one() -> float:
        folder = plan.folder / "sweep-one"
        seconds = _sweep(ONE, folder, runs, updates, (), runner)
        starts.append(seconds_beside_training([file.parent for file in folder.glob("*/provenance.json")]))
        shutil.rmtree(folder)
        return seconds

    def two_at_a_time() -> float:
        folder = plan.folder / "sweep-two"
        seconds = _sweep(TWO, folder, runs, updates, JOBLIB, runner)
        shutil.rmtree(folder)
        return seconds

    rates = alternate({TWO: two_at_a_time, ONE: one_by_one}, plan.few)
    size = f"{runs} runs, {SETTING.size}, {updates:,} updates"
    comparison = compare(rates, TWO, ONE, TARGET, less_is_better=True)
    yield Case("sweep: two runs at a time", size, "s", rates, [comparison], peaks=runner.medians())
    beside = {START: starts}
    yield Case("sweep: beside a run's training", size, "s", beside, [], limits=[at_most(beside, START, LIMIT)])


def seconds_beside_training(runs: Sequence[Path]) -> float:
    """Seconds a run, of those that were made one after another in these folders, which are not its training's.

    From the start of the first to that of the last, as their records were written; ``ValueError`` for fewer than two.
    """
    if len(runs) < 2:
        raise ValueError(f"`runs` must be at least 2; got {len(runs)}")
    began = {run: (run / "provenance.json").stat().st_mtime for run in runs}
    *others, last = sorted(runs, key=began.__getitem__)
    trained: list[float] = [json.loads((run / "status.json").read_text(encoding="utf-8"))["seconds"] for run in others]
    return (began[last] - began[others[0]] - float(sum(trained))) / len(others)


def _sweep(contender: str, folder: Path, runs: int, updates: int, launcher: Sequence[str], runner: Runner) -> float:
    words = [
        *["train", "-m", "experiment=char_rnn", "data.corpus=python_docs", "trainer.accelerator=cpu", *launcher],
        *[f"data.seq_len={SETTING.seq_len}", f"model.hidden_size={SETTING.hidden_size}"],
        *[f"trainer.max_steps={updates}", f"hydra.sweep.dir={folder}", f"seed=range({runs})"],
    ]
    ended = run_child([sys.executable, "-m", "genlab", *words])
    runner.note(contender, ended)
    refuse_missing(folder, runs, ("status.json", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"))
    return ended.seconds
