"""A study that is only looked at: its runs, their parameters, and how long they would take here."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from genlab.reporting.sections import duration
from genlab.run.fit import make_module, quieten
from genlab.run.identity import identity, read_fast
from genlab.run.study import pending_jobs
from genlab.run.study_plan import Plan, PlannedJob, compose_run, composing, runs_root

THERE = "there, to be measured"
TRIED = 3.0
"""Seconds that a model is trained for where no run like it has been done here."""


class Cost(NamedTuple):
    """What a run takes: parameters, iterations, and seconds for each of those."""

    parameters: int
    iterations: int
    pace: float


def show(plan: Plan) -> None:
    """Print a line for every run, and the sum. Nothing is written; data are read, and each kind of run is tried."""
    pending = {planned.key for planned in pending_jobs(plan, clear=False)}
    known, costs = paces(runs_root()), dict[str, Cost]()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column, justify in (("run", "left"), ("parameters", "right"), ("iterations", "right"), ("training", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("state")
    total = 0.0
    for planned in plan.all_jobs():
        kind = kind_of(planned.config)
        if kind not in costs:
            costs[kind] = cost(planned, known)
        seconds = costs[kind].pace * (iterations := iterations_of(planned.config, costs[kind]))
        state = "done" if planned.key not in pending else THERE if _is_there(planned) else "to do"
        total += seconds if state == "to do" else 0.0
        table.add_row(planned.name, f"{costs[kind].parameters:,}", f"{iterations:,}", duration(seconds), state)
    console = Console(highlight=False)
    console.print(table)
    console.print(
        f"{len(pending)} of {len(plan.all_jobs())} runs to do: about {duration(total)} of training, one at a time"
    )


def kind_of(config: dict[str, Any]) -> str:
    """What tells runs apart that take different times: all of a config but seeds, limits and learning rates."""
    same = {"seed": 0, "optimizer": {}, "trainer": {"precision": config["trainer"]["precision"]}}
    data = {key: value for key, value in config["data"].items() if key not in ("seed", "split_seed")}
    model = {key: value for key, value in config["model"].items() if key != "init"}
    return identity({**same, "data": data, "model": model})


def paces(root: Path) -> dict[str, float]:
    """Seconds an iteration of every kind of run that was finished below ``root``; of several the quickest."""
    found: dict[str, float] = {}
    for file in sorted(root.rglob("status.json")):
        try:
            status, config = OmegaConf.load(file), read_fast(file.parent / "config.yaml")
            pace = float(status.seconds) / int(status.iterations)
            kind = kind_of(config)
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError, AttributeError):
            continue
        if status.state == "done":
            found[kind] = min(found.get(kind, math.inf), pace)
    return found


def cost(planned: PlannedJob, known: dict[str, float]) -> Cost:
    """What ``planned`` takes; where nothing like it is ``known``, it is trained for a moment."""
    quieten()
    pl.seed_everything(0, verbose=False)
    cfg = OmegaConf.create(planned.config)
    data = instantiate(cfg.data)
    module = make_module(cfg, data, _untrained_reader(cfg, data))
    parameters = sum(parameter.numel() for parameter in module.parameters())
    kind = kind_of(planned.config)
    return Cost(parameters, int(data.iterations_per_pass), known.get(kind) or _tried(module, data))


def _untrained_reader(cfg: DictConfig, data: Any) -> torch.nn.Module | None:
    """What takes as long as the reader that a model wants, which may not be there yet; None where it wants none."""
    if cfg.model.get("reader") is None:
        return None
    with composing():
        judge = compose_run(["experiment=classifier_lenet"])
    reader = make_module(judge, data).net
    assert isinstance(reader, torch.nn.Module)
    return reader


def iterations_of(config: dict[str, Any], cost: Cost) -> int:
    """Iterations of a run: what its trainer's limits come to."""
    trainer = config["trainer"]
    limits = [trainer["max_steps"]] if trainer["max_steps"] != -1 else []
    return int(min([*limits, *([trainer["max_epochs"] * cost.iterations] if trainer["max_epochs"] != -1 else [])]))


def _tried(module: pl.LightningModule, data: pl.LightningDataModule) -> float:
    watch = _Watch()
    trainer = pl.Trainer(
        logger=False,
        callbacks=[watch],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        max_epochs=-1,
        accelerator="cpu",
    )
    trainer.fit(module, data)
    return watch.pace()


def _is_there(planned: PlannedJob) -> bool:
    status = planned.folder / "status.json"
    return status.is_file() and bool(OmegaConf.load(status).state == "done")


class _Watch(pl.Callback):
    """Times iterations from the second training step on, for the first one compiles and allocates."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        self._last = (time.monotonic(), trainer.global_step)
        if self._first is None:
            self._first = self._last
        elif self._last[0] - self._first[0] > TRIED:
            trainer.should_stop = True

    def pace(self) -> float:
        assert self._first is not None
        return (self._last[0] - self._first[0]) / max(1, self._last[1] - self._first[1])
