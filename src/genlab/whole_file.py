"""Files that are there whole or not at all, whatever ends the process or the machine while they are written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

PART = ".part"


@contextmanager
def whole_file(path: Path) -> Iterator[BufferedWriter]:
    """Write beside ``path``, force that to the disk and rename it; what was there stays until then, and if it fails.

    Raises ``OSError`` that names ``path``, and leaves no part behind unless the process is killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{PART}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _force(path.parent)
    except OSError as error:
        _discard(part)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except BaseException:
        _discard(part)
        raise


def is_part(path: Path) -> bool:
    """Whether ``path`` is what a process that was killed left of a file."""
    return path.name.startswith(".") and path.name.endswith(PART)


def _force(folder: Path) -> None:
    """Force the folder's own record to the disk, so that the new name outlives a loss of power (POSIX alone)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # the disk that refused the file refuses this too; what was the matter is raised already
