"""The values that are checked before anything heavy is imported: the seed, the optimiser's and the trainer's options.

A model, its data and its callbacks check their own when they are made; what is here belongs to torch and Lightning,
whose own messages do not say where in the config a value stands.
"""

import math
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig

from genlab.checks import at_least, in_range, one_of, positive, refuse

PRECISIONS = ("32-true", "64-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true")
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
STRATEGIES = ("auto", "ddp")
TEXTS = ("path", "dirpath", "filename", "save_dir", "project")
"""What callbacks and loggers take as a name or a place."""
PARTS_OF_PATHS = ("filename", "name", "version", "sub_dir")
"""Of these, what is joined to the run's folder, and must not lead out of it."""
UNCOUNTED = (
    "accumulate_grad_batches",
    "barebones",
    "fast_dev_run",
    "limit_train_batches",
    "max_time",
    "min_epochs",
    "min_steps",
    "overfit_batches",
    "reload_dataloaders_every_n_epochs",
)
"""What makes Lightning train on other batches, or end elsewhere, than a run's iterations and passes say."""
MONITORING = ("BestCheckpoint", "ModelCheckpoint", "EarlyStopping")
"""The classes that look at a monitored value."""
LARGEST_SEED = 2**32 - 1


def refuse_values(cfg: DictConfig) -> None:
    """Raise ``ValueError`` (one line, with the config path) for a value out of range or of the wrong type."""
    refuse_name(cfg.name)
    if at_least("seed", cfg.seed, 0, "seed") > LARGEST_SEED:
        raise refuse("seed", f"be at most {LARGEST_SEED}", cfg.seed, "seed")
    for name in ("keep_memory", "emulate_bfloat16"):
        if not isinstance(cfg[name], bool):
            raise refuse(name, "be true or false", cfg[name], name)
    if not isinstance(cfg.data.get("root", ""), str):
        raise refuse("root", "be a text", cfg.data.root, "data.root")
    _check_targets(cfg)
    _check_texts(cfg.callbacks, "callbacks.")
    _check_callbacks(cfg.callbacks)
    _check_texts(cfg.logger, "logger.")
    _check_trainer(cfg.trainer)
    for path, node in optimizers(cfg):
        _check_optimizer(path, node)


def refuse_name(name: Any) -> None:
    """Raise ``ValueError`` for a name that would lead out of the folder of runs, or that is none for a folder."""
    if not re.fullmatch(r"[\w+=,-][\w.+=,-]*", str(name)):
        raise refuse("name", "be a folder's name: letters, digits and . _ + = , -", name, "name")


def _check_targets(node: DictConfig, above: str = "") -> None:
    """Hydra's own message for a ``_target_`` that is no name does not say where it stands."""
    for key in map(str, node):
        below = node._get_node(key)
        if key == "_target_" and not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", str(node[key])):
            raise refuse(key, "be the dotted name of a class", node[key], f"{above}{key}")
        if key in ("_partial_", "_recursive_") and not isinstance(node[key], bool):
            raise refuse(key, "be true or false", node[key], f"{above}{key}")
        if isinstance(below, DictConfig) and not below._is_none():
            _check_targets(below, f"{above}{key}.")


def _check_texts(node: DictConfig, above: str) -> None:
    """Names and places, which Lightning finds to be no texts when it writes to them."""
    for key in map(str, node):
        below = node._get_node(key)
        if isinstance(below, DictConfig) and key not in TEXTS and not below._is_none():
            _check_texts(below, f"{above}{key}.")
        if key in TEXTS and node[key] is not None and not isinstance(node[key], str):
            raise refuse(key, "be a text", node[key], f"{above}{key}")
        if key in PARTS_OF_PATHS and _leads_out(str(node[key])):
            raise refuse(key, "stay below the run's folder", node[key], f"{above}{key}")


def _check_callbacks(callbacks: DictConfig) -> None:
    """What those take that look at a monitored value, whose messages name no path and come when training begins."""
    for name in map(str, callbacks):
        callback, path = callbacks[name], f"callbacks.{name}"
        if not isinstance(callback, DictConfig | None):
            raise refuse(name, "be a callback's settings, or null", callback, path)
        if callback is None or not str(callback.get("_target_")).endswith(MONITORING):
            continue
        if "mode" in callback:
            one_of("mode", callback.mode, ("min", "max"), f"{path}.mode")
        if "save_top_k" in callback:
            at_least("save_top_k", callback.save_top_k, -1, f"{path}.save_top_k")


