"""A genlab command in a child of this process, which has everything imported: it starts in a fraction of a second."""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlab.torture.stages import STAGES, STEP, OnEnter, Reporter, read

CRASHED = 70
"""The exit code of a child whose command let an exception through."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, or minus the signal that ended it, and what it printed."""

    code: int
    out: str
    err: str


class Child:
    """A command that runs now, in ``folder``; what it prints goes to files beside that, which may be a full disk.

    ``prepare`` is called in the child before the command; ``on_enter`` there too, as each stage begins.
    """

    def __init__(
        self,
        words: Sequence[str],
        folder: Path,
        prepare: Callable[[], None] | None = None,
        on_enter: OnEnter | None = None,
    ) -> None:
        self.began = time.monotonic()
        self.files = folder.with_name(f"{folder.name}.out"), folder.with_name(f"{folder.name}.err")
        self._pipe, told = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._pipe)
            code = CRASHED
            try:
                code = _work(words, folder, self.files, Reporter(told, on_enter), prepare)
            finally:  # whatever was raised, the parent's work is not the child's
                os._exit(code)
        os.close(told)
        self.last_stage = STAGES[0]
        self._code: int | None = None

    def events(self, seconds: float | None = None) -> Iterator[str]:
        """Stages as they are entered, and steps, until the child's end or until ``seconds`` have gone by."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._pipe], [], [], left)[0]:
                return
            told = os.read(self._pipe, 1)
            if not told:
                return
            event = read(told[0])
            if event != STEP:
                self.last_stage = event
            yield event

    def send(self, number: int) -> None:
        """Send a signal, unless the child has ended."""
        if self._code is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the child with SIGKILL."""
        self.send(signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for the end; ``last_stage`` is where it came."""
        for _ in self.events():
            pass
        if self._code is None:
            _, status = os.waitpid(self.pid, 0)
            self._code = os.waitstatus_to_exitcode(status)
            os.close(self._pipe)
        return Ended(self._code, *(file.read_text(encoding="utf-8", errors="replace") for file in self.files))


def run(words: Sequence[str], folder: Path, prepare: Callable[[], None] | None = None) -> Ended:
    """Run a command in a child to its end."""
    return Child(words, folder, prepare).end()


def _work(
    words: Sequence[str],
    folder: Path,
    files: tuple[Path, Path],
    reporter: Reporter,
    prepare: Callable[[], None] | None,
) -> int:
    """The child's whole life; returns its exit code."""
    try:
        _end_with_parent()
        _redirect(files)
        os.chdir(folder)
        # A shell that runs a script has its background children ignore Ctrl-C, and their children too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        reporter.install()
        if prepare is not None:
            prepare()
        from genlab.run.cli import main

        code = main(list(words))
    except BaseException:
        traceback.print_exc()
        code = CRASHED
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _end_with_parent() -> None:
    """Have the kernel kill this process when the suite ends before it, where the kernel is Linux."""
    if sys.platform == "linux":
        die_with_parent = 1  # PR_SET_PDEATHSIG of prctl (2)
        ctypes.CDLL(None).prctl(die_with_parent, int(signal.SIGKILL))


def _redirect(files: tuple[Path, Path]) -> None:
    for target, source in ((0, Path(os.devnull)), (1, files[0]), (2, files[1])):
        descriptor = os.open(source, os.O_RDONLY if target == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(descriptor, target)
        os.close(descriptor)


def cold(words: Sequence[str], folder: Path, environment: Mapping[str, str | None] | None = None) -> Ended:
    """Run a command to its end in an interpreter of its own; a variable of the environment that is None is unset."""
    settings = {**os.environ, **(environment or {})}
    done = subprocess.run(
        [sys.executable, "-m", "genlab", *words],
        cwd=folder,
        env={name: value for name, value in settings.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
