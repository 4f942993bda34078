"""One live line of progress: iterations, loss, bits a character, speed; the newest sample below it, dimmed.

Where the output is no terminal a plain line comes every few seconds instead.
"""

import logging
import math
import time
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

BAR_FROM = 96  # columns of a terminal that a bar is drawn in; below that the figures need the room
BAR_ROOM = 34  # what the bar and the word before it take

SAMPLES = logging.getLogger("genlab.samples")


class Progress(Callback):
    """Shows what ``trainer.callback_metrics`` holds; ``quantities`` says which, with the labels they get."""

    only_looks = True  # of several processes the first one shows it

    def __init__(self, quantities: dict[str, str] | None = None, plain_seconds: float = 10.0) -> None:
        self.quantities = quantities or {
            "train/smoothed_loss": "loss",
            "train/bits_per_char": "bits/char",
            "val/bits_per_char": "held out",
        }
        self.plain_seconds = plain_seconds
        self.console = Console(highlight=False)
        self.live: Live | None = None
        self.sample = ""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the line."""
        self._began, self._first = time.monotonic(), trainer.global_step
        self._plain_at = self._began
        if self.console.is_terminal:
            self._open(trainer)

    def _open(self, trainer: Trainer) -> None:
        wide = [TextColumn("{task.description}"), BarColumn(bar_width=24)] if self.console.width >= BAR_FROM else []
        columns = [*wide, _Count(), TextColumn("{task.fields[figures]}"), TimeRemainingColumn(compact=True)]
        self.bar = Bar(*columns, console=self.console)
        total = iterations_in_all(trainer)
        self.task = self.bar.add_task("training", total=total, completed=trainer.global_step, figures="")
        self.live = Live(self._render(), console=self.console, refresh_per_second=4)
        self.live.start()
        self._handler = _Listener(self)
        SAMPLES.addHandler(self._handler)
        SAMPLES.setLevel(logging.INFO)
        SAMPLES.propagate = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Bring the line up to date."""
        now = time.monotonic()
        speed = (trainer.global_step - self._first) / max(now - self._began, 1e-9)
        if self.live is not None:
            figures = self._that_fit(trainer, f"{speed:,.0f} it/s")
            self.bar.update(self.task, completed=trainer.global_step, figures=figures)
            self.live.update(self._render())
        elif now - self._plain_at >= self.plain_seconds:
            self._plain_at = now
            self._print_plain(trainer, speed)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the line; the last figures stay."""
        self._close()
        seconds = time.monotonic() - self._began
        if not self.console.is_terminal:
            self._print_plain(trainer, (trainer.global_step - self._first) / max(seconds, 1e-9))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the line, so that the error stands below it."""
        self._close()

    def _close(self) -> None:
        if self.live is not None:
            self.sample = ""
            self.live.update(self._render(), refresh=True)
            self.live.stop()
            self.live = None
            SAMPLES.removeHandler(self._handler)
            SAMPLES.propagate = True

    def _render(self) -> Group:
        line = Text(self.sample.replace("\n", " "), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(self.bar, line) if self.sample else Group(self.bar)

    def _print_plain(self, trainer: Trainer, speed: float) -> None:
        total = iterations_in_all(trainer)
        of = f" of {total:,}" if total else ""
        self.console.print(
            "  ".join([f"iteration {trainer.global_step:,}{of}", *self._figures(trainer), f"{speed:,.0f} it/s"]),
            soft_wrap=True,
        )

    def _that_fit(self, trainer: Trainer, speed: str) -> str:
        """As many figures as the terminal is wide enough for, the first ones first, and the speed."""
        total = f"{iterations_in_all(trainer) or trainer.global_step:,}"
        taken = 2 * len(total) + len("/ 00:00:00 ") + (BAR_ROOM if self.console.width >= BAR_FROM else 0)
        figures = self._figures(trainer)
        while figures and taken + len("  ".join([*figures, speed])) > self.console.width:
            figures.pop()
        return "  ".join([*figures, speed])

    def _figures(self, trainer: Trainer) -> list[str]:
        metrics = trainer.callback_metrics
        shown = [(label, float(metrics[name])) for name, label in self.quantities.items() if name in metrics]
        return [f"{label} {value:.3f}" if abs(value) < 1e5 else f"{label} {value:.3g}" for label, value in shown]


class _Count(ProgressColumn):
    """Iterations done and in all."""

    def render(self, task: Task) -> Text:
        of = f"/{int(task.total):,}" if task.total else ""
        return Text(f"{int(task.completed):,}{of}")


class _Listener(logging.Handler):
    """Takes samples that training logs to the line below the bar."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self.progress.sample = record.getMessage()


def iterations_in_all(trainer: Trainer) -> int | None:
    """The iteration at which training will stop, or None where nobody knows."""
    limits = [trainer.max_steps] if trainer.max_steps >= 0 else []
    per_pass = getattr(getattr(trainer, "datamodule", None), "iterations_per_pass", trainer.num_training_batches)
    if trainer.max_epochs is not None and trainer.max_epochs >= 0 and math.isfinite(per_pass):
        limits.append(int(per_pass) * trainer.max_epochs)
    return min(limits) if limits else None
