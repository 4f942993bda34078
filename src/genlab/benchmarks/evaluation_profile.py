"""Where the time of ``genlab evaluate`` goes: stopwatches around what it consists of, in a process of its own.

Run as a program: the command's words as JSON, and a JSON object of seconds on the last line that it prints.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from typing import Any

from genlab.run.cli import main as genlab
from genlab.run.quick_imports import quick_imports

REST = "interpreter, Hydra, files"
IMPORTS = "imports"
# Part of an evaluation, and the names that are called for it, where they are looked up.
PARTS = {
    "reading data, judge and generator": (
        "genlab.run.bench:Bench.data_of",
        "genlab.run.bench:Bench.judge",
        "genlab.run.evaluate:load_trained",
    ),
    "drawing the images": ("genlab.evaluation.image_data:_drawn",),
    "the judge's features": ("genlab.evaluation.image_data:in_chunks",),
    "FID": ("genlab.evaluation.fid_mnist_cnn:frechet_distance",),
    "KID": ("genlab.evaluation.kid_mnist_cnn:subset_discrepancies",),
    "precision and recall": (
        "genlab.evaluation.precision:precision_recall",
        "genlab.evaluation.recall:precision_recall",
    ),
    "figures": ("genlab.run.evaluate:draw_curves", "genlab.run.evaluate:draw_figures"),
}


class Stopwatch:
    """Seconds by part; what is called within a part's call is that part's no longer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    def around(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call`` with its time taken."""

        def timed(*args: Any, **options: Any) -> Any:
            with self.running(part):
                return call(*args, **options)

        return timed

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        """The time of the block, without that of the blocks in it."""
        self._inner.append(0.0)
        began = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - began
            self.seconds[part] += took - self._inner.pop()
            if self._inner:
                self._inner[-1] += took


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate; returns the command's exit code."""
    words: list[str] = json.loads((sys.argv[1:] if argv is None else argv)[0])["words"]
    watch = Stopwatch()
    with watch.running(IMPORTS), quick_imports():
        places = {place: _found(place) for names in PARTS.values() for place in names}
    with watched(watch, places):
        code = genlab(words)
    print(json.dumps(watch.seconds))
    return code


@contextmanager
def watched(watch: Stopwatch, places: Mapping[str, tuple[Any, str]]) -> Iterator[None]:
    """Within the block, ``watch`` takes the time of the calls of ``PARTS``."""
    before = {place: getattr(*found) for place, found in places.items()}
    try:
        for part, names in PARTS.items():
            for place in names:
                setattr(*places[place], watch.around(part, before[place]))
        yield
    finally:
        for place, found in places.items():
            setattr(*found, before[place])


def _found(place: str) -> tuple[Any, str]:
    """The module or class of a place, and the name in it."""
    module, _, path = place.partition(":")
    *classes, name = path.split(".")
    return reduce(getattr, classes, import_module(module)), name


if __name__ == "__main__":
    sys.exit(main())
