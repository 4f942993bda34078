"""Contenders that run in a process of their own, as a user starts them: how long it took, and its peak memory."""

import importlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genlab.benchmarks import launch

MIB = 1 << 20
# What getrusage counts in: bytes on macOS, kilobytes elsewhere.
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

# The live line of progress is drawn as in a terminal, though nobody looks.
AS_IN_A_TERMINAL = {"FORCE_COLOR": "1", "COLUMNS": "120"}


@dataclass(frozen=True)
class Ended:
    """A command that went well: the wall clock from its start to its end, its peak memory, and what it printed.

    ``began`` is the time of its start (seconds since the epoch). The memory is that of its largest process.
    """

    seconds: float
    peak_mib: float
    output: str
    began: float


def run_child(words: Sequence[str], variables: Mapping[str, str] | None = None) -> Ended:
    """Run a command, with these environment variables, and wait for its end.

    Raises ``RuntimeError`` with the end of what it printed if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        report, said = Path(folder) / "report.json", Path(folder) / "said.txt"
        with said.open("wb") as file:
            launcher = [sys.executable, "-I", launch.__file__, str(report), *words]
            env = {**os.environ, **(variables or {})}
            subprocess.run(launcher, stdout=file, stderr=subprocess.STDOUT, env=env, check=True)
        found = json.loads(report.read_text(encoding="utf-8"))
        output = said.read_text(encoding="utf-8", errors="replace")
    if found["code"] != 0:
        raise RuntimeError(f"{' '.join(words)} ended with {found['code']}: {output[-2000:]}")
    return Ended(found["seconds"], found["max_rss"] * MAXRSS_UNIT / MIB, output, found["began"])


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables within the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass
class Runner:
    """Runs genlab's commands and the peers' programs, and keeps the peak memory of each contender.

    With ``in_process`` they are called in this process, which takes seconds less: for a try, not for a figure.
    """

    in_process: bool = False
    peaks: dict[str, list[float]] = field(default_factory=dict)

    def genlab(self, contender: str, words: Sequence[str]) -> Ended:
        """``genlab WORDS``; raises ``RuntimeError`` with the command's words where it fails."""
        return self._run(contender, "genlab", "genlab.run.cli", words)

    def program(self, contender: str, module: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """What a program of this package found: its ``main`` takes options as JSON and prints a JSON object last.

        The wall clock of the whole process is added as ``seconds``.
        """
        ended = self._run(contender, module, module, [json.dumps(dict(options))])
        found: dict[str, Any] = json.loads(ended.output.strip().splitlines()[-1])
        return {**found, "seconds": ended.seconds}

    def _run(self, contender: str, module: str, with_main: str, words: Sequence[str]) -> Ended:
        if self.in_process:
            ended = _call(module, importlib.import_module(with_main).main, words)
        else:
            ended = run_child([sys.executable, "-m", module, *words], AS_IN_A_TERMINAL)
        self.note(contender, ended)
        return ended

    def note(self, contender: str, ended: Ended) -> None:
        """Keep the peak memory of a contender's process."""
        self.peaks.setdefault(contender, []).append(ended.peak_mib)

    def medians(self) -> dict[str, float]:
        """The median of each contender's peaks, in MiB."""
        return {name: float(np.median(peaks)) for name, peaks in self.peaks.items()}


def _call(module: str, main: Callable[[list[str]], int], words: Sequence[str]) -> Ended:
    said, began, start = io.StringIO(), time.time(), time.perf_counter()
    with redirect_stdout(said), redirect_stderr(said), environment(AS_IN_A_TERMINAL), warnings.catch_warnings():
        warnings.simplefilter("default")  # as in a process of its own: they are printed
        code = main(list(words))
    if code != 0:
        raise RuntimeError(f"{module} {' '.join(words)} ended with {code}: {said.getvalue()[-2000:]}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT / MIB
    return Ended(time.perf_counter() - start, peak, said.getvalue(), began)
