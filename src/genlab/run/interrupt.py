"""Stopping well: the first Ctrl-C or SIGTERM ends the run after the current step, the second at once."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class StopOnSignal(Callback):
    """Ends training at the end of a step once a signal has come; ``stopped`` then says so."""

    stopped = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ask the trainer to stop."""
        if self.stopped:
            trainer.should_stop = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals within the block, and give their handlers back after it."""
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        print("\nstopping at the end of this step (again: at once)", file=sys.stderr)
