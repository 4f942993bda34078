"""A sweep of short char-RNN runs: wall clock from the command to the last artifact of the last run."""

import shutil
import sys
from pathlib import Path

from genlab.benchmarks.children import Runner, run_child
from genlab.benchmarks.hydra_project import PEER, difference, project_words, run_project, write_text
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case, Measure, alternate, compare
from genlab.benchmarks.training import Setting

OURS = "genlab train -m, joblib, 2 processes"
TARGET = 8.0
RATES = ("1e-3", "3e-3")
SETTING = Setting(100, 20)
UPDATES = 2000


def sweep_case(plan: Plan) -> Case:
    """Seconds for all runs: two learning rates, and as many seeds as make up the number."""
    runs, updates = plan.size(2, 32), plan.size(20, UPDATES)
    text, runner = write_text(SETTING, plan.folder), Runner()
    found = difference(SETTING, text, plan.folder)
    contenders: dict[str, Measure] = {
        OURS: lambda: ours(runs, updates, plan.folder / "sweep", runner),
        PEER: lambda: theirs(runs, updates, text, plan.folder / "sweep-peer", runner),
    }
    rates = alternate(contenders, plan.few)
    size = f"{runs} runs, {SETTING.size}, {updates:,} updates"
    comparison = compare(rates, OURS, PEER, TARGET, less_is_better=True)
    return Case("sweep", size, "s", rates, [comparison], found, peaks=runner.medians())


def grid(runs: int) -> list[str]:
    """The overrides that both sweep over."""
    return [f"seed=range({-(-runs // len(RATES))})"]


def ours(runs: int, updates: int, folder: Path, runner: Runner) -> float:
    """Seconds of ``genlab train -m`` with two processes; raises ``RuntimeError`` unless every run left its files."""
    words = [
        *["train", "-m", "experiment=char_rnn", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
        *[f"data.seq_len={SETTING.seq_len}", f"model.hidden_size={SETTING.hidden_size}", "data.corpus=python_docs"],
        *[f"trainer.max_steps={updates}", "trainer.accelerator=cpu", f"hydra.sweep.dir={folder}"],
        *[f"optimizer.lr={','.join(RATES)}", *grid(runs)],
    ]
    ended = run_child([sys.executable, "-m", "genlab", *words])
    runner.note(OURS, ended)
    refuse_missing(folder, runs, ("status.json", "metrics.csv", "checkpoints/best.ckpt", "checkpoints/last.ckpt"))
    shutil.rmtree(folder)
    return ended.seconds


def theirs(runs: int, updates: int, text: Path, folder: Path, runner: Runner) -> float:
    """Seconds of the project's sweep by Hydra's basic launcher, one run after the other in one process."""
    ended = run_project(
        *["-m", *project_words(SETTING, text), f"trainer.max_steps={updates}", f"hydra.sweep.dir={folder}"],
        *[f"model.lr={','.join(RATES)}", *grid(runs)],
    )
    runner.note(PEER, ended)
    refuse_missing(folder, runs, ("metrics.csv", "checkpoints/last.ckpt"))
    shutil.rmtree(folder)
    return ended.seconds


def refuse_missing(folder: Path, runs: int, artifacts: tuple[str, ...]) -> None:
    """Raise ``RuntimeError`` unless ``runs`` folders below ``folder`` hold each artifact."""
    for artifact in artifacts:
        there = len(list(folder.glob(f"*/{artifact}")))
        if there != runs:
            raise RuntimeError(f"the sweep in {folder} must leave {runs} files {artifact}; got {there}")
