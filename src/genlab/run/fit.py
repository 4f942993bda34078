"""Training itself: the Trainer around a datamodule and a module, and a run folder that is true whatever happens."""

import logging
import shlex
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf

from genlab.checks import one_of, refuse
from genlab.reporting.sheets import noting
from genlab.run.allocator import keep_freed_memory
from genlab.run.artifacts import RunFolder
from genlab.run.bfloat16 import lacks_bfloat16, products_in_float32
from genlab.run.command_line import quoted, typed_words
from genlab.run.config_values import optimizers
from genlab.run.interrupt import StopOnSignal
from genlab.run.judge import LoadedJudge, load_reader, said_of
from genlab.run.last_checkpoint import LastCheckpoint, save_checkpoint
from genlab.run.loggers import make_loggers, open_loggers
from genlab.run.outcome import Failed, Interrupted, Outcome, Stop, say
from genlab.run.provenance import provenance
from genlab.run.several_processes import (
    Followers,
    Place,
    RunningStatistics,
    first_place,
    is_lost,
    leave_signals_alone,
    meeting,
    together,
)
from genlab.run.train import nothing_to_do
from genlab.run.whole_checkpoints import WholeCheckpoints

EMULATED = (
    "torch has no fast products of bfloat16 for this processor: its numbers are multiplied in float32, which saves no "
    "time (trainer.precision=32-true does without them)"
)


def fit(folder: RunFolder, cfg: DictConfig, config: Mapping[str, Any]) -> Outcome:
    """Train in ``folder``; ``config`` is ``cfg`` resolved, as plain values.

    What lies in the folder counts as it is once nobody else may train there: another command may have been at it until
    then.

    Raises ``ValueError`` for what is refused before anything is written; ``Failed`` and ``Interrupted`` once the
    run's folder says so too.
    """
    memory = _begin(cfg)
    stop, place = StopOnSignal(folder.last_checkpoint), first_place(cfg.trainer.devices)
    followers = None if place is None else Followers(folder.path, place)
    made = _make(cfg, stop, place, followers)
    if warning := str(made.data.provenance().get("warning") or ""):
        say(f"warning: {warning}")
    if made.emulates:
        say(f"note: {EMULATED}")
    with folder.locked(), noting(warning):
        if (done := nothing_to_do(folder, cfg, config)) is not None:
            return done
        checkpoint = None
        if folder.is_a_runs():
            folder.refuse_other_data(made.data.provenance())
            folder.refuse_other_reader(None if made.reader is None else made.reader.sha256)
            checkpoint = folder.last_checkpoint if folder.last_checkpoint.is_file() else None
        start = _first_iteration(checkpoint)
        with stop.listening(), meeting(place, followers):
            process = {"freed_memory": memory, "bfloat16": _bfloat16(cfg, made)}
            folder.create(config, {**provenance(cfg.seed, made.data.provenance(), process), **said_of(made.reader)})
            return _run(folder, made, stop, config, checkpoint, start)


def follow(folder: RunFolder, cfg: DictConfig, place: Place, say_ready: Callable[[], object]) -> None:
    """Train the run in ``folder`` with its first process, which has just made or taken up that folder.

    ``say_ready`` is called when nothing is left that could be refused. Ends without an error where all are stopped.
    """
    _begin(cfg)
    made = _make(cfg, StopOnSignal(folder.last_checkpoint), place, None)
    checkpoint = folder.last_checkpoint if folder.last_checkpoint.is_file() else None
    pl.seed_everything(place.seed(cfg.seed), verbose=False)
    with meeting(place):
        say_ready()
        try:
            _train(made, checkpoint)
            save_checkpoint(made.trainer, folder.last_checkpoint)
        except Stop:
            return


class _Made(NamedTuple):
    """All that a process trains with."""

    data: Any
    reader: LoadedJudge | None
    module: pl.LightningModule
    trainer: pl.Trainer
    emulates: bool  # bfloat16, which the processor lacks


def _begin(cfg: DictConfig) -> str:
    """Settle what is a process's own; says what becomes of its freed memory."""
    quieten()
    memory = "kept" if cfg.keep_memory and keep_freed_memory() else "left to the C library"
    pl.seed_everything(cfg.seed, verbose=False)
    return memory


