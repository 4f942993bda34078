"""Stopping well: the first Ctrl-C or SIGTERM ends the run after the current step, the second at once.

Before the first step, while loggers begin and a checkpoint is read, nothing is lost by ending at once.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from genlab.processes import any_says, process_number
from genlab.run.last_checkpoint import save_checkpoint
from genlab.run.outcome import Stop, say

SIGNALS = (signal.SIGINT, signal.SIGTERM)
VALIDATION_SECONDS = 3.0
"""How long a validation that is going on may take to its end once a signal has come."""


class StopOnSignal(Callback):
    """Saves to ``checkpoint`` and ends training before the next step once a signal has come.

    Before a step and not by Lightning's own way of stopping early: that one validates once more and takes the pass
    for a whole one, and a run that goes on would be short of the rest of it. A validation that takes long is broken
    off: its step has been trained, but a checkpoint there would lack its figures, and so the run goes on from the last
    one before. Of several processes it is the first that hears signals; all of them stop before the same step.

    ``training`` says that the first step is near; ``ended`` that nothing is left but to note how the run ended, which
    no signal may keep it from.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.stopped = self.training = self.ended = False
        self._stopped_at = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take SIGTERM back from Lightning, which would end training with an error of its own."""
        self.training = True
        if process_number() == 0 and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handle)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Save and stop."""
        if any_says(self.stopped):
            save_checkpoint(trainer, self.checkpoint)
            raise Stop

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Stop in the middle of a validation that takes long."""
        too_long = self.stopped and time.monotonic() - self._stopped_at > VALIDATION_SECONDS
        if any_says(too_long):
            raise Stop

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals within the block, and give their handlers back after it; threads cannot."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.ended:
            return
        if self.stopped or not self.training:
            raise Stop
        self.stopped, self._stopped_at = True, time.monotonic()
        say("\nstopping at the end of this step (again: at once)")
