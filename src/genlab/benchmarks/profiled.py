"""One training step of an image model taken apart: how long it takes, on what, and the least that it could take.

Run as a program: options as JSON, a JSON object on the last line. The images are random, for no time depends on them.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from genlab.benchmarks import bare, peers_images
from genlab.datasets.image_batches import Batch
from genlab.run.allocator import keep_freed_memory

BATCH = 128
WARM_UP = 3
PRODUCT = 1024  # rows and columns of the matrices whose product tells what the processor can do

# Part of a step, and what the names of its operations contain; the first that fits.
PARTS = (
    ("convolutions", ("conv",)),
    ("batch norms", ("batch_norm",)),
    ("activations", ("relu", "clamp_min", "threshold", "tanh", "sigmoid")),
    ("linear layers", ("mm", "linear")),
    ("optimisers", ("optimizer", "foreach", "adam")),
)
REST = "the rest"

Step = Callable[[], object]


def take_apart(model: str, peer: bool, precision: str, steps: int) -> dict[str, Any]:
    """A step of genlab's bare loop, or of the peer's (in single precision), on ``BATCH`` images.

    ``step_seconds`` is the median of ``steps``; ``parts`` are shares of the time by part; ``operations`` is how many
    floating-point operations its convolutions and products have, and ``peak`` how many a second a product of two
    large matrices gets done.
    """
    step = _peer_step(model) if peer else _our_step(model, precision)
    for _ in range(WARM_UP):
        step()
    seconds = [timed(step) for _ in range(steps)]
    found = {"step_seconds": float(np.median(seconds)), "operations": operations(step)}
    return {**found, "parts": shares(step), "peak": peak("32-true" if peer else precision)}


def _our_step(model: str, precision: str) -> Step:
    keep_freed_memory()
    loop: bare.Loop = bare.LOOPS[model](1000)
    images, labels = _images()
    return lambda: bare.train_step(loop, Batch(images, labels), precision)


def _peer_step(model: str) -> Step:
    loop, (images, _) = peers_images.LOOPS[model](), _images()
    shown = images * 2 - 1 if model == "dcgan" else images
    return lambda: loop.step(shown)


def _images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(BATCH, 1, 28, 28, generator=generator)
    return images, torch.randint(0, 10, (BATCH,), generator=generator)


def timed(step: Step) -> float:
    """Seconds of wall clock that a call takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def operations(step: Step) -> int:
    """Floating-point operations of a call's convolutions and products, forward and backward, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def shares(step: Step) -> dict[str, float]:
    """The share of the time that goes to each of ``PARTS`` and the rest, over two calls under torch's profiler."""
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
        step()
    found = dict.fromkeys([*(name for name, _ in PARTS), REST], 0.0)
    for event in profiler.key_averages():
        found[part_of(event.key)] += event.self_cpu_time_total
    total = sum(found.values())
    return {name: value / total for name, value in found.items()}


def part_of(operation: str) -> str:
    """The part of a step that an operation of this name belongs to."""
    for name, words in PARTS:
        if any(word in operation.lower() for word in words):
            return name
    return REST


def peak(precision: str) -> float:
    """Floating-point operations a second in a product of two large matrices, the best of ten."""
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    a, b = torch.randn(PRODUCT, PRODUCT, dtype=dtype), torch.randn(PRODUCT, PRODUCT, dtype=dtype)
    return 2 * PRODUCT**3 / min(timed(lambda: a @ b) for _ in range(10))


def main(argv: Sequence[str] | None = None) -> int:
    """Call ``take_apart`` with the options."""
    options: dict[str, Any] = json.loads((sys.argv[1:] if argv is None else argv)[0])
    print(json.dumps(take_apart(**options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
