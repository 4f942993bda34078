"""How a command ended, and the line that says so."""

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """A command's end: its state (done or failed), the run's folder where there is one, and the reason of a failure."""

    state: str = "done"
    folder: Path | None = None
    reason: str = ""
    name: str = ""


class Failed(RuntimeError):
    """A run failed while it worked; the message is one line."""


class Interrupted(RuntimeError):
    """A run was stopped by the user after it had saved what it had."""


class Stop(BaseException):
    """Ends training where it stands.

    Not KeyboardInterrupt: Lightning answers that one by ending the process, and a whole sweep with it.
    """


def say(line: object) -> None:
    """Print on stderr, where anybody is left to read: a closed terminal or a pipe to nobody must end no run.

    Also from a signal's handler, which may come in the middle of another line.
    """
    with suppress(OSError, RuntimeError, ValueError):
        print(line, file=sys.stderr, flush=True)
