"""The classifiers of generated images: which run judges, which helps to train, and that both know the same data."""

import json
import os
from collections.abc import Iterator, Set
from dataclasses import dataclass
from hashlib import sha256
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


def load_judge(path: str | None, run: Path, data_sha256: str, other_than: str | None = None) -> LoadedJudge | None:
    """The classifier in run folder ``path``; where that is None, one nearby that was trained on the same data.

    The data are told by their SHA-256. Nearby are the folders beside ``run`` and those below ``GENLAB_RUNS``; of
    several the one that ended last is taken, but not the one whose checkpoint has the SHA-256 ``other_than``. None
    where there is none. Raises ``ValueError`` for a folder that is not a classifier's, or one of other data, and for
    the classifier that took part in the training of ``run``: it would judge what it has taught.
    """
    folder = (
        Path(path).expanduser()
        if path is not None
        else _nearest(run, data_sha256, {reader_of(run), other_than} - {None})
    )
    if folder is None:
        return None
    judge = load_classifier(folder, data_sha256, "judge")
    refuse_reader(judge, run)
    return judge


def refuse_reader(judge: LoadedJudge, run: Path) -> None:
    """Raise ``ValueError`` where ``judge`` took part in the training of the run in folder ``run``."""
    if judge.sha256 == reader_of(run):
        rule = "be another classifier than the one that the run was trained with"
        raise refuse("judge", rule, str(judge.folder), "judge")


def load_classifier(folder: Path, data_sha256: str, path: str) -> LoadedJudge:
    """The classifier in run folder ``folder``; ``path`` is the config's, for messages.

    Raises ``ValueError`` for a folder that is not a classifier's, or one of other data.
    """
    name = path.rpartition(".")[2]
    if not _is_classifier(read_config(folder / "config.yaml", path)):
        raise refuse(name, "be the run of a classifier", str(folder), path)
    if (digest := _trained_on(folder, path)) != data_sha256:
        rule = f"have been trained on the run's data, with SHA-256 {data_sha256}"
        raise refuse(name, rule, f"{folder}, trained on {digest}", path)
    trained = load_trained(str(folder))
    return LoadedJudge(folder, trained.module, trained.checkpoint_sha256)


def load_reader(path: object, data_sha256: str) -> LoadedJudge | None:
    """The classifier in run folder ``path`` to train a generator with; None where no path is given.

    Gradients go through it and not to it. Raises ``ValueError`` as :func:`load_classifier` does.
    """
    if path is None:
        return None
    if not isinstance(path, str):
        raise refuse("reader", "be a text", path, "model.reader")
    reader = load_classifier(Path(path).expanduser(), data_sha256, "model.reader")
    reader.module.requires_grad_(False).eval()
    return reader


def said_of(reader: LoadedJudge | None) -> dict[str, Any]:
    """What a run's provenance says of its reader; nothing where it has none."""
    return {} if reader is None else {"reader": {"run": str(reader.folder), "checkpoint_sha256": reader.sha256}}


def reader_of(run: Path) -> str | None:
    """The SHA-256 of the checkpoint that helped to train the run in folder ``run``; None where none did."""
    try:
        record = json.loads((run / "provenance.json").read_text(encoding="utf-8"))
        return str(record["reader"]["checkpoint_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a run without a record has none of a reader either; its data are checked elsewhere


def _is_classifier(config: dict[str, Any]) -> bool:
    return str(config["model"]["_target_"]).startswith("genlab.classifier.")


def _trained_on(folder: Path, path: str = "judge") -> str | None:
    """The SHA-256 of the data that ``folder``'s run was trained on, as recorded; ``ValueError`` for a damaged file."""
    file = folder / "provenance.json"
    if not file.is_file():
        return None
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["data"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        rule = "be a run's folder with a readable provenance.json"
        raise refuse(path.rpartition(".")[2], rule, str(folder), path) from error


def _nearest(run: Path, data_sha256: str, passed_over: Set[str | None]) -> Path | None:
    """The finished classifier run of these data that ended last: beside ``run`` if there is one, else anywhere.

    Those whose checkpoints have a SHA-256 of ``passed_over`` are not seen.
    """
    runs = Path(os.environ.get("GENLAB_RUNS") or "runs").expanduser()
    for folders in (run.absolute().parent.glob("*/status.json"), runs.glob("**/status.json")):
        for _, folder in sorted(_finished(folders, data_sha256), reverse=True):
            if not passed_over or _checkpoint_sha256(folder) not in passed_over:
                return folder
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


def _checkpoint_sha256(folder: Path) -> str | None:
    file = folder / "checkpoints" / "best.ckpt"
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else None
