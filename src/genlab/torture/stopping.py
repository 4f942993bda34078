"""Ctrl-C and SIGTERM: training ends within seconds, with a checkpoint, and says how to go on."""

import json
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from genlab.torture.children import Child, Ended, run
from genlab.torture.comparison import differences
from genlab.torture.faults import Wrong
from genlab.torture.record import Row, verdict
from genlab.torture.resuming import Reference
from genlab.torture.stages import STEP

SECTION = "stopping"
MOST_SECONDS = 5.0
AT_ONCE_SECONDS = 2.0
INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_EVENTS = (STEP, "saving", STEP, "validating")
_LATER = 0.5  # seconds after the first signal at which the second comes


@dataclass
class Stops:
    """How long each stop took, in seconds, and what was wrong."""

    seconds: list[float] = field(default_factory=list)
    wrong: Wrong = field(default_factory=list)

    def told(self, what: str) -> str:
        """What was seen, as a cell of the table."""
        if not self.seconds:
            return f"nothing was stopped; {verdict(self.wrong)}"
        mean = sum(self.seconds) / len(self.seconds)
        times = f"after {mean:.2f} s on average, {max(self.seconds):.2f} s at most"
        return f"{times}; {what}" if not self.wrong else f"{times}; not as it should be: {verdict(self.wrong)}"


