"""One process at a time in a folder: a lock that ends with the process, however that ends."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from genlab.checks import refuse

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

_WAITED_FOR: ContextVar[tuple[Path, ...]] = ContextVar("_WAITED_FOR", default=())
"""The folders whose lock this thread of this process has by waiting."""


@contextmanager
def only_one(folder: Path, argument: str, what: str) -> Iterator[None]:
    """Keep every other process out of ``folder`` within the block, where the system has locks (Windows has not).

    Raises ``ValueError`` naming ``argument`` while another process is there; ``what`` says what that one does. Within
    :func:`waited_for` the folder is this process's already.
    """
    if folder.resolve() in _WAITED_FOR.get():
        yield
        return

    def refuse_it(descriptor: int) -> None:
        raise refuse(argument, f"not be in use: {what}", str(folder), argument) from None

    with _held(folder, refuse_it):
        yield


@contextmanager
def waited_for(folder: Path, say: Callable[[], object]) -> Iterator[None]:
    """As :func:`only_one`, but while another process is there ``say`` is called, and its end is waited for.

    ``KeyboardInterrupt`` comes through while it waits.
    """

    def wait(descriptor: int) -> None:
        say()
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    with _held(folder, wait):
        token = _WAITED_FOR.set((*_WAITED_FOR.get(), folder.resolve()))
        try:
            yield
        finally:
            _WAITED_FOR.reset(token)


@contextmanager
def _held(folder: Path, where_taken: Callable[[int], None]) -> Iterator[None]:
    """Hold the lock of ``folder``; ``where_taken`` is handed its descriptor while another process has it."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where_taken(descriptor)
        yield
    finally:
        os.close(descriptor)  # which unlocks it, as the end of the process does
