"""What a run folder says, read from its files alone.

A run that is still running, that failed or that was interrupted is read as well: what such a run need not
have written yet (its provenance, its metrics, the end of the last CSV line) may be missing. What is there
must be whole.
"""

import csv
import glob
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

STATES = ("running", "done", "failed", "interrupted")
"""The states that ``status.json`` knows."""

PICTURES = (".png", ".gif")
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
"""What a sample that is a picture may be called."""

Series = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]
"""The iterations at which a quantity was logged, ascending, and its values there; both ``(n,)``."""


@dataclass(frozen=True)
class RunRecord:
    """Everything that a run folder holds, but for its checkpoints: ``pictures`` are those in ``samples/``.

    ``passes`` holds what the weights after chosen passes were measured at: ``passes["epoch_0002"]`` is to them what
    ``evaluation`` is to the best ones.
    """

    folder: Path
    config: dict[str, Any]
    status: dict[str, Any]
    provenance: dict[str, Any]
    metrics: dict[str, Series]
    evaluation: dict[str, dict[str, Any]]
    samples: dict[str, str]
    figures: tuple[Path, ...]
    pictures: tuple[Path, ...] = ()
    passes: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The experiment's name, or the folder's where the config has none."""
        return str(self.config.get("name") or self.folder.name)

    @property
    def state(self) -> str:
        """One of ``STATES``."""
        return str(self.status["state"])

    @property
    def warning(self) -> str:
        """What must be said of its data wherever it is shown: that they are a stand-in. Mostly empty."""
        return str((self.provenance.get("data") or {}).get("warning") or "")

    @property
    def reason(self) -> str:
        """Why a run is in its state, as it said itself; empty where it said nothing."""
        return str(self.status.get("reason") or "")


def run_label(record: RunRecord, runs: Sequence[RunRecord]) -> str:
    """The experiment's name, with the folder's where several of ``runs`` share it."""
    alone = sum(other.name == record.name for other in runs) == 1
    return record.name if alone else f"{record.name} / {record.folder.name}"


def find_runs(patterns: Sequence[str]) -> list[Path]:
    """The run folders that ``patterns`` name: run folders, folders above them and globs of either.

    A run folder is one that holds ``config.yaml`` and ``status.json``; it may lie at any depth. Each comes once, in the
    order of the patterns and sorted by path within one, numbers by their size. Raises ValueError for a pattern that has
    no run, and for a folder that has ``status.json`` but lost its ``config.yaml``.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        runs = [run for folder in _folders(pattern) for run in _runs_in(folder)]
        if not runs:
            is_folder = Path(pattern).is_dir()
            problem = "holds no config.yaml with a status.json" if is_folder else "is no folder"
            raise ValueError(f"`runs` must name run folders; got {pattern!r}, which {problem} (runs)")
        found.update(dict.fromkeys(runs))
    if not found:
        raise ValueError("`runs` must name at least one run folder; got none (runs)")
    return list(found)


def _folders(pattern: str) -> list[Path]:
    is_path = Path(pattern).exists()  # a name like 'lr=[0.1]' is a folder before it is a glob
    matches = [pattern] if is_path else sorted(glob.glob(os.path.expanduser(pattern), recursive=True), key=by_numbers)
    return [Path(match) for match in matches if os.path.isdir(match)]


def _runs_in(folder: Path) -> Iterator[Path]:
    for parent, children, files in os.walk(folder):
        if "status.json" in files:
            children.clear()  # a run's own folders hold no runs
            if "config.yaml" not in files:
                raise ValueError(f"{Path(parent) / 'config.yaml'}: missing, though there is a status.json")
            yield Path(parent)
        children.sort(key=by_numbers)


def by_numbers(name: str) -> tuple[list[str | float], str]:
    """What to sort names by so that ``seed=2`` comes before ``seed=10`` and ``lr=1e-3`` before ``lr=0.01``."""
    parts = _NUMBER.split(name)  # text and numbers in turn
    return [float(part) if place % 2 else part for place, part in enumerate(parts)], name


def read_run(folder: Path) -> RunRecord:
    """Read the run in ``folder``; raises ValueError, one line with the file, for a missing or damaged one."""
    folder = Path(folder)
    status = _read_status(folder / "status.json")
    done = status["state"] == "done"
    return RunRecord(
        folder=folder,
        config=_read_yaml(folder / "config.yaml"),
        status=status,
        provenance=_optional_json(folder / "provenance.json", required=done),
        metrics=_optional_metrics(folder / "metrics.csv", required=done),
        evaluation=_read_results(folder / "evaluation"),
        samples={path.name: _read_text(path) for path in sorted((folder / "samples").glob("*.txt"))},
        figures=tuple(sorted((folder / "figures").glob("*.png"))),
        pictures=tuple(sorted(path for ending in PICTURES for path in (folder / "samples").glob(f"*{ending}"))),
        passes={path.name: _read_results(path) for path in sorted((folder / "evaluation").glob("epoch_*/"))},
    )


def _read_results(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: _read_json(path) for path in sorted(folder.glob("*.json"))}


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")  # bytes: '\r' and '\x0b' of a sample stay what they are
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text (byte {error.start})") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON (line {error.lineno}: {error.msg})") from error
    return _mapping(path, content)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(_read_text(path))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    return _mapping(path, content)


def _mapping(path: Path, content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{path}: must hold a mapping; got {type(content).__name__}")
    return content


def _read_status(path: Path) -> dict[str, Any]:
    status = _read_json(path)
    if status.get("state") not in STATES:
        raise ValueError(f"{path}: `state` must be one of {', '.join(STATES)}; got {status.get('state')!r}")
    return status


def _optional_json(path: Path, required: bool) -> dict[str, Any]:
    return _read_json(path) if required or path.exists() else {}


def _optional_metrics(path: Path, required: bool) -> dict[str, Series]:
    if not required and not path.exists():
        return {}
    return read_metrics(path, finished=required)


def read_metrics(path: Path, finished: bool = True) -> dict[str, Series]:
    """Each column of a ``metrics.csv`` as (iterations, values), empty cells left out.

    An iteration that was logged twice (a run that went on from a checkpoint) counts as it was logged last.
    With ``finished`` false, a last line without its line end is dropped: it is being written. Raises
    ValueError with the file, the line and the column.
    """
    text = _read_text(path)
    if not finished:
        text = text[: text.rfind("\n") + 1]
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows:
        if finished:
            raise ValueError(f"{path}: empty, though the run is done")
        return {}
    header, *body = rows
    if header[0] != "step":
        raise ValueError(f"{path}: the first column must be 'step'; got {header[0]!r}")
    columns: dict[str, dict[int, float]] = {name: {} for name in header[1:]}
    for line, row in enumerate(body, start=2):
        _add_row(columns, header, row, f"{path}: line {line}")
    return {name: _series(values) for name, values in columns.items() if values}


def _add_row(columns: dict[str, dict[int, float]], header: list[str], row: list[str], where: str) -> None:
    if len(row) != len(header):
        raise ValueError(f"{where}: must have {len(header)} cells; got {len(row)}")
    step = int(_number(row[0], f"{where}, column step"))
    for name, cell in zip(header[1:], row[1:], strict=True):
        if cell:
            columns[name][step] = _number(cell, f"{where}, column {name}")


def _number(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise ValueError(f"{where}: must be a number; got {cell!r}") from error


def _series(values: dict[int, float]) -> Series:
    steps = sorted(values)
    return np.array(steps, dtype=np.int64), np.array([values[step] for step in steps], dtype=np.float64)
