"""``checkpoints/last.ckpt``: what a run goes on from, written every so many seconds, whole or not at all."""

import os
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from genlab.checks import positive
from genlab.run.metrics_csv import MetricsCsv


class LastCheckpoint(Callback):
    """Saves before a training step once ``every_seconds`` have gone by since the last save.

    Before a step, for the validation that may follow the step before it is over then: a run that goes on repeats
    none of its figures and lacks none.
    """

    def __init__(self, path: str | Path, every_seconds: float = 30.0) -> None:
        self.path = Path(path)
        self.every_seconds = positive("every_seconds", every_seconds, "callbacks.last.every_seconds")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._saved_at = time.monotonic()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Save if it is time."""
        if time.monotonic() - self._saved_at >= self.every_seconds and trainer.global_step:
            save_checkpoint(trainer, self.path)
            self._saved_at = time.monotonic()


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Save beside ``path`` and rename, so that the checkpoint there is always a whole one.

    The figures up to it are written out first: no process that is killed leaves a checkpoint ahead of them.
    """
    for logger in trainer.loggers:
        if isinstance(logger, MetricsCsv):
            logger.flush()
    part = path.with_name(f".{path.name}.part")
    trainer.save_checkpoint(part)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)
