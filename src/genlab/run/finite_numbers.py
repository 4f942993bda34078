"""Ends a training whose numbers have gone wrong: it names the first of them, and keeps the batch they came from."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from genlab.processes import process_number
from genlab.run.secrets import redacted
from genlab.whole_file import whole_file

FOLDER = "failure"
"""Of a run's folder: the batch at which its numbers went wrong, ``batch_<iteration>.pt``."""

HELD_OUT = "val/"
"""Figures that are let pass: they change no weight, and the next step's own figures tell whether anything is wrong."""


class FiniteNumbers(Callback):
    """Looks at every gradient and parameter after each step, and at the figures of training whenever they are logged.

    Raises ``FloatingPointError`` (one line with the name, the value and the iteration) for one that is NaN or
    infinite; ``last.ckpt`` stays what it was. With a gradient scaler, which skips a step whose gradients are such,
    parameters alone are looked at. The batch of any ``FloatingPointError``, a module's own
    included, is saved in ``failure/``, with the reason and the iteration that it begins; so is one that holds such a
    number itself, whatever error that has led to. Several processes, whose gradients and figures are means, find it out
    together, and each saves its own batch.
    """

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Keep the batch, and the iteration that it begins."""
        self._batch, self._iteration = batch, trainer.global_step + 1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at the step's numbers."""
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        _refuse_tensors(pl_module, scaled, trainer.global_step)
        if trainer.fit_loop.epoch_loop._batches_that_stepped % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            _refuse_figures(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save the batch."""
        if not isinstance(exception, Exception) or not hasattr(self, "_batch"):
            return
        batch = plain(self._batch)
        if is_bad := not _is_finite(batch):
            exception.add_note("the batch holds NaN or infinity")
        if not is_bad and not isinstance(exception, FloatingPointError):
            return
        other = f"_process_{process_number()}" if process_number() else ""
        path = Path(trainer.default_root_dir) / FOLDER / f"batch_{self._iteration}{other}.pt"
        try:
            _write(path, {"iteration": self._iteration, "reason": redacted(str(exception)), "batch": batch})
            exception.add_note(f"the batch is in {path.parent.name}/{path.name}")
        except OSError as error:
            exception.add_note(f"the batch cannot be saved: {error}")


def plain(batch: Any) -> Any:
    """A batch as dictionaries, lists and tensors on the CPU, which is all that a safe ``torch.load`` takes."""
    if isinstance(batch, Tensor):
        return batch.detach().cpu()
    if isinstance(batch, tuple) and hasattr(batch, "_asdict"):
        batch = batch._asdict()
    if isinstance(batch, Mapping):
        return {str(name): plain(value) for name, value in batch.items()}
    if isinstance(batch, list | tuple):
        return [plain(value) for value in batch]
    return batch if isinstance(batch, bool | int | float | str | None) else str(batch)


def _is_finite(batch: Any) -> bool:
    """Whether a plain batch has only finite numbers."""
    if isinstance(batch, Mapping):
        return all(map(_is_finite, batch.values()))
    if isinstance(batch, list):
        return all(map(_is_finite, batch))
    return bool(batch.isfinite().all()) if isinstance(batch, Tensor) else True


def _refuse_tensors(module: LightningModule, scaled: bool, iteration: int) -> None:
    """Raise for a bad gradient, unless they are scaled, or a bad parameter."""
    parameters = dict(module.named_parameters())
    gradients = {} if scaled else {name: each.grad for name, each in parameters.items() if each.grad is not None}
    tensors = [*gradients.values(), *(each.data for each in parameters.values())]
    norms = torch._foreach_norm(tensors)  # the fastest look at every number that torch has: NaN and infinity stay
    if bool(torch.stack(norms).isfinite().all()):
        return
    for what, named in (("gradient", gradients), ("parameter", parameters)):
        for name, tensor in named.items():
            # A norm may be too large for its type where every number is finite: that is no reason to stop.
            if not bool(tensor.isfinite().all()):
                kind = "nan" if bool(tensor.isnan().any()) else "inf"
                raise FloatingPointError(f"the {what} of {name} is {kind} at iteration {iteration}: lower optimizer.lr")


def _refuse_figures(trainer: Trainer) -> None:
    for name, value in trainer.callback_metrics.items():
        if not name.startswith(HELD_OUT) and not math.isfinite(value):
            raise FloatingPointError(f"{name} is {float(value)} at iteration {trainer.global_step}: lower optimizer.lr")


def _write(path: Path, content: Mapping[str, Any]) -> None:
    memory = io.BytesIO()
    torch.save(content, memory)
    with whole_file(path) as file:
        file.write(memory.getbuffer())
