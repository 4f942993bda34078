"""How a command ended."""

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
