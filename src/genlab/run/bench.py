"""What evaluations in one process share: data sets that have been read, and judges with what they saw in them."""

from pathlib import Path
from typing import Any

from genlab.evaluation.image_data import ImageData
from genlab.run.evaluation_data import load_data
from genlab.run.judge import LoadedJudge, load_classifier, load_judge, refuse_reader
from genlab.run.trained import Trained


class Bench:
    """Reads data and loads a judge at the first evaluation that wants them, and keeps them for the next.

    The features of a whole training set take longer to compute than many a model takes to be judged. A judge is
    kept for as long as its folder is asked for by name; images that a model has made are forgotten with it.
    """

    def __init__(self) -> None:
        self._images: dict[tuple[Any, ...], ImageData] = {}
        self._judges: dict[tuple[str, str], LoadedJudge] = {}

    def data_of(self, trained: Trained) -> tuple[Any, str]:
        """The data that a run is evaluated against, and their SHA-256; ``ValueError`` as of :func:`load_data`."""
        data = load_data(trained)
        sha256 = str(data.provenance()["sha256"])
        key = (sha256, trained.config.data.get("split_seed"), trained.config.data.get("val_size"))
        if (kept := self._images.get(key)) is not None:
            kept.forget_generated()
            return kept, sha256
        against = data.evaluation_data()
        if isinstance(against, ImageData):
            self._images[key] = against
        return against, sha256

    def judge(self, path: str | None, run: Path, data_sha256: str, other_than: str | None = None) -> LoadedJudge | None:
        """As :func:`load_judge`; the same object for the same ``path``."""
        if path is None:
            return load_judge(None, run, data_sha256, other_than)
        key = (path, data_sha256)
        if key not in self._judges:
            self._judges[key] = load_classifier(Path(path).expanduser(), data_sha256, "judge")
        refuse_reader(self._judges[key], run)
        return self._judges[key]
