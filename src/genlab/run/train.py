"""``genlab train``: from a config to a run folder, or on from where that folder's run stopped."""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from genlab.run.artifacts import RunFolder, run_path
from genlab.run.interrupt import StopOnSignal
from genlab.run.last_checkpoint import save_checkpoint
from genlab.run.metrics_csv import MetricsCsv
from genlab.run.outcome import Failed, Interrupted, Outcome
from genlab.run.provenance import provenance


def main(cfg: DictConfig) -> Outcome:
    """Train, resume, or say that there is nothing left to do.

    Raises ``ValueError`` (and the like) for a config that is refused, before anything is written; ``Failed`` and
    ``Interrupted`` once the run's folder says so too.
    """
    folder = RunFolder(run_path(cfg))
    OmegaConf.resolve(cfg)
    cfg.run_dir = str(folder.path)
    status = folder.status()
    config = _plain(cfg)
    if status is None:
        folder.refuse_foreign()
    else:
        folder.refuse_other_config(config)
        if status["state"] == "done" and _reached(cfg, status):
            print(f"{folder.path} is finished ({status['iterations']:,} iterations): nothing to do")
            return Outcome("done", folder.path)
    _quieten()
    pl.seed_everything(cfg.seed, verbose=False)
    data, module = build(cfg)
    trainer, stop = _trainer(cfg)
    folder.create(config, provenance(cfg.seed, data.provenance()))
    checkpoint = folder.last_checkpoint if status is not None and folder.last_checkpoint.is_file() else None
    return _fit(folder, trainer, stop, module, data, checkpoint)


def build(cfg: DictConfig) -> tuple[Any, pl.LightningModule]:
    """The datamodule, and the module that is handed the datamodule's facts and the optimiser."""
    data = instantiate(cfg.data)
    return data, instantiate(cfg.model, optimizer=instantiate(cfg.optimizer), **data.facts())


def _plain(cfg: DictConfig) -> dict[str, Any]:
    """The resolved config as plain values."""
    config = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def _reached(cfg: DictConfig, status: dict[str, Any]) -> bool:
    """Whether a finished run has all the iterations that are asked for now."""
    return bool(cfg.trainer.max_steps < 0 or status["iterations"] >= cfg.trainer.max_steps)


def _trainer(cfg: DictConfig) -> tuple[pl.Trainer, StopOnSignal]:
    stop = StopOnSignal()
    callbacks = [instantiate(callback) for callback in cfg.callbacks.values()]
    loggers: list[Logger] = [instantiate(logger) for logger in cfg.logger.values()]
    trainer: pl.Trainer = instantiate(cfg.trainer, callbacks=[*callbacks, stop], logger=loggers)
    return trainer, stop


def _fit(
    folder: RunFolder,
    trainer: pl.Trainer,
    stop: StopOnSignal,
    module: pl.LightningModule,
    data: pl.LightningDataModule,
    checkpoint: Path | None,
) -> Outcome:
    """Train with the folder's status kept true whatever happens."""
    start = _resume_logs(trainer, checkpoint)
    print(f"{'going on from iteration ' + format(start, ',') if checkpoint else 'training'} in {folder.path}")
    folder.write_status("running", start, {})
    try:
        with stop.listening():
            trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
        save_checkpoint(trainer, folder.last_checkpoint)
    except KeyboardInterrupt:
        return _end(folder, trainer, "interrupted", "stopped at once by the user")
    except Exception as error:
        return _end(folder, trainer, "failed", f"{type(error).__name__}: {' '.join(str(error).split())}", error)
    finally:
        for logger in trainer.loggers:
            logger.finalize("success")
    return _end(folder, trainer, "interrupted" if stop.stopped else "done", "")


def _resume_logs(trainer: pl.Trainer, checkpoint: Path | None) -> int:
    """Cut ``metrics.csv`` back to the checkpoint; returns the iteration that training goes on from."""
    if checkpoint is None:
        return 0
    start = int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    for logger in trainer.loggers:
        if isinstance(logger, MetricsCsv):
            logger.resume(start)
    return start


def _end(folder: RunFolder, trainer: pl.Trainer, state: str, reason: str, error: Exception | None = None) -> Outcome:
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    finite = {name: value for name, value in metrics.items() if abs(value) < float("inf")}
    folder.write_status(state, trainer.global_step, finite, reason)
    again = f"genlab train {' '.join(sys.argv[1:])}"
    if state == "failed":
        raise Failed(f"failed after {trainer.global_step:,} iterations: {reason} ({folder.path})") from error
    if state == "interrupted":
        goes_on = again if "run_dir=" in again else f"{again} run_dir={folder.path}"
        raise Interrupted(f"interrupted after {trainer.global_step:,} iterations; to go on: {goes_on}")
    print(f"done: {trainer.global_step:,} iterations; genlab evaluate run={folder.path}")
    return Outcome("done", folder.path)


def _quieten() -> None:
    """Keep Lightning's notices about hardware and other products, and warnings that do not apply, off the screen."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*tensorboardX.*",
        ".*treespec, LeafSpec.*",
        ".*resuming from a checkpoint that ended before the epoch ended.*",
    ):
        warnings.filterwarnings("ignore", message)
