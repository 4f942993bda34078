"""Training of the image models: ``genlab train`` as it is, its own networks in a bare loop, and PyTorch's examples.

Each contender runs in a process of its own. ``genlab train`` is timed over one whole pass, so that a validation, a
checkpoint and a grid of images are in it; the others do nothing but train, so that fewer steps tell their rate.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from genlab.benchmarks import bare, peers_images
from genlab.benchmarks.children import Runner
from genlab.benchmarks.clock import clock_words, first_steps_words, read_clock
from genlab.benchmarks.loading import write_idx_files
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case, Measure, alternate, compare
from genlab.datasets.image_batches import Batch
from genlab.datasets.image_datamodule import ImageDataModule

BATCH = 128
BARE = "bare loop"
PEERS = {"dcgan": "PyTorch's DCGAN tutorial", "vae": "PyTorch's VAE example"}
PEER_TARGET, BARE_TARGET = 3.0, 0.9

# Losses of the first steps are compared in double precision, as shares of their size. In single precision the examples'
# losses are others where an answer is sure: a probability that is rounded to 1 has no logarithm left of its complement.
AGREEING_STEPS = 5
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Written:
    """The images that ``genlab train`` trains on, written down for the others.

    ``root`` has them as torchvision looks for MNIST, beside the official test images; ``file`` has them as tensors.
    ``passes`` is the number of whole batches of 128 in them.
    """

    root: Path
    file: Path
    passes: int
    count: int


def write_images(plan: Plan) -> Written:
    """Write the training images of the plan's data set, without those held out for validation."""
    root, file = plan.folder / "images", plan.folder / "images.pt"
    data = datamodule(plan)
    images, labels = data.train_set.images, data.train_set.labels
    if not file.is_file():
        write_idx_files(root, images[:, 0], labels, data.test_set.images[:, 0], data.test_set.labels)
        torch.save({"images": images, "labels": labels}, file)
    return Written(root, file, len(images) // BATCH, len(images))


def datamodule(plan: Plan) -> ImageDataModule:
    """The datamodule that ``genlab train`` makes."""
    held_out = 100 if plan.dataset == "digits" else 5000
    return ImageDataModule(plan.dataset, plan.root, download=False, batch_size=BATCH, val_size=held_out)


def image_case(model: str, plan: Plan) -> Case:
    """Check that all contenders come to the same losses, and measure their images a second."""
    written, runner = write_images(plan), Runner(plan.quick)
    difference = largest_difference(model, plan)
    ours = f"genlab train, {plan.precision}"
    steps = plan.size(4, written.passes)
    contenders: dict[str, Measure] = {
        ours: GenlabTrain(model, plan, runner, ours, plan.precision, steps).rate,
        BARE: _bare_rate(model, plan, runner, written),
    }
    single = "genlab train, 32-true"
    if plan.full and single != ours:
        contenders[single] = GenlabTrain(model, plan, runner, single, "32-true", steps).rate
    targets = {BARE: BARE_TARGET}
    if model in PEERS:
        targets = {PEERS[model]: PEER_TARGET, **targets}
        for workers in (0,) if plan.quick else (0, 2):
            name = f"{PEERS[model]}, {workers} workers"
            contenders[name] = _peer_rate(model, plan, runner, name, workers, written)
    rates = alternate(contenders, plan.size(1, plan.fewer))
    comparisons = [compare(rates, ours, peer, target) for peer, target in targets.items()]
    both = single in contenders and single != ours and model in PEERS
    if both:  # the rows then name the precision of each
        comparisons.append(compare(rates, single, PEERS[model], None))
    what = f"{model if model != 'dcgan' else 'DCGAN'} training".replace("vae", "VAE")
    size = f"batch {BATCH}, {plan.dataset}" + ("" if both else f", {plan.precision}")
    return Case(what, size, "images/s", rates, comparisons, difference, peaks=runner.medians())


@dataclass
class GenlabTrain:
    """A whole run a round, in a new folder; what is timed is the loop between two ends of a step."""

    model: str
    plan: Plan
    runner: Runner
    contender: str
    precision: str
    steps: int

    @property
    def warm_up(self) -> int:
        """Steps before the clock starts; the end of the first pass then lies between."""
        return self.plan.size(2, 10)

    def rate(self) -> float:
        """Images a second after the warm-up."""
        run, last = self.plan.folder / f"{self.model}-run", self.warm_up + self.steps
        words = [*train_words(self.model, self.plan, run, self.precision), f"trainer.max_steps={last}"]
        self.runner.genlab(self.contender, [*words, "trainer.max_epochs=-1", *clock_words(run)])
        _, times = read_clock(run)
        shutil.rmtree(run)
        return BATCH * self.steps / (times[last] - times[self.warm_up])


def train_words(model: str, plan: Plan, run: Path, precision: str, seed: int = 0) -> list[str]:
    """The command line of ``genlab train`` for an image model, on the processor."""
    settings = [f"run_dir={run}", f"seed={seed}", f"trainer.precision={precision}", "trainer.accelerator=cpu"]
    settings.append(f"data.batch_size={BATCH}")
    return ["train", f"experiment={model}", *plan.image_words, *settings]


def _bare_rate(model: str, plan: Plan, runner: Runner, written: Written) -> Measure:
    options = {
        **{"model": model, "images": str(written.file), "precision": plan.precision, "batch": BATCH},
        **{"warm_up": plan.size(2, 5), "steps": plan.size(4, 50)},
    }
    return lambda: float(runner.program(BARE, "genlab.benchmarks.bare", options)["rate"])


def _peer_rate(model: str, plan: Plan, runner: Runner, name: str, workers: int, written: Written) -> Measure:
    options = {
        **{"task": "rate", "model": model, "root": str(written.root), "workers": workers},
        **{"warm_up": plan.size(1, 3), "steps": plan.size(2, 30)},
    }
    return lambda: float(runner.program(name, "genlab.benchmarks.peers_images", options)["rate"])


# --- that all do the same ----------------------------------------------------------------------------------------


def largest_difference(model: str, plan: Plan) -> float:
    """How far the first losses of the others lie from those of ``genlab train`` in double precision, at most.

    All start from the same weights and see the same batches and random numbers. Raises ``RuntimeError`` where a
    loss differs by more than the tolerance.
    """
    run, count = plan.folder / f"{model}-agreement", plan.size(2, AGREEING_STEPS)
    words = [*train_words(model, plan, run, "64-true"), f"trainer.max_steps={count}"]
    Runner(plan.quick).genlab("genlab train", [*words, *clock_words(run), *first_steps_words(run, count)])
    weights = torch.load(run / "initial_weights.pt", weights_only=True)
    steps = torch.load(run / "first_steps.pt", weights_only=True)
    shutil.rmtree(run)
    return max(difference_from(steps, name, *loop) for name, loop in _loops(model, weights, count).items())


Step = Callable[[Batch], Sequence[float | Tensor]]


def _loops(model: str, weights: dict[str, Tensor], count: int) -> dict[str, tuple[tuple[str, ...], Step]]:
    """Everybody's step, of ``count``, and the figures that it gives, starting from ``weights``."""
    alone = bare.LOOPS[model](count)
    alone.nets.double().load_state_dict(weights)
    loops: dict[str, tuple[tuple[str, ...], Step]] = {
        BARE: (alone.figures, lambda batch: bare.train_step(alone, batch, "32-true"))
    }
    if model in PEERS:
        peer = peers_images.LOOPS[model]()
        peer.nets.double().load_state_dict(weights)
        centre = model == "dcgan"  # its transforms take images to [-1, 1]
        loops[PEERS[model]] = (
            peer.figures,
            lambda batch: peer.step(batch.images * 2 - 1 if centre else batch.images),
        )
    return loops


def difference_from(steps: list[dict[str, Any]], name: str, figures: tuple[str, ...], step: Step) -> float:
    """The largest difference from the recorded losses, in nats; raises ``RuntimeError`` beyond the tolerance."""
    largest = 0.0
    with _double():
        for number, recorded in enumerate(steps):
            torch.set_rng_state(recorded["random"])
            found = step(Batch(recorded["images"].double(), recorded["labels"]))
            for figure, loss in zip(figures, found, strict=True):
                expected = recorded["figures"][figure]
                difference = abs(float(loss) - expected)
                if difference > TOLERANCE * max(1.0, abs(expected)):
                    raise RuntimeError(
                        f"{name} differs from genlab train by {difference:.3g} in {figure} of step {number + 1}: "
                        "they do not do the same"
                    )
                largest = max(largest, difference)
    return largest


@contextmanager
def _double() -> Iterator[None]:
    """Make tensors in double precision within the block; torch's random numbers are afterwards as before."""
    before = torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_rng_state(before)
