"""A run's folder: which it is, whether a run may start or go on in it, and the files that say how it went."""

import json
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from genlab.checks import refuse

# A run goes on under another value of these: they say how far or where it runs, not what it is.
MAY_CHANGE = ("run_dir", "trainer.max_steps", "trainer.max_epochs", "data.root", "data.download")


class RunFolder:
    """The folder of one run, made when training is about to start, so that a refused config leaves nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last_checkpoint = path / "checkpoints" / "last.ckpt"
        self._started = time.monotonic()

    def status(self) -> dict[str, Any] | None:
        """What ``status.json`` says, or None where there is none."""
        file = self.path / "status.json"
        if not file.is_file():
            return None
        status: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return status

    def refuse_foreign(self) -> None:
        """Raise ``ValueError`` for a folder that holds files and is no run's."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise refuse("run_dir", "be new, empty or a run's folder", str(self.path), "run_dir")

    def refuse_other_config(self, config: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` naming the first field in which the folder's run differs from ``config``."""
        before: Any = OmegaConf.to_container(OmegaConf.load(self.path / "config.yaml"))
        old, new = _flatten(before), _flatten(config)
        for key in sorted(old.keys() | new.keys()):
            bookkeeping = key in MAY_CHANGE or key.split(".")[0] in ("logger", "callbacks", "evaluators")
            if not bookkeeping and _moved(old, before).get(key) != _moved(new, config).get(key):
                raise ValueError(
                    f"`run_dir` must be new or hold the same run; {self.path} has {key}={old.get(key)}, "
                    f"not {new.get(key)} (run_dir)"
                )

    def create(self, config: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        """Make the folder with its ``config.yaml`` and ``provenance.json``."""
        for name in ("checkpoints", "samples", "figures", "evaluation"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        write_text(self.path / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dict(config))))
        write_json(self.path / "provenance.json", provenance)

    def write_status(self, state: str, iterations: int, metrics: Mapping[str, float], reason: str = "") -> None:
        """Write ``status.json``; seconds add up over the sessions of a run that was resumed."""
        before = self.status() or {}
        if state == "running":
            self._earlier = float(before.get("seconds", 0.0))
            self._first = before.get("started", _now())
        status = {
            "state": state,
            "reason": reason,
            "started": self._first,
            "ended": None if state == "running" else _now(),
            "seconds": round(self._earlier + time.monotonic() - self._started, 3),
            "iterations": iterations,
            "metrics": {name: value for name, value in sorted(metrics.items()) if name not in ("step", "epoch")},
        }
        write_json(self.path / "status.json", status)


def run_path(cfg: DictConfig) -> Path:
    """The folder that a run goes to: ``run_dir``, or a new one by overrides (in a sweep) or time."""
    if cfg.run_dir is not None:
        return Path(str(cfg.run_dir)).expanduser()
    hydra = HydraConfig.get()
    if hydra.mode == RunMode.MULTIRUN:
        return Path(hydra.sweep.dir) / _file_name(hydra.job.override_dirname or str(hydra.job.num))
    parent = Path(os.environ.get("GENLAB_RUNS") or "runs") / str(cfg.name)
    return _unused(parent, datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that any reader takes (no NaN), whole or not at all."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, default=str) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write a file whole or not at all: beside it first, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _unused(parent: Path, name: str) -> Path:
    """``parent/name``, made now so that two runs of one second cannot both take it."""
    for number in range(1000):
        path = parent / (name if number == 0 else f"{name}-{number}")
        if not path.exists():
            return path
    raise RuntimeError(f"no unused folder name below {parent}")


def _file_name(overrides: str) -> str:
    """Overrides as one file name: safe characters, and a hash where it is too long or had to change."""
    safe = re.sub(r"[^A-Za-z0-9_.,=+-]", "_", overrides)
    if safe == overrides and len(safe) <= 150:
        return safe
    return f"{safe[:120]}-{sha256(overrides.encode()).hexdigest()[:8]}"


def _moved(flat: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """``flat`` with the run's own folder left out of its values: a run may be moved."""
    own = str(config.get("run_dir"))
    return {key: value.replace(own, "") if isinstance(value, str) else value for key, value in flat.items()}


def _flatten(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
