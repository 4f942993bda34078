"""FID, KID, precision and recall: ``genlab evaluate`` beside torch-fidelity on the same images, which lie on disk."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from genlab.benchmarks.children import Runner
from genlab.benchmarks.image_training import datamodule, train_words
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case, Measure, alternate, compare
from genlab.run.trained import load_trained

OURS, AGAIN, PEER = "genlab evaluate", "genlab evaluate, real images seen before", "torch-fidelity"
TARGET = 3.0
# Our measures, and what torch-fidelity calls them.
MEASURES = {
    "fid_mnist_cnn": "frechet_inception_distance",
    "kid_mnist_cnn": "kernel_inception_distance_mean",
    "precision": "precision",
    "recall": "recall",
}
# Distances are in single precision there and in double here: an image at the edge of a ball may fall on either side.
TOLERANCE = 2e-3
SEED = 0


@dataclass(frozen=True)
class Judged:
    """A generator's and a judge's run, and the images and the judge's weights as the peer takes them."""

    run: Path
    judge: Path
    generated: Path
    real: Path
    weights: Path
    count: int


def evaluation_case(plan: Plan, count: int | None = None) -> Case:
    """Seconds from the command to its end, for ``count`` generated images and as many real ones.

    What a judge has seen in real images is kept in its run's folder: here it is taken away first, and once it is not.
    """
    judged, runner = prepare(plan, count or plan.size(200, 10_000)), Runner(plan.quick)
    found: dict[str, dict[str, float]] = {}

    def evaluate(contender: str) -> float:
        only = f"only=[{','.join(MEASURES)}]"
        ended = runner.genlab(contender, ["evaluate", f"run={judged.run}", f"judge={judged.judge}", only])
        found[contender] = {name: _value(judged.run / "evaluation" / f"{name}.json") for name in MEASURES}
        return ended.seconds

    def ours() -> float:
        shutil.rmtree(judged.judge / "features", ignore_errors=True)
        return evaluate(OURS)

    def theirs() -> float:
        options = {
            **{"generated": str(judged.generated), "real": str(judged.real), "judge": str(judged.weights)},
            **{"subset_size": min(1000, judged.count // 2), "seed": SEED},
        }
        made = runner.program(PEER, "genlab.benchmarks.peers_evaluation", options)
        found[PEER] = {name: float(made[theirs_name]) for name, theirs_name in MEASURES.items()}
        return float(made["seconds"])

    contenders: dict[str, Measure] = {OURS: ours, AGAIN: lambda: evaluate(AGAIN), PEER: theirs}
    rates = alternate(contenders, 1 if plan.quick else plan.fewer)
    difference = max(largest_difference(found[each], found[PEER]) for each in (OURS, AGAIN))
    comparisons = [compare(rates, each, PEER, TARGET, less_is_better=True) for each in (OURS, AGAIN)]
    size = f"{judged.count:,} images, {plan.dataset}"
    return Case("FID, KID, precision, recall", size, "s", rates, comparisons, difference, peaks=runner.medians())


def _value(file: Path) -> float:
    return float(json.loads(file.read_text(encoding="utf-8"))["value"])


def largest_difference(ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
    """The largest difference of a value, as a share of it where it is above 1; raises ``RuntimeError`` if too large."""
    differences = {name: abs(ours[name] - theirs[name]) / max(1.0, abs(theirs[name])) for name in ours}
    name = max(differences, key=differences.__getitem__)
    if differences[name] > TOLERANCE:
        raise RuntimeError(f"{name} must be the same; got {ours[name]} from {OURS} and {theirs[name]} from {PEER}")
    return differences[name]


def prepare(plan: Plan, count: int) -> Judged:
    """Train a judge and a generator briefly, draw images, and write them and real ones down; none of it is timed."""
    folder = Path(tempfile.mkdtemp(prefix="evaluation-", dir=plan.folder))
    judge, run = folder / "judge", folder / "generator"
    counts = [f"evaluators.{name}.count={count}" for name in MEASURES]
    steps = f"trainer.max_steps={plan.size(5, 100)}"
    runner = Runner(plan.quick)
    runner.genlab("judge", [*train_words("classifier", plan, judge, plan.precision), steps])
    real_count = f"evaluators.fid_mnist_cnn.real_count={count}"
    runner.genlab("generator", [*train_words("dcgan", plan, run, plan.precision), steps, *counts, real_count])
    data, module = datamodule(plan).evaluation_data(), load_trained(str(run)).module
    judged = Judged(run, judge, folder / "generated", folder / "real", folder / "judge.pt", count)
    write_pngs(judged.generated, data.generated(module, count, SEED).images)
    write_pngs(judged.real, data.real("train", count, SEED).images)
    torch.save(load_trained(str(judge)).module.net.state_dict(), judged.weights)
    return judged


def write_pngs(folder: Path, images: Tensor) -> None:
    """Write uint8 images (N, 1, H, W) as gray PNG files whose names are in their order."""
    folder.mkdir(parents=True)
    for number, image in enumerate(images[:, 0].numpy()):
        Image.fromarray(image).save(folder / f"{number:06d}.png")
