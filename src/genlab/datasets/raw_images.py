"""The raw files of the image data sets, laid out as torchvision lays them out, and how each file is verified."""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from genlab.checks import refuse
from genlab.datasets.download import refuse_damaged, write_whole

_FIELD = "data.root"
RECORD = "SHA256SUMS"  # beside raw files whose hashes nobody published: what they were when they came
PLAIN_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
QMNIST_FILES = (
    "qmnist-train-images-idx3-ubyte",
    "qmnist-train-labels-idx2-int",
    "qmnist-test-images-idx3-ubyte",
    "qmnist-test-labels-idx2-int",
)
EMNIST_CLASSES = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 26, "digits": 10, "mnist": 10}


@dataclass(frozen=True)
class RawSet:
    """One data set's four files (images and labels of training, then of test) and how to read them."""

    name: str
    folder: str  # torchvision's class, and its folder below the data root
    files: tuple[str, ...] = PLAIN_FILES
    sha256: tuple[str, ...] = ()  # of the files in that order, where they are published
    num_classes: int = 10
    split: str = ""  # torchvision's argument, of EMNIST alone
    first_label: int = 0  # the number that the files give to the first class
    transposed: bool = False  # whether the files hold each image column by column
    time_limit: float = 300.0  # seconds that a download may take in all

    def raw_folder(self, root: Path) -> Path:
        """Where the raw files lie below the data root."""
        return root.expanduser() / self.folder / "raw"


@dataclass(frozen=True)
class RawFile:
    """A file as it was read: its content, unpacked where it is packed, and that content's hash."""

    path: Path
    content: bytes | bytearray
    sha256: str


def _emnist(split: str) -> RawSet:
    parts = ("train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1")
    return RawSet(
        f"EMNIST-{split}",
        "EMNIST",
        tuple(f"emnist-{split}-{part}-ubyte" for part in parts),
        num_classes=EMNIST_CLASSES[split],
        split=split,
        first_label=1 if split == "letters" else 0,
        transposed=True,
        time_limit=3600.0,  # one archive of half a gigabyte for all splits
    )


MNIST = RawSet(
    "MNIST",
    "MNIST",
    sha256=(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
RAW_SETS = {
    "MNIST": MNIST,
    "FashionMNIST": RawSet("FashionMNIST", "FashionMNIST"),
    "KMNIST": RawSet("KMNIST", "KMNIST"),
    "QMNIST": RawSet("QMNIST", "QMNIST", QMNIST_FILES),
    "EMNIST": _emnist("balanced"),
    **{f"EMNIST-{split}": _emnist(split) for split in EMNIST_CLASSES},
}


def files_of_folder(folder: str) -> list[str]:
    """The names of all raw files that a torchvision class has, whichever the split."""
    return list(dict.fromkeys(name for raw in RAW_SETS.values() if raw.folder == folder for name in raw.files))


def missing(raw: RawSet, root: Path) -> list[Path]:
    """Those of the four files that are there neither as they are nor with ``.gz``.

    Raises ``ValueError`` if something that is no file has the place of one.
    """
    folder = raw.raw_folder(root)
    return [folder / name for name in raw.files if _locate(folder / name) is None]


def read_present(raw: RawSet, root: Path) -> list[RawFile]:
    """Those of the four files that are there, each verified.

    A hash is compared with the published one or else with the record; a file that has neither passes. Raises
    ``ValueError`` (one line, naming the file) for a file that is damaged or cannot be read.
    """
    folder = raw.raw_folder(root)
    expected = expected_hashes(raw, root)
    found = ((name, _locate(folder / name)) for name in raw.files)
    return [_read(path, expected.get(name)) for name, path in found if path is not None]


def damaged(raw: RawSet, root: Path) -> list[str]:
    """What is wrong with those of the four files that are there, a line each; nothing where nothing is."""
    folder = raw.raw_folder(root)
    wrong = []
    for name in raw.files:
        try:
            if path := _locate(folder / name):
                _read(path, expected_hashes(raw, root).get(name))
        except ValueError as error:
            wrong.append(str(error))
    return list(dict.fromkeys(wrong))  # a bad record is bad for each of them


def expected_hashes(raw: RawSet, root: Path) -> dict[str, str]:
    """The SHA-256 that each raw file must have, by its name: published ones, or else those on record."""
    if raw.sha256:
        return dict(zip(raw.files, raw.sha256, strict=True))
    record = raw.raw_folder(root) / RECORD
    if not record.is_file():
        return {}
    lines = _content(record).decode(errors="replace").splitlines()
    found = [re.fullmatch(r"([0-9a-f]{64}) [ *](\S+)", line) for line in lines]
    if bad := [line for line, match in zip(lines, found, strict=True) if match is None]:
        raise refuse(str(record), "have a SHA-256, two spaces and a file's name on each line", bad[0], _FIELD)
    return {match[2]: match[1] for match in found if match is not None}


def add_to_record(raw: RawSet, root: Path, hashes: Mapping[str, str]) -> None:
    """Note the hashes of files that came just now, by their names; raises ``DownloadError`` if it cannot."""
    lines = sorted({**expected_hashes(raw, root), **hashes}.items())
    content = "".join(f"{digest}  {name}\n" for name, digest in lines)
    write_whole(raw.raw_folder(root) / RECORD, content.encode())


def _locate(path: Path) -> Path | None:
    """The file at ``path`` or, packed, beside it."""
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if os.path.isfile(candidate):
            return candidate
        if os.path.lexists(candidate):
            kind = "a link to nothing" if candidate.is_symlink() else "no file"
            raise refuse(str(candidate), "be a file; delete or move what is there", kind, _FIELD)
    return None


def _read(path: Path, expected: str | None) -> RawFile:
    content = _content(path)
    try:
        unpacked = gzip.decompress(content) if path.suffix == ".gz" else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise refuse(str(path), "be a whole gzip file", str(error), _FIELD) from error
    digest = hashlib.sha256(unpacked).hexdigest()
    refuse_damaged(path, expected or digest, digest)
    return RawFile(path, unpacked, digest)


def _content(path: Path) -> bytearray:
    """The bytes of the file, in memory that an array may use as its own: a copy costs as much as the reading."""
    try:
        with path.open("rb") as file:
            content = bytearray(os.fstat(file.fileno()).st_size)
            file.readinto(content)
            return content
    except OSError as error:
        raise refuse(str(path), "be readable", error.strerror or str(error), _FIELD) from error
