"""A program that downloads for us: in a process of its own, with a hard time limit, and never left behind."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from genlab.datasets.download import Progress

_POLL = 0.1  # seconds between looks at the process


class ChildError(Exception):
    """Why a program did not do its work, in one line."""


def run_child(command: Sequence[str], folder: Path, time_limit: float, progress: Progress | None = None) -> None:
    """Run ``command`` in ``folder`` and wait for its end, at most ``time_limit`` seconds.

    ``progress`` is called every moment and at the end with the bytes below ``folder``, and ``None``. Whatever happens,
    an interrupt too, the process and all that it started have ended afterwards. Raises ``ChildError`` if it cannot
    be started, is not done in time or ends with another exit code than 0.
    """
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, to be ended as a whole
            )
        except OSError as error:
            raise ChildError(f"cannot be started ({error.strerror or error})") from error
        try:
            code = _wait(process, folder, time_limit, progress)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code:
            log.seek(0)
            raise ChildError(_last_words(log.read().decode(errors="replace")) or f"ended with exit code {code}")
    if progress is not None:
        progress(_bytes_below(folder), None)


def _wait(process: subprocess.Popen[bytes], folder: Path, time_limit: float, progress: Progress | None) -> int:
    deadline = time.monotonic() + time_limit
    while True:
        try:
            return process.wait(_POLL)
        except subprocess.TimeoutExpired:
            if progress is not None:
                progress(_bytes_below(folder), None)
        if time.monotonic() > deadline:
            raise ChildError(f"not done within {time_limit:g} s")


def _bytes_below(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(place, name))
            except OSError:  # it was temporary
                continue
    return total


def _last_words(log: str) -> str:
    """The last line of what a program printed; of npm its error code, for its last lines are advice."""
    if code := re.search(r"^npm (?:error|ERR!) code (\S+)", log, re.MULTILINE):
        return f"error {code[1]}"
    lines = [" ".join(line.split()) for line in re.split(r"[\r\n]+", log) if line.strip()]
    return lines[-1] if lines else ""
