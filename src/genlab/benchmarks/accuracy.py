"""Training a classifier to 99 % test accuracy: genlab's commands beside PyTorch's MNIST example."""

import json
import shutil
from itertools import count

from genlab.benchmarks.children import Runner
from genlab.benchmarks.image_training import train_words, write_images
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case, Measure, alternate, compare

OURS, PEER = "genlab train and evaluate", "PyTorch's MNIST example"
TARGET = 4.0
GOAL = 0.99
PASSES = 2  # of genlab's: the schedule has to know before
PEER_PASSES = 14  # the example's own number, at most


def accuracy_case(plan: Plan) -> Case:
    """Seconds from the command to a test accuracy of ``GOAL`` that has been measured; each round has its own seed.

    The peer tests after each pass, as it does by itself, and ends with the first that suffices. genlab trains for a
    fixed number of passes and is then evaluated, by two commands; it is an error if it stays below.
    """
    goal = 0.2 if plan.quick else GOAL
    root, runner = write_images(plan).root, Runner(plan.quick)
    our_seeds, their_seeds = count(), count()

    def ours() -> float:
        run = plan.folder / "accuracy"
        words = train_words("classifier", plan, run, plan.precision, next(our_seeds))
        seconds = runner.genlab(OURS, [*words, f"trainer.max_epochs={PASSES}"]).seconds
        seconds += runner.genlab(OURS, ["evaluate", f"run={run}", "only=[accuracy]"]).seconds
        result = json.loads((run / "evaluation" / "accuracy.json").read_text(encoding="utf-8"))
        refuse_below(float(result["value"]), goal)
        shutil.rmtree(run)
        return seconds

    def theirs() -> float:
        options = {"task": "train_classifier", "root": str(root), "goal": goal, "passes": PEER_PASSES}
        made = runner.program(PEER, "genlab.benchmarks.peers_images", {**options, "seed": next(their_seeds)})
        return float(made["seconds"])

    contenders: dict[str, Measure] = {OURS: ours, PEER: theirs}
    rates = alternate(contenders, plan.few)
    comparison = compare(rates, OURS, PEER, TARGET, less_is_better=True)
    size = f"{plan.dataset}, {plan.precision}"
    what = f"classifier to {goal:.0%} test accuracy"
    return Case(what, size, "s", rates, [comparison], peaks=runner.medians())


def refuse_below(accuracy: float, goal: float) -> None:
    """Raise ``RuntimeError`` for an accuracy below the goal: a shorter way to somewhere else is no win."""
    if accuracy < goal:
        raise RuntimeError(f"genlab's classifier must reach {goal} of the test images; got {accuracy}")
