"""Starts one command and writes down how it went; a small process between the benchmarks and what they measure.

The system counts what a process's parent held when it was started as part of its own peak memory. This process holds
next to nothing: ``python -I launch.py REPORT COMMAND ...`` writes ``began`` (seconds since the epoch), ``seconds`` of
wall clock, ``max_rss`` in the system's unit and the exit ``code`` into the file REPORT.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def launch(words: Sequence[str]) -> dict[str, float]:
    """Run the command to its end; its output goes where this process's goes."""
    began, start = time.time(), time.perf_counter()
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    return {"began": began, "seconds": seconds, "max_rss": usage.ru_maxrss, "code": child.returncode}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(launch(sys.argv[2:])), encoding="utf-8")
