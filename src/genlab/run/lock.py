"""One process at a time in a folder: a lock that ends with the process, however that ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genlab.checks import refuse

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]


@contextmanager
def only_one(folder: Path, argument: str, what: str) -> Iterator[None]:
    """Keep every other process out of ``folder`` within the block, where the system has locks (Windows has not).

    Raises ``ValueError`` naming ``argument`` while another process is there; ``what`` says what that one does.
    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refuse(argument, f"not be in use: {what}", str(folder), argument) from None
        yield
    finally:
        os.close(descriptor)  # which unlocks it, as the end of the process does
