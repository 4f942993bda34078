"""What mirrors a run beside its folder: loggers made from the config, opened with it, and closed whatever happens."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from pytorch_lightning.loggers import Logger

from genlab.reporting.runs import read_metrics
from genlab.run.metrics_csv import MetricsCsv
from genlab.run.outcome import Stop

LONGEST_NAME = 128
"""Characters that services take for the name of a run."""

Picture = Image.Image | Path
"""An image, or a file of one."""


def make_loggers(config: DictConfig, job_type: str | None = None) -> list[Logger]:
    """The loggers below ``logger`` of a run's config; what does more than train says so by its ``job_type``."""
    folder = Path(str(config.run_dir))
    return [instantiate(_completed(node, folder, job_type), _convert_="all") for node in config.logger.values()]


def _completed(node: DictConfig, folder: Path, job_type: str | None) -> dict[str, Any]:
    """A logger's options with what no config can say: a name that is left open is the folder's, a tag is said once."""
    options = OmegaConf.to_container(node, resolve=True)
    assert isinstance(options, dict)
    if "name" in options and options["name"] is None:
        options["name"] = folder.name[:LONGEST_NAME]
    if options.get("save_dir") is not None:
        options["save_dir"] = os.path.abspath(str(options["save_dir"]))  # W&B's files are written by another process
    if "tags" in options:
        options["tags"] = list(dict.fromkeys(str(tag) for tag in options["tags"] or () if tag))
    if "job_type" in options and job_type is not None:
        options["job_type"] = job_type
    return {str(key): value for key, value in options.items()}


@contextmanager
def open_loggers(loggers: Sequence[Logger], config: Mapping[str, Any], start: int = 0) -> Iterator[None]:
    """Hand every logger the run's config, and close each afterwards: a sweep's next run must not go on in it.

    ``start`` is the iteration that a resumed run goes on from.
    """
    opened: list[Logger] = []
    status = "failed"
    try:
        for logger in loggers:
            if isinstance(logger, MetricsCsv):
                logger.resume(start)
            logger.log_hyperparams(dict(config))
            opened.append(logger)
        _retell(opened, start)
        yield
        status = "success"
    except Stop:
        status = "aborted"
        raise
    finally:
        for logger in opened:
            logger.finalize(status)
            if (finish := getattr(getattr(logger, "experiment", None), "finish", None)) is not None:
                finish(exit_code=0 if status == "success" else 1)


def _retell(loggers: Sequence[Logger], start: int) -> None:
    """Give loggers whose record begins anew with each session what ``metrics.csv`` keeps of the earlier ones.

    They are those that take tables; TensorBoard goes on in the same folder, where it has all this.
    """
    path = next((logger.path for logger in loggers if isinstance(logger, MetricsCsv)), None)
    anew = [logger for logger in loggers if hasattr(logger, "log_table")]
    if start == 0 or path is None or not path.is_file() or not anew:
        return
    rows: dict[int, dict[str, float]] = {}
    for name, (iterations, values) in read_metrics(path).items():
        for iteration, value in zip(iterations.tolist(), values.tolist(), strict=True):
            rows.setdefault(iteration, {})[name] = value
    for iteration in sorted(rows):
        for logger in anew:
            logger.log_metrics(rows[iteration], step=iteration)


def log_pictures(loggers: Sequence[Logger], key: str, pictures: Mapping[str, Picture], step: int) -> None:
    """Hand ``pictures``, by caption, to every logger that takes any, by whichever of the two usual names."""
    for logger in loggers:
        if (log_image := getattr(logger, "log_image", None)) is not None:
            images = [str(picture) if isinstance(picture, Path) else picture for picture in pictures.values()]
            log_image(key=key, images=images, step=step, caption=list(pictures))
        if (add_image := getattr(getattr(logger, "experiment", None), "add_image", None)) is not None:
            for caption, picture in pictures.items():
                tag = key if len(pictures) == 1 else f"{key}/{caption}"
                add_image(tag, _pixels(picture), step, dataformats="HWC")


def log_animation(loggers: Sequence[Logger], key: str, path: Path, step: int) -> None:
    """Hand the GIF at ``path`` to every logger that takes videos."""
    for logger in loggers:
        if (log_video := getattr(logger, "log_video", None)) is not None:
            log_video(key=key, videos=[str(path)], step=step, caption=[path.name], format=["gif"])


def _pixels(picture: Picture) -> np.ndarray:
    """RGB of shape (height, width, 3)."""
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB"))
