"""Where a run comes from: code, versions, machine, seed and data, for ``provenance.json``."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import ThreadpoolController

import genlab
from genlab.run.command_line import typed_words
from genlab.run.secrets import redacted

PACKAGES = (
    "genlab",
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "numpy",
    "scipy",
    "numba",
    "wandb",
)


def provenance(seed: int, data: Mapping[str, Any], process: Mapping[str, Any]) -> dict[str, Any]:
    """What there is to know about a run that starts now; ``data`` is the datamodule's own account.

    ``process`` says what the run has set for its whole process, by name.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": redacted(shlex.join(["genlab", *sys.argv[0].split()[1:], *typed_words()])),
        "folder": os.getcwd(),
        "seed": seed,
        **commit(),
        "versions": versions(),
        "machine": {**machine(), **process},
        "data": dict(data),
    }


def commit() -> dict[str, Any]:
    """The checkout's commit and what differs from it; nulls for an installed package."""
    top = Path(genlab.__file__).parents[2]
    head = _git(top, "rev-parse", "HEAD")
    if head is None or not (top / "configs").is_dir():
        return {"commit": None, "dirty": None, "diff": None}
    diff = _git(top, "diff", "HEAD", "--", "src", "configs", "pyproject.toml") or ""
    return {"commit": head, "dirty": bool(diff), "diff": redacted(diff)[:100_000] or None}


def versions() -> dict[str, str | None]:
    """Python's version and those of the packages that decide a result."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def machine() -> dict[str, Any]:
    """The processor as torch sees it, cores, threads and accelerator; no host name."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "blas_threads": blas_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def blas_threads() -> int | None:
    """The most threads that a BLAS beside torch's, NumPy's above all, may use now; None where none is loaded.

    The compiled engine of the character RNN holds it to one (``model.engine=torch`` does not).
    """
    pools = ThreadpoolController().select(user_api="blas").info()
    return max((int(pool["num_threads"]) for pool in pools), default=None)


def processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
