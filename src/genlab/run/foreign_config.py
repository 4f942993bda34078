"""The config of a run's folder that somebody else may have written: it may make genlab's own objects and no others."""

import re
from collections.abc import Iterator
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from genlab.checks import refuse

MADE = ("model", "data", "optimizer", "evaluators")
"""The parts of a run's config that are made into objects when the run is read."""
_NO_ROOMS = ("baselines", "benchmarks", "datasets", "evaluation", "reporting", "run", "studies", "torture")
"""Packages of genlab that hold no model: what a run's model and data are made of lies in a room of its own."""


def refuse_foreign(config: DictConfig, argument: str, folder: str) -> None:
    """Raise ``ValueError`` for a config that would call anything but a model's classes, measures or an optimiser.

    The model and the data are of one room, and the names of measures are names: files are called by them. A config
    that is written with a run is resolved: one that refers to the environment, or to another field, is not a run's
    either. ``argument`` is the config path of the ``folder``, for messages.
    """
    for part in ("model", "data", "optimizer"):
        node = config.get(part)
        if not isinstance(node, DictConfig) or not isinstance(node.get("_target_"), str):
            raise _refused(argument, folder, f"have a config.yaml with {part}._target_")
    room = _room(str(config.model._target_))
    homes = {"model": room, "data": room, "optimizer": "torch.optim.", "evaluators": "genlab.evaluation."}
    for part in MADE:
        for path, value in _leaves(OmegaConf.to_container(config.get(part) or OmegaConf.create({})), part):
            if isinstance(value, str) and "${" in value:
                raise _refused(argument, folder, f"hold no reference in its config.yaml; {path} is one")
            if path.endswith("._target_") and not _is_of(value, homes[part]):
                raise _refused(argument, folder, f"name classes of genlab alone in its config.yaml; {path} is another")
    for name in config.get("evaluators") or ():
        if not re.fullmatch(r"\w+", str(name)):
            raise _refused(argument, folder, f"call measures by names alone in its config.yaml; {name!r} is none")


def _refused(argument: str, folder: str, rule: str) -> ValueError:
    return refuse(argument.rpartition(".")[2], rule, folder, argument)


def _room(target: str) -> str:
    """The package of genlab that a model's class lies in, with a dot at its end; a name of nothing for another."""
    found = re.match(r"genlab\.(\w+)\.", target)
    return found[0] if found and found[1] not in _NO_ROOMS else "."


def _is_of(target: Any, home: str) -> bool:
    """Whether this is the name of a class that is at home there: a module's imports are not, nor are functions."""
    if not isinstance(target, str) or not target.startswith(home):
        return False
    try:
        found = get_class(target)
    except Exception:  # Hydra raises several kinds for what is not there, and for what is no class
        return False
    return f"{found.__module__}.".startswith(home)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}")
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from _leaves(below, f"{path}[{number}]")
    else:
        yield path, value
