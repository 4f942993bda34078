"""Images to train on, by name: MNIST and its kin from verified raw files, or scikit-learn's bundled digits."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.checks import one_of, refuse
from genlab.datasets.digits import enlarge, load_small, split_off_test
from genlab.datasets.download import DownloadError, Progress
from genlab.datasets.idx import read_idx
from genlab.datasets.image_sources import fetch_raw
from genlab.datasets.raw_images import RAW_SETS, RawFile, RawSet, missing, read_present

SIZE = 28
DIGITS = "digits"
DATASETS = (*RAW_SETS, DIGITS)
_FIELD = "data.root"

Uint8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """A data set in its official split: images uint8 (N, 28, 28), labels int64 (N,) from 0 to ``num_classes`` - 1.

    ``sha256`` is one digest over those of the raw files in their order. ``warning`` is empty unless this is the
    stand-in for a data set that could not be had; then it says so and must be shown wherever the data are used.
    """

    train_images: Uint8
    train_labels: Int64
    test_images: Uint8
    test_labels: Int64
    name: str
    num_classes: int
    sha256: str
    sources: tuple[str, ...]
    warning: str = ""


def load_images(dataset: str, root: Path, download: bool = True, progress: Progress | None = None) -> Images:
    """Read ``dataset`` (a name in ``DATASETS``) from below the data ``root``, each file verified by its SHA-256.

    What is not there is fetched if ``download``; where MNIST cannot be had at all, scikit-learn's digits stand in
    for it, with a ``warning``. Raises ``ValueError`` (one line, with the config field) for an unknown name, files
    that are damaged or, without ``download``, missing; ``DownloadError`` if another data set cannot be fetched.
    """
    name = one_of("dataset", dataset, DATASETS, "data.dataset")
    if name == DIGITS:
        return _digits()
    raw = RAW_SETS[name]
    if download and missing(raw, root):
        try:
            fetch_raw(raw, root, progress)
        except DownloadError as error:
            if raw.name != "MNIST":
                raise
            return _stand_in(error)
    return _assemble(raw, _read_all(raw, root))


def fetch_images(dataset: str, root: Path, progress: Progress | None = None) -> Path:
    """Download ``dataset`` below ``root`` unless it is there already, and return the folder of its raw files.

    ``digits`` needs no download: the path is that of the installed scikit-learn's own. Raises ``ValueError`` for
    an unknown name or a damaged file, ``DownloadError`` if no source gives the data set.
    """
    name = one_of("dataset", dataset, DATASETS, "dataset")
    if name == DIGITS:
        import sklearn.datasets

        return Path(sklearn.datasets.__file__).parent
    raw = RAW_SETS[name]
    if missing(raw, root):
        fetch_raw(raw, root, progress)
    else:
        read_present(raw, root)
    return raw.raw_folder(root)


def _read_all(raw: RawSet, root: Path) -> list[RawFile]:
    if lacking := missing(raw, root):
        names = ", ".join(path.name for path in lacking)
        raise ValueError(
            f"`dataset` must be present; {raw.name!r} lacks {names} in {raw.raw_folder(root)}: run `genlab fetch "
            f"dataset={raw.name}`, or point GENLAB_DATA at a folder that has {raw.folder}/raw ({_FIELD})"
        )
    return read_present(raw, root)


def _assemble(raw: RawSet, files: list[RawFile]) -> Images:
    train_images, train_labels = _part(raw, files[0], files[1])
    test_images, test_labels = _part(raw, files[2], files[3])
    return Images(
        train_images,
        train_labels,
        test_images,
        test_labels,
        name=raw.name,
        num_classes=raw.num_classes,
        sha256=_digest(file.sha256 for file in files),
        sources=tuple(str(file.path.absolute()) for file in files),
    )


def _part(raw: RawSet, images: RawFile, labels: RawFile) -> tuple[Uint8, Int64]:
    """The images and labels of the training or of the test set, checked against each other."""
    pixels = read_idx(images.content, str(images.path))
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (SIZE, SIZE):
        shown = f"{pixels.dtype} {pixels.shape}"
        raise refuse(str(images.path), f"hold 8-bit images of {SIZE} x {SIZE} pixels", shown, _FIELD)
    classes = _labels(raw, read_idx(labels.content, str(labels.path)), labels.path)
    if len(classes) != len(pixels):
        rule = f"have a label for each of the {len(pixels)} images in {images.path.name}"
        raise refuse(str(labels.path), rule, len(classes), _FIELD)
    return np.ascontiguousarray(pixels.transpose(0, 2, 1)) if raw.transposed else pixels, classes


def _labels(raw: RawSet, values: NDArray[Any], path: Path) -> Int64:
    """Classes from 0; QMNIST has a row for each image, whose first column is the class."""
    if raw.folder == "QMNIST" and values.ndim == 2:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "ui":
        raise refuse(str(path), "hold one integer for each image", f"{values.dtype} {values.shape}", _FIELD)
    classes = values.astype(np.int64) - raw.first_label
    if classes.min() < 0 or classes.max() >= raw.num_classes:
        low, high = raw.first_label, raw.first_label + raw.num_classes - 1
        wrong = values[(classes < 0) | (classes >= raw.num_classes)][0]
        raise refuse(str(path), f"hold labels from {low} to {high}", int(wrong), _FIELD)
    return classes


def _digits() -> Images:
    small, labels, source = load_small()
    train, test = split_off_test(labels)
    images = enlarge(small)
    return Images(
        images[train],
        labels[train],
        images[test],
        labels[test],
        name=DIGITS,
        num_classes=10,
        sha256=_digest(hashlib.sha256(part.tobytes()).hexdigest() for part in (small, labels)),
        sources=(source,),
    )


def _stand_in(reason: DownloadError) -> Images:
    digits = _digits()
    count = len(digits.train_labels) + len(digits.test_labels)
    warning = (
        f"this is not MNIST but scikit-learn's bundled handwritten digits ({count:,} images of 8x8 pixels, resized "
        f"to {SIZE}x{SIZE}), for MNIST could not be had: {reason}"
    )
    return replace(digits, warning=warning)


def _digest(hashes: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
