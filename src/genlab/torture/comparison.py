"""Two run folders, bit for bit: what differs between them but for the time they took and the place they lie in."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

TIMED = ("train/iterations_per_second",)
"""Figures that tell how fast a run went, not what came out of it."""

COMPARED = ("samples/", "warnings.json")
"""Files that are compared as they are; the others are compared by what they say, or are of their own run alone."""


def differences(one: Path, other: Path, besides: str | None = None) -> list[str]:
    """Each file, value or tensor in which two runs differ, by name; empty for runs that came out the same.

    Compared are the checkpoints (weights, optimisers, schedules, random states, records of callbacks and the counts
    that training goes on from), ``metrics.csv``, ``samples/``, ``warnings.json``, the end that ``status.json`` tells
    of, and which other files there are, but for those of ``one`` whose names begin with ``besides``.
    """
    extra = {name for name in _files(one) if besides and name.startswith(besides)}
    if missing := sorted((_files(one) - extra) ^ _files(other)):
        return [f"{name} is in one of them only" for name in missing]
    found = [*_different_metrics(one, other), *_different_status(one, other)]
    for name in sorted(_files(other)):
        if name.endswith(".ckpt"):
            found += [f"{name}: {part}" for part in _different_checkpoints(one / name, other / name)]
        elif name.startswith(COMPARED) and (one / name).read_bytes() != (other / name).read_bytes():
            found.append(name)
    return found


def flat(content: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings and lists, by their dotted path."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from flat(value, f"{above}{key}.")
    elif isinstance(content, list | tuple):
        for place, value in enumerate(content):
            yield from flat(value, f"{above}{place}.")
    else:
        yield above.rstrip("."), content


def _different_checkpoints(one: Path, other: Path) -> list[str]:
    ours, theirs = _leaves(one), _leaves(other)
    odd = ours.keys() ^ theirs.keys()
    return sorted(odd | {key for key in ours.keys() - odd if not _same(ours[key], theirs[key])})


def _leaves(checkpoint: Path) -> dict[str, Any]:
    """The checkpoint's leaves; paths in the run's folder, which may be keys and values, are taken relative to it."""
    root = str(checkpoint.parent.parent)
    leaves = flat(torch.load(checkpoint, map_location="cpu", weights_only=True))
    return {key.replace(root, ""): _placed(value, root) for key, value in leaves if not key.endswith(TIMED)}


def _placed(value: Any, root: str) -> Any:
    return value.replace(root, "") if isinstance(value, str) else value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and bool(one == other or (one != one and other != other))


def _different_metrics(one: Path, other: Path) -> list[str]:
    ours, theirs = _rows(one), _rows(other)
    if [row["step"] for row in ours] != [row["step"] for row in theirs]:
        return [f"metrics.csv: {len(ours)} rows and {len(theirs)}, at other iterations"]
    return [f"metrics.csv at {row['step']}" for row, its in zip(ours, theirs, strict=True) if row != its]


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name not in TIMED} for row in csv.DictReader(file)]


def _different_status(one: Path, other: Path) -> list[str]:
    ours, theirs = (json.loads((folder / "status.json").read_text(encoding="utf-8")) for folder in (one, other))
    for status in (ours, theirs):
        for name in TIMED:
            status["metrics"].pop(name, None)
    return [f"status.json: {key}" for key in ("state", "reason", "iterations", "metrics") if ours[key] != theirs[key]]


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