def _leads_out(part: str) -> bool:
    """Whether what is joined to a folder may end up outside of it."""
    return ".." in re.split(r"[/\\]", part) or bool(re.match(r"[/\\]|[A-Za-z]:", part))


def optimizers(node: DictConfig, above: str = "") -> Iterator[tuple[str, DictConfig]]:
    """Every part of the config that is made into one of torch's optimisers, with its path."""
    for key in map(str, node):
        below = node._get_node(key)
        if isinstance(below, DictConfig) and not below._is_none():
            if str(below.get("_target_", "")).startswith("torch.optim."):
                yield above + key, below
            else:
                yield from optimizers(below, f"{above}{key}.")


def _check_trainer(trainer: DictConfig) -> None:
    for name in ("max_steps", "max_epochs"):
        if trainer[name] != -1:
            at_least(name, trainer[name], 1, f"trainer.{name}")
    if trainer.max_steps == -1 and trainer.max_epochs == -1:
        raise refuse("max_steps", "be an integer >= 1 where trainer.max_epochs is -1", -1, "trainer.max_steps")
    for name in UNCOUNTED:
        if trainer.get(name) is not None:
            rule = "be left out: places in the data, passes and the run's end go by trainer.max_steps and max_epochs"
            raise refuse(name, rule, trainer[name], f"trainer.{name}")
    at_least("log_every_n_steps", trainer.log_every_n_steps, 1, "trainer.log_every_n_steps")
    _check_validation(trainer)
    if not isinstance(trainer.default_root_dir, str | None):
        raise refuse("default_root_dir", "be a text", trainer.default_root_dir, "trainer.default_root_dir")
    for name in ("enable_progress_bar", "enable_model_summary"):
        if not isinstance(trainer[name], bool):
            raise refuse(name, "be true or false", trainer[name], f"trainer.{name}")
    at_least("num_sanity_val_steps", trainer.num_sanity_val_steps, -1, "trainer.num_sanity_val_steps")
    one_of("precision", trainer.precision, PRECISIONS, "trainer.precision")
    one_of("accelerator", trainer.accelerator, ACCELERATORS, "trainer.accelerator")
    _check_processes(trainer)


def _check_processes(trainer: DictConfig) -> None:
    """How many processes train together, each on a device of its own."""
    at_least("devices", trainer.devices, 1, "trainer.devices")
    one_of("strategy", trainer.strategy, STRATEGIES, "trainer.strategy")
    if trainer.devices > 1 and "TORCHELASTIC_RUN_ID" in os.environ:
        rule = "be 1 under torchrun: genlab starts its processes itself, so call it without"
        raise refuse("devices", rule, trainer.devices, "trainer.devices")
    if trainer.get("num_nodes", 1) != 1:
        raise refuse("num_nodes", "be 1: a run trains on one machine", trainer.num_nodes, "trainer.num_nodes")


def _check_validation(trainer: DictConfig) -> None:
    """Steps between validations, or 1.0 for one after each pass over the data."""
    interval = trainer.val_check_interval
    by_passes = isinstance(interval, float) and interval == 1.0
    if by_passes or trainer.check_val_every_n_epoch is not None:
        at_least("check_val_every_n_epoch", trainer.check_val_every_n_epoch, 1, "trainer.check_val_every_n_epoch")
    if not by_passes:
        at_least("val_check_interval", interval, 1, "trainer.val_check_interval")


def _check_optimizer(path: str, node: DictConfig) -> None:
    for name, check in OPTIMIZER_OPTIONS.items():
        if name in node:
            check(name, node[name], f"{path}.{name}")


def _not_negative(name: str, value: Any, path: str) -> None:
    in_range(name, value, 0, math.inf, path)


def _share(name: str, value: Any, path: str) -> None:
    in_range(name, value, 0, 1, path, high_open=True)


def _shares(name: str, value: Any, path: str) -> None:
    if not isinstance(value, ListConfig) or len(value) != 2:
        raise refuse(name, "be two numbers in [0, 1)", value, path)
    for index, share in enumerate(value):
        _share(name, share, f"{path}[{index}]")


OPTIMIZER_OPTIONS: dict[str, Callable[[str, Any, str], object]] = {
    "lr": positive,
    "eps": _not_negative,
    "weight_decay": _not_negative,
    "lr_decay": _not_negative,
    "momentum": _share,
    "alpha": _share,
    "betas": _shares,
}
