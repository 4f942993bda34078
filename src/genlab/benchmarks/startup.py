"""How long a command takes before it does anything: ``genlab --help``, and from the command to the first step."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from genlab.benchmarks.children import Ended, run_child
from genlab.benchmarks.clock import clock_words, read_clock
from genlab.benchmarks.hydra_project import PEER, project_words, run_project, write_text
from genlab.benchmarks.image_training import train_words
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case, Measure, alternate, at_most, compare
from genlab.benchmarks.training import Setting, char_rnn_words

HELP_LIMIT, STEP_LIMIT = 1.0, 6.0  # seconds
SETTING = Setting(100, 20)


def startup_cases(plan: Plan) -> Iterator[Case]:
    """Seconds to the help, to the first step of a char-RNN and, in earnest, to that of a DCGAN."""
    yield _help(plan)
    yield _first_char_rnn_step(plan)
    if not plan.quick:
        yield _first_dcgan_step(plan)


def genlab(*words: str) -> Ended:
    """The command in a process of its own."""
    return run_child([sys.executable, "-m", "genlab", *words])


def _help(plan: Plan) -> Case:
    ours = "genlab --help"
    contenders = {ours: lambda: genlab("--help").seconds, PEER: lambda: run_project("--help").seconds}
    return _case("help", "--help", contenders, ours, HELP_LIMIT, plan)


def _first_char_rnn_step(plan: Plan) -> Case:
    """The clocks stop when one training step has ended: genlab's is a hundred windows, the project's is one."""
    ours, text = "genlab train", write_text(SETTING, plan.folder)
    run, theirs = plan.folder / "first-step", plan.folder / "first-step-peer"
    words = ["train", *char_rnn_words(SETTING, run, 100, 100)]

    def project() -> float:
        ended = run_project(*project_words(SETTING, text), f"hydra.run.dir={theirs}", "trainer.max_steps=1")
        seconds = float((theirs / "first_step.txt").read_text()) - ended.began
        shutil.rmtree(theirs)
        return seconds

    contenders: dict[str, Measure] = {ours: lambda: _to_first_step(words, run), PEER: project}
    return _case("first training step", f"char-RNN {SETTING.size}", contenders, ours, STEP_LIMIT, plan)


def _first_dcgan_step(plan: Plan) -> Case:
    ours, run = "genlab train", plan.folder / "first-step"
    words = [*train_words("dcgan", plan, run, plan.precision), "trainer.max_steps=1", *clock_words(run)]
    contenders: dict[str, Measure] = {ours: lambda: _to_first_step(words, run)}
    return _case("first training step", f"DCGAN, {plan.dataset}, {plan.precision}", contenders, ours, STEP_LIMIT, plan)


def _to_first_step(words: list[str], run: Path) -> float:
    ended = genlab(*words)
    first_step, _ = read_clock(run)
    shutil.rmtree(run)
    return first_step - ended.began


def _case(
    what: str, size: str, contenders: dict[str, Callable[[], float]], ours: str, limit: float, plan: Plan
) -> Case:
    """Measure; once before that, so that files are in memory and what is compiled once is compiled."""
    if not plan.quick:
        for measure in contenders.values():
            measure()
    rates = alternate(contenders, 1 if plan.quick else plan.rounds)
    comparisons = [compare(rates, ours, PEER, None, less_is_better=True)] if PEER in rates else []
    return Case(f"start: {what}", size, "s", rates, comparisons, limits=[at_most(rates, ours, limit)])
