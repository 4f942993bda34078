"""One line of live progress over all runs of a study, read from their records: done, running, failed, time left.

It is drawn by a thread, for the runs may be in other processes; where the output is no terminal, a plain line comes
whenever a run has ended.
"""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from genlab.reporting.sections import duration
from genlab.run.study_plan import Plan, PlannedJob
from genlab.run.study_records import ENDED, read_record

EVERY = 0.5
"""Seconds between looks at the records."""


class StudyLine:
    """The line; ``workers`` runs go at once."""

    def __init__(self, plan: Plan, pending: Sequence[PlannedJob], workers: int, file: TextIO | None = None) -> None:
        self.plan, self.pending, self.workers = plan, list(pending), workers
        self.before = len(plan.all_jobs()) - len(self.pending)
        self.console = Console(file=file or sys.stdout, highlight=False)
        self._told: set[str] = set()
        self._end = threading.Event()

    def state_of(self, planned: PlannedJob) -> str:
        """How a job stands: waiting, or what its record says."""
        return str(read_record(self.plan.folder, planned.key).get("state") or "waiting")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the line up to date within the block."""
        self._began = time.monotonic()
        count = len(self.plan.all_jobs())
        what = f"{self.plan.name}, budget {self.plan.budget}: {count} runs, {self.before} of them done before"
        self.console.print(f"{what}, in {self.plan.folder}", soft_wrap=True)
        drawing = threading.Thread(target=self._draw, daemon=True)
        drawing.start()
        try:
            yield
        finally:
            self._end.set()
            drawing.join()

    def say(self, words: str) -> None:
        """Print a line of its own, above the one that is kept up to date."""
        self.console.print(words, soft_wrap=True)

    def _draw(self) -> None:
        if not self.console.is_terminal:
            while not self._end.wait(EVERY):
                self._tell()
            self._tell()
            return
        with Live(self._line(), console=self.console, refresh_per_second=4, redirect_stdout=False) as live:
            while not self._end.wait(EVERY):
                live.update(self._line())
            live.update(self._line())

    def _tell(self) -> None:
        """A plain line for every run that has ended since the last look."""
        for planned in self.pending:
            record = read_record(self.plan.folder, planned.key)
            if record.get("state") in ENDED and planned.key not in self._told:
                self._told.add(planned.key)
                reason = f": {record['reason']}" if record["reason"] else ""
                took = duration(record["seconds"])
                self.console.print(
                    f"{self._counts()}  {planned.name} {record['state']} in {took}{reason}", soft_wrap=True
                )

    def _counts(self) -> str:
        states = [self.state_of(planned) for planned in self.pending]
        done, failed = states.count("done"), states.count("failed")
        left = self._time_left(sum(state in ENDED for state in states))
        return f"{self.before + done} of {len(self.plan.all_jobs())} done, {failed} failed{left}"

    def _time_left(self, ended: int) -> str:
        if not 0 < ended < len(self.pending):
            return ""
        each = (time.monotonic() - self._began) / ended
        return f", about {duration(each * (len(self.pending) - ended))} left"

    def _line(self) -> Text:
        running = [planned for planned in self.pending if self.state_of(planned) == "running"]
        now = "; ".join(f"{planned.name} ({self._at(planned)})" for planned in running) or "starting"
        text = f"{self._counts()}  running: {now}"
        return Text(text, no_wrap=True, overflow="ellipsis")

    def _at(self, planned: PlannedJob) -> str:
        """How far a run is, in the words of its own log."""
        try:
            lines = self.plan.job_file(planned.key, "log").read_text(encoding="utf-8").splitlines()
        except OSError:
            return "starting"
        last = next((line for line in reversed(lines[-20:]) if line.startswith("iteration")), "")
        return last.split("  ")[0] or "starting"
