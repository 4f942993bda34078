"""What a training is doing, told by itself through a pipe: the parent knows where a kill fell."""

import os
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

STAGES = ("starting", "training", "validating", "saving", "ending")
STEP = "step"
"""Told at the beginning of each training step; it is no stage of its own."""
_STEP_BYTE = 255

OnEnter = Callable[[str, int], None]
"""Called with a stage and how often it has been entered, before the work of the stage."""


class Reporter:
    """Writes a byte to a pipe whenever the stage changes, and at every training step; ``read`` knows which is which."""

    def __init__(self, pipe: int, on_enter: OnEnter | None = None) -> None:
        self.pipe, self.on_enter = pipe, on_enter
        self.stage = STAGES[0]
        self.entered: Counter[str] = Counter()
        self._tell()

    def install(self) -> None:
        """Wrap, in this process, what each stage consists of."""
        import pytorch_lightning as pl
        from pytorch_lightning.loops.evaluation_loop import _EvaluationLoop

        from genlab.run import fit, interrupt, last_checkpoint

        self._wrap(pl.Trainer, "_run_stage", "training", "ending")
        self._wrap(pl.Trainer, "save_checkpoint", "saving")
        self._wrap(_EvaluationLoop, "run", "validating")
        self._wrap(last_checkpoint, "save_checkpoint", "saving")
        for module in (interrupt, fit):
            setattr(module, "save_checkpoint", last_checkpoint.save_checkpoint)  # noqa: B010 (they import it by name)
        self._count_steps(last_checkpoint.LastCheckpoint)
        for name in ("_draw_curves", "_end"):
            self._wrap(fit, name, "ending")

    def _wrap(self, owner: Any, name: str, stage: str, after: str | None = None) -> None:
        """Make ``owner.name`` tell that it begins, and that what was before goes on (or ``after``)."""
        work = getattr(owner, name)

        @wraps(work)
        def staged(*args: Any, **options: Any) -> Any:
            before = self.stage
            self._enter(stage)
            try:
                return work(*args, **options)
            finally:
                self._enter(after or before, again=True)

        setattr(owner, name, staged)

    def _count_steps(self, callback: Any) -> None:
        begin = callback.on_train_batch_start

        @wraps(begin)
        def counted(*args: Any, **options: Any) -> Any:
            os.write(self.pipe, bytes([_STEP_BYTE]))
            return begin(*args, **options)

        callback.on_train_batch_start = counted

    def _enter(self, stage: str, again: bool = False) -> None:
        if stage == self.stage:
            return
        self.stage = stage
        self._tell()
        if not again:
            self.entered[stage] += 1
            if self.on_enter is not None:
                self.on_enter(stage, self.entered[stage])

    def _tell(self) -> None:
        os.write(self.pipe, bytes([STAGES.index(self.stage)]))


def read(byte: int) -> str:
    """The stage, or ``STEP``, that a byte stands for."""
    return STEP if byte == _STEP_BYTE else STAGES[byte]
