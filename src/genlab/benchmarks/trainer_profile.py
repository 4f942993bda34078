"""What the Trainer adds to the char-RNN's engine, by Lightning's own profiler and a stopwatch around the engine."""

import json
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.profilers import Profiler

from genlab.benchmarks.clock import read_clock
from genlab.benchmarks.training import Setting, genlab_train
from genlab.char_rnn.engines import NumpyEngine, TorchEngine

Span = tuple[float, float]
"""Two readings of ``time.perf_counter``."""

FILE = "durations.json"
ENGINE, FIGURES, READING, VALIDATION = "engine", "figures of a step", "reading the text", "validation"
REST = "Lightning's loop and metrics.csv"
_CALLBACK = re.compile(r"\[Callback\](\w+).*\.(on_train_batch_\w+|on_validation_\w+)$")


class Durations(Profiler):
    """Writes when every action began and ended, lists of pairs of seconds, as ``durations.json`` into ``folder``."""

    def __init__(self, folder: str | Path) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.began: dict[str, float] = {}
        self.spans: dict[str, list[Span]] = defaultdict(list)

    def start(self, action_name: str) -> None:
        """Note the time."""
        self.began[action_name] = time.perf_counter()

    def stop(self, action_name: str) -> None:
        """Keep the span."""
        if (began := self.began.pop(action_name, None)) is not None:
            self.spans[action_name].append((began, time.perf_counter()))

    def describe(self) -> None:
        """Write the file; Lightning calls this at the end."""
        (self.folder / FILE).write_text(json.dumps(self.spans), encoding="utf-8")


def trainer_parts(setting: Setting, folder: Path) -> dict[str, float]:
    """Seconds that each part took over the measured updates of ``genlab train``; together they are all of them."""
    word = "+trainer.profiler"
    words = [f"{word}._target_=genlab.benchmarks.trainer_profile.Durations", f"{word}.folder={folder}"]
    with stopwatch() as laps:
        genlab_train(setting, folder, setting.warm_up + setting.updates, setting.windows_per_step, words)
    _, times = read_clock(folder)
    spans = json.loads((folder / FILE).read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return parted(spans, laps, (times[setting.warm_up], times[setting.warm_up + setting.updates]))


@contextmanager
def stopwatch() -> Iterator[list[Span]]:
    """When every call of an engine's ``train`` within the block began and ended."""
    laps: list[Span] = []
    before = {kind: kind.train for kind in (NumpyEngine, TorchEngine)}

    def around(train: Any) -> Any:
        def timed(*args: Any) -> Any:
            began = time.perf_counter()
            try:
                return train(*args)
            finally:
                laps.append((began, time.perf_counter()))

        return timed

    try:
        for kind, train in before.items():
            kind.train = around(train)  # type: ignore[method-assign]
        yield laps
    finally:
        for kind, train in before.items():
            kind.train = train  # type: ignore[method-assign]


def parted(spans: Mapping[str, Sequence[Span]], laps: Sequence[Span], window: Span) -> dict[str, float]:
    """The seconds of ``window`` by part; ``laps`` are the engine's. What lies outside of it is left out."""
    parts: dict[str, float] = defaultdict(float)
    parts[ENGINE] = within(laps, window)
    for action, found in spans.items():
        seconds = within(found, window)
        if action.endswith("Strategy.training_step"):
            parts[FIGURES] += seconds - parts[ENGINE]
        elif action.endswith("train_dataloader_next"):
            parts[READING] += seconds
        elif action.endswith("Strategy.validation_step"):
            parts[VALIDATION] += seconds
        elif hook := _CALLBACK.search(action):
            parts[f"callback {hook[1]}"] += seconds
    return {**parts, REST: window[1] - window[0] - sum(parts.values())}


def within(spans: Sequence[Span], window: Span) -> float:
    """The seconds of the spans that lie in a window."""
    return sum(ended - began for began, ended in spans if began >= window[0] and ended <= window[1])
