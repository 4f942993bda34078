"""The classifier that judges generated images: which run it is, and that it knows the same data."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.checks import refuse
from genlab.run.artifacts import RunFolder, read_config
from genlab.run.trained import load_trained


@dataclass(frozen=True)
class LoadedJudge:
    """A classifier's run folder, its module, and the SHA-256 of the checkpoint that it is."""

    folder: Path
    module: Any
    sha256: str


def load_judge(path: str | None, run: Path, data_sha256: str) -> LoadedJudge | None:
    """The classifier in run folder ``path``; where that is None, one nearby that was trained on the same data.

    The data are told by their SHA-256. Nearby are the folders beside ``run`` and those below ``GENLAB_RUNS``; of
    several the one that ended last is taken. None where there is none. Raises ``ValueError`` for a folder that is
    not a classifier's, or one of other data.
    """
    folder = Path(path).expanduser() if path is not None else _nearest(run, data_sha256)
    if folder is None:
        return None
    if not _is_classifier(read_config(folder / "config.yaml", "judge")):
        raise refuse("judge", "be the run of a classifier", str(folder), "judge")
    if (digest := _trained_on(folder)) != data_sha256:
        rule = f"have been trained on the run's data, with SHA-256 {data_sha256}"
        raise refuse("judge", rule, f"{folder}, trained on {digest}", "judge")
    trained = load_trained(str(folder))
    return LoadedJudge(folder, trained.module, trained.checkpoint_sha256)


def _is_classifier(config: dict[str, Any]) -> bool:
    return str(config["model"]["_target_"]).startswith("genlab.classifier.")


def _trained_on(folder: Path) -> str | None:
    """The SHA-256 of the data that ``folder``'s run was trained on, as recorded; ``ValueError`` for a damaged file."""
    file = folder / "provenance.json"
    if not file.is_file():
        return None
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["data"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise refuse("judge", "be a run's folder with a readable provenance.json", str(folder), "judge") from error


def _nearest(run: Path, data_sha256: str) -> Path | None:
    """The finished classifier run of these data that ended last: beside ``run`` if there is one, else anywhere."""
    runs = Path(os.environ.get("GENLAB_RUNS") or "runs").expanduser()
    for folders in (run.absolute().parent.glob("*/status.json"), runs.glob("**/status.json")):
        finished = sorted(_finished(folders, data_sha256))
        if finished:
            return finished[-1][1]
    return None


def _finished(files: Iterator[Path], data_sha256: str) -> Iterator[tuple[str, Path]]:
    """When each finished classifier run of these data among these ended, and its folder."""
    for file in files:
        try:
            status = RunFolder(file.parent).status() or {}
            config = read_config(file.parent / "config.yaml", "judge")
            same_data = _trained_on(file.parent) == data_sha256
        except (OSError, ValueError):
            continue  # a folder that cannot be read is no judge; the run that is evaluated is checked elsewhere
        if status.get("state") == "done" and same_data and _is_classifier(config):
            yield str(status.get("ended")), file.parent
