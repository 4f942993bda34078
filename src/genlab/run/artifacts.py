"""A run's folder: which it is, whether a run may start or go on in it, and the files that say how it went."""

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from genlab.checks import refuse
from genlab.run.lock import only_one, waited_for
from genlab.run.secrets import redacted
from genlab.whole_file import is_part, whole_file

# A run goes on under another value of these: they say how far or where it runs, not what it is.
# Where the data lies may change because its SHA-256 is compared besides.
MAY_CHANGE = (
    "run_dir",
    "trainer.max_steps",
    "trainer.max_epochs",
    "data.root",
    "data.text",
    "data.download",
    "keep_memory",
    "emulate_bfloat16",
    "trainer.strategy",
)

LIMITS = ("trainer.max_steps", "trainer.max_epochs")
"""How long a run is."""

BOOKKEEPING = ("name", "study", "budget", "logger", "callbacks", "evaluators")
"""Parts of a config that say what is looked at and where it is shown."""


_PARTS = ("data", "reader")
"""Of a provenance: what a run that goes on is compared by."""


class RunFolder:
    """The folder of one run, made when training is about to start, so that a refused config leaves nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last_checkpoint = path / "checkpoints" / "last.ckpt"

    def status(self) -> dict[str, Any] | None:
        """What ``status.json`` says, or None where there is none."""
        file = self.path / "status.json"
        if not file.is_file():
            return None
        try:
            status: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            _ = status["state"], status["iterations"]
        except (ValueError, KeyError, TypeError) as error:
            raise refuse("run_dir", "hold a readable status.json", str(file), "run_dir") from error
        return status

    def config(self) -> dict[str, Any]:
        """The config that the folder's run was last trained with; raises ``ValueError`` for a damaged one."""
        return read_config(self.path / "config.yaml", "run_dir")

    def warning(self) -> str:
        """What must be said of the run's data: that they are a stand-in. Mostly empty."""
        return str((self.provenance().get("data") or {}).get("warning") or "")

    def provenance(self) -> dict[str, Any]:
        """What ``provenance.json`` says; empty where nothing was trained yet.

        Raises ``ValueError`` for one that is damaged, or is missing beside a checkpoint: it says what the run's data
        was.
        """
        file = self.path / "provenance.json"
        if not file.is_file() and not self.last_checkpoint.is_file():
            return {}
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(content, dict) or not all(isinstance(content.get(each) or {}, dict) for each in _PARTS):
                raise ValueError("no provenance")
        except (OSError, ValueError) as error:
            raise refuse("run_dir", "hold a readable provenance.json", str(file), "run_dir") from error
        return content

    def is_a_runs(self) -> bool:
        """Whether a run was started here; raises ``ValueError`` for a folder that holds anything else."""
        if (self.path / "config.yaml").is_file() or (self.path / "status.json").is_file():
            return True
        if self.path.exists() and not self.path.is_dir():
            raise refuse("run_dir", "be a folder", str(self.path), "run_dir")
        if any(below.is_file() and not is_part(below) for below in self.path.rglob("*")):
            raise refuse("run_dir", "be new, empty or a run's folder", str(self.path), "run_dir")
        return False

    def refuse_other_config(self, config: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` naming the first field in which the folder's run differs from ``config``.

        A rate that follows a schedule goes by how long the run is: another length would be another run from the first
        step on.
        """
        before = self.config()
        old, new = (_moved(flatten(each), each) for each in (before, config))
        scheduled = new.get("model.lr_schedule", "constant") != "constant"
        may_change = [key for key in MAY_CHANGE if not (scheduled and key in LIMITS)]
        for key in sorted(old.keys() | new.keys()):
            if key not in may_change and key.split(".")[0] not in BOOKKEEPING and old.get(key) != new.get(key):
                raise ValueError(
                    f"`run_dir` must be new or hold the same run; {self.path} has {key}={old.get(key)}, "
                    f"not {new.get(key)} (run_dir)"
                )

    def refuse_other_data(self, data: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` where ``data`` is not, byte for byte, what the folder's run was trained on."""
        trained_on = (self.provenance().get("data") or {}).get("sha256")
        if trained_on not in (None, data["sha256"]):
            raise ValueError(
                f"`data` must be what the run was trained on, with SHA-256 {trained_on}; "
                f"{data['name']} has {data['sha256']} (data)"
            )

    def refuse_other_reader(self, sha256: str | None) -> None:
        """Raise ``ValueError`` where another classifier helps to train than did, told by its checkpoint's SHA-256."""
        helped = (self.provenance().get("reader") or {}).get("checkpoint_sha256")
        if helped not in (None, sha256):
            rule = f"be the classifier that the run began with, checkpoint {helped[:12]}"
            raise refuse("reader", rule, None if sha256 is None else sha256[:12], "model.reader")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from training in the folder; raises ``ValueError`` while one does."""
        with _refusing_unwritable(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with only_one(self.path, "run_dir", "a run is being trained there now"):
            yield

    @contextmanager
    def waited_for(self, say: Callable[[], object]) -> Iterator[None]:
        """As :meth:`locked`, which may be entered within it; ``say`` is called before another's end is waited for."""
        with _refusing_unwritable(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with waited_for(self.path, say):
            yield

    def create(self, config: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        """Make the folder with its ``config.yaml`` and ``provenance.json``.

        A run that goes on keeps its first provenance; each later session is added to its ``resumed``. Raises
        ``ValueError`` for a folder that cannot be written to.
        """
        with _refusing_unwritable(self.path):
            for name in ("checkpoints", "samples", "figures", "evaluation"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            write_text(self.path / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(dict(config))))
            if first := self.provenance():
                provenance = {**first, "resumed": [*first.get("resumed", []), dict(provenance)]}
            write_json(self.path / "provenance.json", provenance)

    def write_status(self, state: str, iterations: int, metrics: Mapping[str, float], reason: str = "") -> None:
        """Write ``status.json``; seconds are of training, and add up over the sessions of a resumed run."""
        before = self.status() or {}
        if state == "running":
            self._began = time.monotonic()
            self._earlier = float(before.get("seconds", 0.0))
            self._first = before.get("started", _now())
        status = {
            "state": state,
            "reason": redacted(reason),
            "started": self._first,
            "ended": None if state == "running" else _now(),
            "seconds": round(self._earlier + time.monotonic() - self._began, 3),
            "iterations": iterations,
            "metrics": {name: _short(metrics[name]) for name in sorted(metrics.keys() - {"step", "epoch"})},
            **({"warning": warning} if (warning := self.warning()) else {}),
        }
        write_json(self.path / "status.json", status)


@contextmanager
def run_path(cfg: DictConfig) -> Iterator[Path]:
    """The folder that a run goes to: ``run_dir``, or a new one named by overrides (in a sweep) or by time.

    A new one is made at once, so that no other run can take it, and is gone again if nothing was put into it.
    """
    if cfg.run_dir is not None:
        yield Path(str(cfg.run_dir)).expanduser()
    elif (hydra := HydraConfig.get()).mode == RunMode.MULTIRUN:
        yield Path(hydra.sweep.dir) / _file_name(hydra.job.override_dirname or str(hydra.job.num))
    else:
        parent = Path(os.environ.get("GENLAB_RUNS") or "runs").expanduser() / str(cfg.name)
        made = [folder for folder in (parent, parent.parent) if not folder.exists()]
        path = _claim(parent, datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
        try:
            yield path
        finally:
            for folder in (path, *made):
                with suppress(OSError):  # it holds something now
                    folder.rmdir()


def read_config(path: Path, argument: str) -> dict[str, Any]:
    """A run's ``config.yaml``; ``ValueError`` naming the config path ``argument`` for one missing or damaged."""
    try:
        config = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, YAMLError, OmegaConfBaseException) as error:
        rule = "be a run's folder with a readable config.yaml"
        raise refuse(argument.rpartition(".")[2], rule, str(path.parent), argument) from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        rule = "be a run's folder, with a run's config.yaml"
        raise refuse(argument.rpartition(".")[2], rule, str(path.parent), argument)
    return {str(key): value for key, value in config.items()}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON that any reader takes (no NaN), whole or not at all."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False, default=str) + "\n")


def write_text(path: Path, content: str) -> None:
    """Write a file whole or not at all; raises ``OSError`` that names it."""
    with whole_file(path) as file:
        file.write(content.encode())


@contextmanager
def _refusing_unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        rule = f"be a folder that can be written to ({error.strerror})"
        raise refuse("run_dir", rule, str(path), "run_dir") from error


def _claim(parent: Path, name: str) -> Path:
    """Make ``parent/name``, or the first ``name-1``, ``name-2``... that nobody has made yet."""
    for number in itertools.count():
        path = parent / (name if number == 0 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if path.parent.is_dir():
                continue
            raise refuse("GENLAB_RUNS", "be a folder", str(parent.parent), "environment") from None
        except OSError as error:
            raise refuse("GENLAB_RUNS", f"be writable ({error.strerror})", str(parent), "environment") from error
        return path
    raise AssertionError


def _file_name(overrides: str) -> str:
    """Overrides as one file name: safe characters, and a hash where it is too long or had to change."""
    safe = re.sub(r"[^A-Za-z0-9_.,=+-]", "_", overrides)
    if safe == overrides and len(safe) <= 150:
        return safe
    return f"{safe[:120]}-{sha256(overrides.encode()).hexdigest()[:8]}"


def _moved(flat: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """``flat`` with paths inside the run's own folder taken relative to it: a run may be moved."""
    own = str(config.get("run_dir"))
    return {
        key: os.path.relpath(value, own) if isinstance(value, str) and Path(value).is_relative_to(own) else value
        for key, value in flat.items()
    }


def flatten(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The leaves of a config by their dotted path."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{above}{key}.")
        else:
            flat[f"{above}{key}"] = value
    return flat


def _short(value: float) -> float:
    """A float32's own digits, without those that turning it into a float64 has added."""
    return float(f"{value:.7g}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
