"""One training step of an image model taken apart: how long it takes, on what, and the least that it could take.

Run as a program: options as JSON, a JSON object on the last line. The images are random, for no time depends on them.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
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
)
OPTIMISERS, REST = "optimisers", "the rest"

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
    took = float(np.median(seconds))
    found = {"step_seconds": took, "operations": operations(step), "parts": shares(step, took)}
    return {**found, "peak": peak("32-true" if peer else precision)}


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


def shares(step: Step, seconds: float) -> dict[str, float]:
    """The share of a step of ``seconds`` that each of ``PARTS``, the optimisers and the rest take, over two calls."""
    with Stopwatch() as watch:
        step()
        step()
    parts = {name: watch.seconds[name] / 2 for name in (*(name for name, _ in PARTS), OPTIMISERS)}
    whole = max(seconds, sum(parts.values()))
    return {name: each / whole for name, each in parts.items()} | {REST: 1 - sum(parts.values()) / whole}


class Stopwatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """``seconds`` of torch's operations within the block, by part; an optimiser's are its own, whatever they do.

    torch's own profiler takes memory in between, so that a step's large maps come to lie on fresh pages: operations
    took up to five times as long under it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._optimising = False

    def __enter__(self) -> Self:
        """Start to measure."""
        begins, ends = (lambda *_: self._set(True)), (lambda *_: self._set(False))
        self._hooks = register_optimizer_step_pre_hook(begins), register_optimizer_step_post_hook(ends)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        """Measure no more."""
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        for hook in self._hooks:
            hook.remove()

    def _set(self, optimising: bool) -> None:
        self._optimising = optimising

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Carry an operation out with a stopwatch around it."""
        began = time.perf_counter()
        result = operation(*args, **(kwargs or {}))
        part = OPTIMISERS if self._optimising else part_of(str(operation))
        self.seconds[part] += time.perf_counter() - began
        return result


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
