"""``checkpoints/last.ckpt``: what a run goes on from, written every so many seconds and after every pass."""

import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from genlab.checks import file_named, positive, refuse
from genlab.processes import any_says
from genlab.run.metrics_csv import MetricsCsv


class LastCheckpoint(Callback):
    """Saves before a training step once ``every_seconds`` have gone by since the last save, or a pass has ended.

    Of several processes the first clock to say so decides for all.

    Before a step, for the validation that may follow the step before it is over then: a run that goes on repeats
    none of its figures and lacks none. ``every_pass`` may be switched off where passes take less time than a save.
    Every checkpoint carries the newest figures, ``figures``: a run that goes on and has nothing left to do knows them.
    Raises ``ValueError`` for a path that names no file, and for other values than a number above 0, and true or false.
    """

    def __init__(self, path: str | Path, every_seconds: float = 30.0, every_pass: bool = True) -> None:
        self.path = file_named("path", path, "callbacks.last.path")
        self.every_seconds = positive("every_seconds", every_seconds, "callbacks.last.every_seconds")
        if not isinstance(every_pass, bool):
            raise refuse("every_pass", "be true or false", every_pass, "callbacks.last.every_pass")
        self.every_pass = every_pass
        self.figures: dict[str, float] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and note the pass."""
        self._saved_at, self._saved_in = time.monotonic(), trainer.current_epoch

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Save if it is time."""
        next_pass = self.every_pass and trainer.current_epoch > self._saved_in
        due = next_pass or time.monotonic() - self._saved_at >= self.every_seconds
        if trainer.global_step and any_says(due):
            save_checkpoint(trainer, self.path)
            self._saved_at, self._saved_in = time.monotonic(), trainer.current_epoch

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the newest value of everything that was logged."""
        checkpoint["figures"] = self.newest(trainer)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take the figures up; a checkpoint of before they were kept has none."""
        self.figures = dict(checkpoint.get("figures", {}))

    def newest(self, trainer: Trainer) -> dict[str, float]:
        """The newest value of everything that was logged, in this session or before it."""
        return self.figures | {name: float(value) for name, value in trainer.callback_metrics.items()}


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Save at ``path``, where there is a whole checkpoint at any time (``whole_checkpoints``).

    The figures up to it are written out first: no process that is killed leaves a checkpoint ahead of them. Several
    processes call it together, and the first one writes.
    """
    for logger in trainer.loggers:
        if isinstance(logger, MetricsCsv):
            logger.flush()
    trainer.save_checkpoint(path)
