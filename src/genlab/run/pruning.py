"""Ends a trial of a search that is not worth going on with: the pruner hears what is monitored at every validation."""

import math

import optuna
from pytorch_lightning import Callback, LightningModule, Trainer

from genlab.processes import any_says, process_number

PRUNED = "pruned"
"""The attribute of a trial that says it was ended early."""


class Pruning(Callback):
    """Reports ``monitor`` to trial ``number`` of ``study`` in ``storage``, and stops training where its pruner says so.

    ``sign`` is -1 where the search goes the other way than ``monitor``: the pruner knows the search's direction alone.
    """

    def __init__(self, storage: str, study: str, number: int, monitor: str, sign: int = 1) -> None:
        self.monitor, self.sign = monitor, sign
        loaded = optuna.load_study(study_name=study, storage=storage)
        self._trial = optuna.trial.Trial(loaded, loaded.trials[number]._trial_id)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, and ask."""
        hopeless = process_number() == 0 and self._is_hopeless(trainer)
        if any_says(hopeless):
            trainer.should_stop = True

    def _is_hopeless(self, trainer: Trainer) -> bool:
        value = float(trainer.callback_metrics.get(self.monitor, math.nan))
        if not math.isfinite(value):
            return False
        self._trial.report(self.sign * value, trainer.global_step)
        if hopeless := self._trial.should_prune():
            self._trial.set_user_attr(PRUNED, trainer.global_step)
        return hopeless
