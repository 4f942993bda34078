"""What a run is, whatever folder it lies in: a hash of all in its config that its result depends on."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from genlab.run.artifacts import RunFolder, flatten

ELSEWHERE = (
    *("name", "run_dir", "trainer.default_root_dir", "data.root", "data.download", "trainer.strategy"),
    *("keep_memory", "emulate_bfloat16", "optimizer.fused"),
    *("study", "budget", "logger", "evaluators"),
)
"""Keys, with all below them, that say where a run is kept, what is looked at, how it is shown, and how it is computed
where that changes no more than the last digits."""

LOOKING = "genlab."
"""What ``_target_`` of a callback begins with that looks and keeps; any other one may change what comes out."""

LATER = {"model.net": "digit_net", "model.design": None, "model.reader": None}
"""Keys that runs of an earlier genlab lack, and the value that those runs had in effect."""

PRUNING = "pruning"
"""A callback that may have ended a run before its limits: such a run stands for no other."""


def identity(config: Mapping[str, Any]) -> str:
    """SHA-256 of a resolved config without the keys of ``ELSEWHERE``: equal for runs that would come out the same.

    So are genlab's own callbacks left out, but none of another's, which may stop a run early.

    A whole number counts as itself whether it was written as an integer or not, and a key that was not there before as
    left out where it has the value that stood for it.
    """
    callbacks = {name: each for name, each in (config.get("callbacks") or {}).items() if not _only_looks(each)}
    leaves = flatten({**config, "callbacks": callbacks}).items()
    flat = {key: _plain(value) for key, value in leaves if not _is_elsewhere(key) and (key, value) not in LATER.items()}
    return sha256(json.dumps(flat, sort_keys=True, default=str).encode()).hexdigest()


def measured_by(definition: Mapping[str, Any], config: Mapping[str, Any], judges: Mapping[str, str | None]) -> str:
    """SHA-256 of how a study measures a run of ``config``: its measures with their settings, weights and samples.

    And by which ``judges``, which are told apart by the digests of their weights.
    """
    how = {
        **({"judges": dict(judges)} if any(judges.values()) else {}),
        "evaluate": definition.get("evaluate"),
        "samples": definition.get("samples"),
        "evaluators": config.get("evaluators"),
    }
    flat = {key: _plain(value) for key, value in flatten(how).items()}
    return sha256(json.dumps(flat, sort_keys=True, default=str).encode()).hexdigest()


def finished_runs(root: Path) -> dict[str, list[Path]]:
    """Every finished run below ``root`` by its identity; equal ones in the order of their paths."""
    found: dict[str, list[Path]] = {}
    for folder in _run_folders(root):
        try:
            status = RunFolder(folder).status() or {}
            config = read_fast(folder / "config.yaml")
            if status.get("state") == "done" and PRUNING not in (config.get("callbacks") or {}):
                found.setdefault(identity(config), []).append(folder)
        except (OSError, ValueError, yaml.YAMLError):
            continue  # a folder that cannot be read cannot be used again; the run is done anew elsewhere
    return found


def read_fast(path: Path) -> dict[str, Any]:
    """A resolved ``config.yaml`` as plain values, by the C reader where there is one: a sweep reads hundreds."""
    content = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if not isinstance(content, dict):
        raise ValueError(f"{path}: must hold a mapping; got {type(content).__name__}")
    return content


def _run_folders(root: Path) -> Iterator[Path]:
    return (file.parent for file in sorted(root.rglob("status.json")) if (file.parent / "config.yaml").is_file())


def _only_looks(callback: Any) -> bool:
    return not isinstance(callback, Mapping) or str(callback.get("_target_", LOOKING)).startswith(LOOKING)


def _is_elsewhere(key: str) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in ELSEWHERE)


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        return float(value)  # YAML reads 1e-05 as a text, and 0 and 0.0 are one setting
    except (ValueError, OverflowError):
        return value
