"""Where the time of a command's imports goes, by the interpreter's own account of every module."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from genlab.benchmarks.children import run_child

SHOWN = 10
"""Packages with a row of their own."""
REST = "all others"
PROGRAM = """
from genlab.run.quick_imports import quick_imports

with quick_imports():
    import genlab.run.fit
"""
_LINE = re.compile(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", re.MULTILINE)
_MICROSECONDS = 1e6


class Imports(NamedTuple):
    """The seconds of a process that imports what ``genlab train`` does, and those of each package with its modules.

    The interpreter's account takes time too: ``seconds`` is of a process without it.
    """

    seconds: float
    packages: dict[str, float]


def imports(python: str, way: str) -> Imports:
    """Import with the interpreter ``python``; ``way`` is ``lean`` or ``whole`` (docs/adr/0013)."""
    variables = {"GENLAB_TORCHMETRICS": way}
    seconds = run_child([python, "-c", PROGRAM], variables).seconds
    account = run_child([python, "-X", "importtime", "-c", PROGRAM], variables).output
    return Imports(seconds, by_package(account))


def by_package(account: str) -> dict[str, float]:
    """Seconds by package, the largest first: each module's own time, without what it imports itself."""
    found: dict[str, float] = defaultdict(float)
    for microseconds, module in _lines(account):
        found[module.partition(".")[0]] += microseconds / _MICROSECONDS
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _lines(account: str) -> Iterator[tuple[int, str]]:
    for line in _LINE.finditer(account):
        yield int(line[1]), line[2]