def _make(cfg: DictConfig, stop: StopOnSignal, place: Place | None, followers: Followers | None) -> _Made:
    """Make everything in the order in which random numbers are drawn; raises ``ValueError`` for what is refused."""
    data = instantiate(cfg.data, **({} if place is None else {"processes": place.count}))
    reader = load_reader(cfg.model.get("reader"), str(data.provenance()["sha256"]))
    module = make_module(cfg, data, None if reader is None else reader.module.net)
    if (precisions := getattr(module, "precisions", None)) is not None:
        one_of("precision", cfg.trainer.precision, precisions, "trainer.precision")
    if place is not None and (refuse_several := getattr(module, "refuse_several_processes", None)) is not None:
        refuse_several()
    _refuse_unseen(cfg, module)
    trainer = _trainer(cfg, stop, place, followers)
    # Lightning does so too, but after it has read a checkpoint into the module: one of double precision was rounded.
    module = trainer.precision_plugin.convert_module(module)  # type: ignore[assignment]
    emulates = cfg.emulate_bfloat16 and lacks_bfloat16(trainer.precision, trainer.strategy.root_device)
    return _Made(data, reader, module, trainer, emulates)


def _bfloat16(cfg: DictConfig, made: _Made) -> str | None:
    """How products of bfloat16 are made; None where there are none."""
    if not str(cfg.trainer.precision).startswith("bf16"):
        return None
    return "multiplied in float32" if made.emulates else "multiplied by torch"


def _train(made: _Made, checkpoint: Path | None) -> None:
    with products_in_float32(made.emulates):
        made.trainer.fit(made.module, made.data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)


def _refuse_unseen(cfg: DictConfig, module: pl.LightningModule) -> None:
    """Raise ``ValueError`` for what only training would find out about this model."""
    if (logged := getattr(module, "monitors", None)) is not None:
        for path in ("monitor", "callbacks.best.monitor"):
            if (wanted := OmegaConf.select(cfg, path)) is not None:
                one_of("monitor", wanted, logged, path)
    if not module.automatic_optimization and cfg.trainer.get("gradient_clip_val") is not None:
        rule = "be left out for this model, which makes its updates itself"
        raise refuse("gradient_clip_val", rule, cfg.trainer.gradient_clip_val, "trainer.gradient_clip_val")


def make_module(cfg: DictConfig, data: Any, reader: torch.nn.Module | None = None) -> pl.LightningModule:
    """The module, handed the datamodule's facts, the optimiser and, if it wants one, the frozen classifier.

    Raises ``ValueError`` where it wants one and there is none.
    """
    _try_optimizers(cfg)
    handed_in = {} if "reader" not in cfg.model else {"reader": reader}
    module: pl.LightningModule = instantiate(
        cfg.model, optimizer=instantiate(cfg.optimizer), **handed_in, **data.facts()
    )
    if getattr(module, "needs_reader", False) and reader is None:
        how = "train one with `genlab train experiment=classifier_lenet`"
        raise refuse("reader", "be a classifier's run", None, f"model.reader; {how}")
    return module


def _try_optimizers(cfg: DictConfig) -> None:
    """Make each optimiser once, over nothing that matters; raises ``ValueError`` with the path of one that refuses."""
    for path, node in optimizers(cfg):
        make = instantiate(node)
        try:
            make([torch.nn.Parameter(torch.zeros(1))])
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"`{path}` must be what {node['_target_']} takes; it says: {error} ({path})") from error


def _trainer(cfg: DictConfig, stop: StopOnSignal, place: Place | None, followers: Followers | None) -> pl.Trainer:
    callbacks = _callbacks(cfg, place)
    loggers = make_loggers(cfg) if place is None or place.number == 0 else False
    options = {key: value for key, value in cfg.trainer.items() if not str(key).startswith("_")}
    try:
        trainer: pl.Trainer = instantiate(
            cfg.trainer,
            callbacks=[*callbacks, stop],
            logger=loggers,
            plugins=[WholeCheckpoints()],
            **together(place, followers),
        )
    except Exception as error:
        cause = error.__cause__ or error
        if not isinstance(cause, (MisconfigurationException, ImportError, ValueError, RuntimeError)):
            raise
        shown = ", ".join(f"{key}={options[key]}" for key in ("accelerator", "devices", "precision"))
        raise ValueError(f"`trainer` must be what this machine can do; {shown}: {_flat(cause)} (trainer)") from error
    if trainer.precision != cfg.trainer.precision:  # Lightning has taken another one, with a warning
        rule = f"be one that this machine has; here it would be {trainer.precision}"
        raise refuse("precision", rule, cfg.trainer.precision, "trainer.precision")
    if place is not None:
        leave_signals_alone(trainer)
    return trainer


def _callbacks(cfg: DictConfig, place: Place | None) -> list[pl.Callback]:
    """The config's callbacks; a process that is not the first leaves out those that look and change nothing."""
    made: list[pl.Callback] = [instantiate(callback) for callback in cfg.callbacks.values()]
    if place is None:
        return made
    taken = [each for each in made if place.number == 0 or not getattr(each, "only_looks", False)]
    return [RunningStatistics(), *taken]


