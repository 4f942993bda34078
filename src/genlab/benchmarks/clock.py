"""Looking at a run of ``genlab train`` from inside: when each step ended, what it began with, and its first losses."""

import json
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class Clock(Callback):
    """Writes ``initial_weights.pt`` and ``clock.json`` into ``folder``.

    The latter has ``steps``, a list of (iteration, seconds), and ``first_step``, the time at which the first training
    step ended in seconds since the epoch.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.times: list[tuple[int, float]] = []
        self.first_step = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the weights that training starts from."""
        torch.save(pl_module.state_dict(), self.folder / "initial_weights.pt")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the time."""
        self.first_step = self.first_step or time.time()
        self.times.append((trainer.global_step, time.perf_counter()))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the times."""
        content = {"first_step": self.first_step, "steps": self.times}
        (self.folder / "clock.json").write_text(json.dumps(content), encoding="utf-8")


class FirstSteps(Callback):
    """Writes ``first_steps.pt`` into ``folder``: the first batches of images, and what training made of each.

    A list of dicts: the batch's ``images`` and ``labels``, ``random``, the state of torch's random numbers before the
    step, and ``figures``, what the step logged.
    """

    def __init__(self, folder: str | Path, count: int = 5) -> None:
        self.folder, self.count = Path(folder), count
        self.steps: list[dict[str, Any]] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep the batch."""
        if len(self.steps) < self.count:
            self.steps.append({"images": batch.images, "labels": batch.labels, "random": torch.get_rng_state()})

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Keep what was logged."""
        if "figures" not in self.steps[-1]:
            self.steps[-1]["figures"] = {name: float(value) for name, value in trainer.callback_metrics.items()}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it all."""
        torch.save(self.steps, self.folder / "first_steps.pt")


def clock_words(folder: Path) -> list[str]:
    """The overrides that put a ``Clock`` beside the callbacks of ``genlab train``."""
    return ["+callbacks.clock._target_=genlab.benchmarks.clock.Clock", f"+callbacks.clock.folder={folder}"]


def first_steps_words(folder: Path, count: int) -> list[str]:
    """The overrides that add ``FirstSteps``."""
    name = "+callbacks.first_steps"
    return [f"{name}._target_=genlab.benchmarks.clock.FirstSteps", f"{name}.folder={folder}", f"{name}.count={count}"]


def read_clock(folder: Path) -> tuple[float, dict[int, float]]:
    """The time of the end of the first step, and the clock at the end of each iteration's step."""
    content = json.loads((folder / "clock.json").read_text(encoding="utf-8"))
    return float(content["first_step"]), dict(content["steps"])
