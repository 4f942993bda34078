"""``genlab train``: from a config to a run folder, or on from where that folder's run stopped.

Whatever can be answered without torch is answered before it is imported.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from genlab.run.artifacts import RunFolder, run_path
from genlab.run.config_values import refuse_values
from genlab.run.outcome import Outcome
from genlab.run.quick_imports import quick_imports
from genlab.run.secrets import refuse_secrets


def main(cfg: DictConfig) -> Outcome:
    """Train, resume, or say that there is nothing left to do.

    Raises ``ValueError`` (and the like) for a config that is refused, before anything is written; ``Failed`` and
    ``Interrupted`` once the run's folder says so too.
    """
    refuse_values(cfg)
    with run_path(cfg) as path:
        folder = RunFolder(path)
        cfg.run_dir = str(path)
        make_absolute(cfg)
        config = plain(cfg)
        refuse_secrets(config)
        if (done := nothing_to_do(folder, cfg, config)) is not None:
            return done
        with quick_imports():
            from genlab.run.fit import fit
        return fit(folder, cfg, config)


def nothing_to_do(folder: RunFolder, cfg: DictConfig, config: Mapping[str, Any]) -> Outcome | None:
    """The outcome of a run that is finished in its folder, and says so; None where there is something to train.

    Raises ``ValueError`` for a folder of another run, and for one that is no run's.
    """
    if not folder.is_a_runs():
        return None
    folder.refuse_other_config(config)
    if (iterations := _finished(cfg, folder)) is None:
        return None
    print(f"{folder.path} is finished ({iterations:,} iterations): nothing to do")
    return Outcome("done", folder.path)


def make_absolute(cfg: DictConfig) -> None:
    """Write the data's places in full: a run is evaluated from any folder."""
    for key in ("root", "text"):
        if isinstance(place := cfg.data.get(key), str) and place:
            cfg.data[key] = os.path.abspath(Path(place).expanduser())


def plain(cfg: DictConfig) -> dict[str, Any]:
    """The resolved config as plain values; ``cfg`` is resolved with it."""
    OmegaConf.resolve(cfg)
    config = OmegaConf.to_container(cfg, throw_on_missing=True)
    assert isinstance(config, dict)
    return {str(key): value for key, value in config.items()}


def _finished(cfg: DictConfig, folder: RunFolder) -> int | None:
    """The iterations of a run that has all of them, or all passes over the data, that are asked for now."""
    status = folder.status()
    if status is None or status["state"] != "done":
        return None
    iterations, limits, before = int(status["iterations"]), cfg.trainer, folder.config()["trainer"]
    ended_by_passes = before["max_steps"] == -1 or iterations < before["max_steps"]
    enough_steps = limits.max_steps != -1 and iterations >= limits.max_steps
    enough_passes = ended_by_passes and -1 != limits.max_epochs <= before["max_epochs"]
    return iterations if enough_steps or enough_passes else None