def stop_rows(alone: Reference, text: Path, folder: Path, times: int, seed: int, quick: bool) -> Iterator[Row]:
    """Stop the small training again and again; unless quick, one at the experiment's own sizes, and one twice."""
    chance = random.Random(f"{alone.model} {seed} stop")
    yield _small(alone, folder, times, chance)
    if quick:
        return
    own = _own_sizes(alone.model, text)
    yield _large(alone.model, own, folder, times, chance)
    yield _twice(alone.model, own, folder, max(1, times // 2), chance)


def _small(alone: Reference, folder: Path, times: int, chance: random.Random) -> Row:
    """One training, stopped so many times and gone on with, against a run left alone."""
    began, stops = time.monotonic(), Stops()
    place = folder / f"stopped-{alone.model}"
    place.mkdir(parents=True)
    words = [*alone.words, "run_dir=run"]
    for number in range(times):
        nth = chance.randint(1, max(1, alone.steps // times)) if _EVENTS[number % 4] == STEP else 1
        ended = _stop(words, place, number, nth, chance.uniform(0, alone.step_seconds), stops)
        if ended is not None:
            stops.wrong += _wrong_stop(ended, place / "run", saved=True)
    ended = run(words, place)
    stops.wrong += [f"exit code {ended.code}: {ended.err}"] if ended.code else differences(place / "run", alone.folder)
    seen = stops.told(
        "exit code 130, status interrupted, last.ckpt of that iteration; gone on with: as a run left alone"
    )
    return _row(alone.model, "Ctrl-C and SIGTERM in turn, in steps, saves and validations", stops, seen, began)


def _large(model: str, words: list[str], folder: Path, times: int, chance: random.Random) -> Row:
    began, stops = time.monotonic(), Stops()
    for number in range(times):
        place = folder / f"stopped-{model}-own-{number}"
        place.mkdir(parents=True)
        ended = _stop([*words, "run_dir=run"], place, number, chance.randint(1, 3), chance.uniform(0, 0.5), stops)
        stops.wrong += ["it had ended before"] if ended is None else _wrong_stop(ended, place / "run", saved=False)
    seen = stops.told("exit code 130, status interrupted, the command to go on is printed")
    return _row(model, "Ctrl-C and SIGTERM in turn, at the experiment's own sizes", stops, seen, began)


def _twice(model: str, words: list[str], folder: Path, times: int, chance: random.Random) -> Row:
    """The second signal comes while the first one waits for a step that does not end."""
    began, stops = time.monotonic(), Stops()
    for number in range(times):
        place = folder / f"stopped-{model}-twice-{number}"
        place.mkdir(parents=True)
        child = Child([*words, "run_dir=run"], place, _endless_step)
        for event in child.events():
            if event == STEP:
                break
        _wait(child, 0.2)
        child.send(_signal(number))
        _wait(child, _LATER + chance.uniform(0, 0.2))
        since = time.monotonic()
        child.send(_signal(number))
        ended = child.end()
        stops.seconds.append(time.monotonic() - since)
        stops.wrong += _wrong_stop(ended, place / "run", saved=False, checkpoint=False)
    if max(stops.seconds) > AT_ONCE_SECONDS:
        stops.wrong.append(f"the slowest took {max(stops.seconds):.1f} s")
    seen = stops.told("exit code 130, status interrupted")
    return _row(model, "a second signal, in a step that does not end", stops, seen, began)


def _row(model: str, done: str, stops: Stops, seen: str, began: float) -> Row:
    details = {"stop_seconds": stops.seconds, "wrong": stops.wrong}
    ok = not stops.wrong and bool(stops.seconds)
    return Row(SECTION, model, done, len(stops.seconds), seen, ok, time.monotonic() - began, details)


def _own_sizes(model: str, text: Path) -> list[str]:
    """The model's experiment as it is, on data that every machine has."""
    data = [f"data.text={text}"] if model == "char_rnn" else ["data.dataset=digits", "data.val_size=300"]
    often = "callbacks.last.every_seconds=1"
    return ["train", f"experiment={model}", *data, "trainer.accelerator=cpu", "trainer.max_steps=100000", often]


def _stop(words: list[str], place: Path, number: int, nth: int, delay: float, stops: Stops) -> Ended | None:
    """Start the command, send a signal at such an event, and time its end; None if it had ended before."""
    child = Child(words, place)
    event = _EVENTS[number % 4]
    for told in child.events():
        nth -= told == event
        if nth == 0:
            break
    _wait(child, delay)
    since = time.monotonic()
    child.send(_signal(number))
    ended = child.end()
    if ended.code == 0:
        return None
    stops.seconds.append(time.monotonic() - since)
    if stops.seconds[-1] > MOST_SECONDS:
        stops.wrong.append(f"a stop took {stops.seconds[-1]:.1f} s")
    return ended


def _signal(number: int) -> signal.Signals:
    """The signals in turn; in the next round of events the other way round, so that each comes at each."""
    return _SIGNALS[(number + number // len(_EVENTS)) % 2]


def _wait(child: Child, seconds: float) -> None:
    for _ in child.events(seconds):
        pass


def _wrong_stop(ended: Ended, folder: Path, saved: bool, checkpoint: bool = True) -> Wrong:
    """What is not as a stop should leave it; ``saved``: the checkpoint is of the very iteration it stopped at."""
    last = ended.err.splitlines()[-1] if ended.err else ""
    wrong = [] if ended.code == INTERRUPTED else [f"exit code {ended.code}: {ended.err[-300:]}"]
    wrong += [] if "; to go on: genlab train " in last else [f"no command to go on with: {ended.err[-300:]}"]
    wrong += ["a traceback is shown"] if "Traceback" in ended.err else []
    status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    wrong += [] if status["state"] == "interrupted" else [f"status.json says {status['state']}"]
    if not checkpoint:
        return wrong
    content = torch.load(folder / "checkpoints" / "last.ckpt", map_location="cpu", weights_only=True)
    if saved and content["global_step"] != status["iterations"]:
        wrong.append(f"last.ckpt is of iteration {content['global_step']}, the stop at {status['iterations']}")
    return wrong


def _endless_step() -> None:
    """Have the first training step last a minute."""
    from genlab.run.last_checkpoint import LastCheckpoint

    begin = LastCheckpoint.on_train_batch_start

    def slow(*args: object) -> None:
        begin(*args)  # type: ignore[arg-type]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            time.sleep(0.01)

    setattr(LastCheckpoint, "on_train_batch_start", slow)  # noqa: B010 (mypy knows no patches)