def _first_iteration(checkpoint: Path | None) -> int:
    """The iteration that training goes on from; raises ``ValueError`` for a checkpoint that cannot be read."""
    if checkpoint is None:
        return 0
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except Exception as error:  # torch raises many kinds for a damaged file
        rule = "be of a run with a whole last.ckpt (delete it to start anew)"
        raise refuse("run_dir", rule, str(checkpoint), "run_dir") from error


def _run(
    folder: RunFolder,
    made: _Made,
    stop: StopOnSignal,
    config: Mapping[str, Any],
    checkpoint: Path | None,
    start: int,
) -> Outcome:
    """Train with the folder's status kept true whatever happens."""
    trainer = made.trainer
    try:
        folder.write_status("running", start, {})
        print(f"{f'going on from iteration {start:,}' if checkpoint else 'training'} in {folder.path}", flush=True)
        with open_loggers(trainer.loggers, config, start):
            _train(made, checkpoint)
            save_checkpoint(trainer, folder.last_checkpoint)
        _draw_curves(folder)  # before the run is called done: one that is killed here draws them when it goes on
        stop.ended = True
    except (KeyboardInterrupt, Stop):
        stop.ended = True
        return _end(folder, trainer, "interrupted", "stopped by the user", start)
    except Exception as error:
        stop.ended = True
        return _end(folder, trainer, "failed", _reason(error, trainer, config), start, error)
    return _end(folder, trainer, "done", "", start)


def _reason(error: Exception, trainer: pl.Trainer, config: Mapping[str, Any]) -> str:
    """Why a run failed, in one line."""
    followers = trainer.strategy.launcher
    if is_lost(error) and isinstance(followers, Followers) and (lost := followers.lost()) is not None:
        return lost
    if isinstance(error, MisconfigurationException) and "could not find the monitored key" in str(error):
        logged = sorted(trainer.callback_metrics.keys() - {"step", "epoch"})  # of a model that does not say its own
        return str(
            refuse("monitor", f"be logged by the model: one of {', '.join(logged)}", config["monitor"], "monitor")
        )
    notes = list(getattr(error, "__notes__", ()))
    if trainer.state.fn is None:  # it was not asked to train yet
        notes.append("a logger could not begin; logger=csv does without it")
    return f"{type(error).__name__}: {'; '.join([_flat(error), *notes])}"


def _end(
    folder: RunFolder, trainer: pl.Trainer, state: str, reason: str, start: int, error: Exception | None = None
) -> Outcome:
    iterations = max(start, trainer.global_step)  # of a run that was stopped before its checkpoint was read
    finite = {name: value for name, value in _figures(trainer).items() if abs(value) < float("inf")}
    try:
        folder.write_status(state, iterations, finite, reason)
    except OSError as unwritten:  # a full disk, above all: what was the matter first is said first
        reasons = [reason, f"its end cannot be noted: {_flat(unwritten)}"]
        state, reason, error = "failed", "; ".join(filter(None, reasons)), error or unwritten
    count = f"{iterations:,} iterations"
    if state == "failed":
        raise Failed(f"failed after {count}: {reason} ({folder.path})") from error
    if state == "interrupted":
        raise Interrupted(f"interrupted after {count}; to go on: {_command_to_go_on(folder)}")
    print(f"done: {count}; genlab evaluate run={shlex.quote(str(folder.path))}")
    return Outcome("done", folder.path)


def _figures(trainer: pl.Trainer) -> dict[str, float]:
    """The newest value of everything that was logged; where a callback knows those of earlier sessions, these too."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, LastCheckpoint):
            return callback.newest(trainer)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def _command_to_go_on(folder: RunFolder) -> str:
    """The command of this run, for a shell: a sweep's with its folder, a single run's with its own."""
    words = typed_words()
    if HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN:
        key, place = "hydra.sweep.dir", str(HydraConfig.get().sweep.dir)
    else:
        key, place = "run_dir", str(folder.path)
    if not any(word.lstrip("+").startswith(f"{key}=") for word in words):
        words = [*words, f"{key}={quoted(place) if key.startswith('hydra') else place}"]
    return shlex.join(["genlab", "train", *words])


def _draw_curves(folder: RunFolder) -> None:
    from genlab.reporting.curves import draw_curves
    from genlab.reporting.runs import read_run

    draw_curves(read_run(folder.path), folder.path / "figures")


def _flat(error: object) -> str:
    return " ".join(str(error).split())


def quieten() -> None:
    """Keep Lightning's notices about hardware and other products, and warnings that do not apply, off the screen."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*tensorboardX.*",
        ".*AMP with fp16 is not supported on CPU.*",
        ".*treespec, LeafSpec.*",
        ".*resuming from a checkpoint that ended before the epoch ended.*",
        ".*sync_dist=True.*",  # what is logged is of all processes already
        ".*callbacks used to create the checkpoint need to be provided.*",  # what is looked at may change
    ):
        warnings.filterwarnings("ignore", message)
