"""Whether finished runs were trained on the data that a run of their config would be trained on now.

A config names its data and says where they lie; what lies there may have changed since.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from genlab.run.quick_imports import quick_imports


def of_the_same_data(runs: Sequence[Path], config: Mapping[str, Any]) -> list[Path]:
    """Those of ``runs`` that were trained on the data that a run of ``config`` would be trained on now.

    All of them where that data cannot be read here: nothing else could be trained on it.
    """
    trained_on = {run: _trained_on(run) for run in runs}
    now = data_digest(config) if any(trained_on.values()) else None
    return [run for run, digest in trained_on.items() if None in (now, digest) or digest == now]


def data_digest(config: Mapping[str, Any]) -> str | None:
    """The digest of the data that a run of ``config`` would be trained on now; None where they are not there.

    They are read once until :func:`look_anew`.
    """
    settings = {**config["data"], "download": False}
    return _digest(json.dumps(settings, sort_keys=True, default=str))


def look_anew() -> None:
    """Forget what was read: data may change while a process lives."""
    _digest.cache_clear()


def _trained_on(run: Path) -> str | None:
    """The digest of a run's data by its provenance; None where that says nothing."""
    try:
        provenance = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
        return str(provenance["data"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


@lru_cache(maxsize=64)
def _digest(settings: str) -> str | None:
    with quick_imports():
        from hydra.utils import instantiate
    try:
        return str(instantiate(json.loads(settings)).provenance()["sha256"])
    except Exception:  # whatever keeps the data from being read is said by the run that needs it
        return None
