"""``checkpoints/last.ckpt``: what a run goes on from, written every so many seconds, whole or not at all."""

import os
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from genlab.checks import positive


class LastCheckpoint(Callback):
    """Saves at the end of a training step once ``every_seconds`` have gone by since the last save."""

    def __init__(self, path: str | Path, every_seconds: float = 30.0) -> None:
        self.path = Path(path)
        self.every_seconds = positive("every_seconds", every_seconds, "callbacks.last.every_seconds")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time, or if the run is about to stop."""
        if time.monotonic() - self._saved_at >= self.every_seconds or trainer.should_stop:
            save_checkpoint(trainer, self.path)
            self._saved_at = time.monotonic()


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Save beside ``path`` and rename, so that the checkpoint there is always a whole one."""
    part = path.with_name(f".{path.name}.part")
    trainer.save_checkpoint(part)
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(path)
