"""What a run that goes on has behind it, counted as if it had never stopped."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class ResumedCounts(Callback):
    """Corrects Lightning's counts where a checkpoint is gone on from.

    Passes: where training ended in the middle of one, at ``max_steps``, Lightning counts that pass as done, and a run
    that goes on to ``max_epochs`` would end with the rest of a pass missing; the iterations tell. Training steps:
    Lightning takes every checkpoint for one that was saved before its step was counted, and adds one; the figures that
    are logged every so many steps would fall on other steps than before. Batches: one that was about to be trained on
    when the checkpoint was saved is counted twice; validations after so many batches would come earlier each time. And
    where that batch is followed by a validation, Lightning takes it for one that is over, and counts its batches.
    """

    def __init__(self) -> None:
        self._steps: int | None = None
        self._validated: dict[str, int] = {}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take the number of whole passes for the number done, if more are said to be; remember the steps."""
        loops = checkpoint["loops"]["fit_loop"]
        self._steps = loops["epoch_loop.state_dict"]["_batches_that_stepped"]
        self._validated = dict(loops["epoch_loop.val_loop.batch_progress"]["total"])
        per_pass = getattr(getattr(trainer, "datamodule", None), "iterations_per_pass", None)
        if per_pass is None or checkpoint["global_step"] == trainer.max_steps:  # or: nothing is left to train
            return
        whole = int(checkpoint["global_step"]) // int(per_pass)
        progress = loops["epoch_progress"]
        if progress["current"]["completed"] > whole:
            for counts in (progress["total"], progress["current"]):
                counts.update(dict.fromkeys(counts, whole))

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Put them right before the first step is taken, and no earlier: Lightning tells by them where it stands."""
        if self._steps is not None:
            loop = trainer.fit_loop.epoch_loop
            loop._batches_that_stepped = self._steps
            batches: Any = loop.batch_progress.total
            batches.ready = batches.completed + 1
            loop.val_loop.batch_progress.total.load_state_dict(self._validated)
            self._steps = None
