"""Looking at a run of ``genlab train`` from inside: when each training step ended, and which weights it began with."""

import json
import time
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from genlab.char_rnn.module import CharRnnModule


class Clock(Callback):
    """Writes ``initial_weights.pt`` and ``clock.json``, a list of (iteration, seconds), into ``folder``."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.times: list[tuple[int, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the weights that training starts from."""
        assert isinstance(pl_module, CharRnnModule)
        torch.save(pl_module.net.state_dict(), self.folder / "initial_weights.pt")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the time."""
        self.times.append((trainer.global_step, time.perf_counter()))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the times."""
        (self.folder / "clock.json").write_text(json.dumps(self.times), encoding="utf-8")
