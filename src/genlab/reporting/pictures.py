"""Picture files of a run, made ready for a page: read, checked, in a reader's order and with captions."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genlab.reporting.sections import measure_name

MAX_BYTES = 1_500_000
"""Larger pictures are not put into a page, which says where they are instead."""

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "png", b"GIF89a": "gif", b"GIF87a": "gif"}
_FIGURES_FIRST = ("elbo", "loss", "accuracy", "log_likelihood", "kl")
_EPOCH = re.compile(r"epoch_(\d+)")
_CAPTIONS = {
    "grid": "Images from the prior, drawn at random",
    "labelled": "Random images, with what a classifier reads and how sure it is",
    "reconstructions": "Test images, and what their encodings are decoded to",
    "mistakes": "Test images that are misread, the surest mistakes first",
    "manifold": "What lies where in the two latent dimensions: a grid over equal shares of the prior",
    "scatter": "Where the encoder puts test images, by class",
    "walk.gif": "A walk from latent to latent, in motion",
    "walk_strip": "Images on the way, evenly spaced",
    "walk": "Every image of the way",
}
"""What samples are called, by file name or its stem, in the order in which they are shown."""


@dataclass(frozen=True)
class Picture:
    """A PNG or GIF as a data URI, its file's name and the caption which that gives; no URI if it is too large."""

    caption: str
    file: str
    uri: str

    @property
    def moves(self) -> bool:
        """Whether it is an animation."""
        return self.file.endswith(".gif")


def figure_pictures(paths: Sequence[Path]) -> list[Picture]:
    """The figures of a run, its training curves first. Raises ValueError for a file that is no picture."""
    ordered = sorted(paths, key=lambda path: (_rank(path.stem, _FIGURES_FIRST), path.stem))
    return [read_picture(path, title(path)) for path in ordered]


def sample_pictures(paths: Sequence[Path]) -> list[Picture]:
    """Samples that are pictures, but for those of :func:`progress_pictures`; ValueError for what is no picture."""
    order = list(_CAPTIONS)
    ordered = sorted(paths, key=lambda path: (_rank(_sample_key(path), order), path.name))
    return [read_picture(path, _CAPTIONS.get(_sample_key(path), title(path))) for path in ordered if not pass_of(path)]


def progress_pictures(paths: Sequence[Path]) -> list[Picture]:
    """``epoch_0025.png`` and its like, in the order of training; ValueError for what is no picture."""
    ordered = sorted((found, path) for path in paths if (found := pass_of(path)))
    return [read_picture(path, f"after pass {number}") for number, path in ordered]


def title(path: Path) -> str:
    """A file's name as a reader would write it."""
    name = measure_name(path.stem)
    return name[:1].upper() + name[1:]


def pass_of(path: Path) -> int:
    """The pass after which a picture was drawn, as its name says; 0 for any other picture."""
    found = _EPOCH.fullmatch(path.stem)
    return int(found[1]) if found else 0


def _sample_key(path: Path) -> str:
    return path.name if path.name in _CAPTIONS else path.stem


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


def read_picture(path: Path, caption: str) -> Picture:
    """A picture file and what it is called; ValueError for what is no picture."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    form = next((form for signature, form in _SIGNATURES.items() if content.startswith(signature)), None)
    if form != path.suffix[1:]:
        raise ValueError(f"{path}: not a {path.suffix[1:].upper()} image")
    uri = f"data:image/{form};base64,{base64.b64encode(content).decode()}"
    return Picture(caption, path.name, uri if len(content) <= MAX_BYTES else "")
