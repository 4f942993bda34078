"""A last validation when training ends, so that the final weights have a held-out figure of their own."""

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class ValidateAtEnd(Callback):
    """Lightning validates before it stops early: this tells it that the last step is such a stop."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Ask for the stop that would come anyway."""
        last_pass = trainer.max_epochs is not None and trainer.current_epoch == trainer.max_epochs - 1
        if trainer.global_step == trainer.max_steps or (last_pass and trainer.is_last_batch):
            trainer.should_stop = True
