"""Trainings that are killed over and over, and gone on with by the same command: nothing may come out another way."""

import json
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import torch

from genlab.torture.children import Child, run
from genlab.torture.comparison import differences
from genlab.torture.record import Row, verdict
from genlab.torture.stages import STEP, OnEnter
from genlab.torture.trainings import command

SECTION = "going on after a kill"
# What kills aim at in turn. `torn`: the kernel ends the process (SIGXFSZ) at a chosen byte of a save.
KINDS = ("training", "saving", "training", "torn", "validating", "training", "saving", "torn", "starting", "training")


@dataclass
class Reference:
    """A training left alone: its command, its folder, and the seconds of every stay in a stage."""

    model: str
    words: list[str]
    folder: Path
    seconds: dict[str, list[float]] = field(default_factory=dict)
    steps: int = 0

    def mean(self, stage: str) -> float:
        """Seconds that a stay in ``stage`` takes."""
        stays = self.seconds.get(stage) or [0.0]
        return sum(stays) / len(stays)

    @property
    def step_seconds(self) -> float:
        """Seconds that a training step takes."""
        return sum(self.seconds.get("training", [0.0])) / max(1, self.steps)


@dataclass
class Toll:
    """What the kills of one model's trainings came to; ``wrong`` says what was not as it should be."""

    stages: Counter[str] = field(default_factory=Counter)
    torn_at: list[int] = field(default_factory=list)
    resumed_from: list[int] = field(default_factory=list)
    trainings: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """How many hit."""
        return self.stages.total()


def left_alone(model: str, text: Path, folder: Path, iterations: int) -> Reference:
    """Train once without any kill, in a child, and note how long each stage takes."""
    place = folder / model / "alone"
    place.mkdir(parents=True)
    found = Reference(model, command(model, text, iterations), place / "run")
    child = Child([*found.words, "run_dir=run"], place)
    stage, since = "starting", child.began
    for entered in child.events():
        if entered == STEP:
            found.steps += 1
            continue
        found.seconds.setdefault(stage, []).append(time.monotonic() - since)
        stage, since = entered, time.monotonic()
    found.seconds.setdefault(stage, []).append(time.monotonic() - since)
    ended = child.end()
    if ended.code != 0:
        raise RuntimeError(f"the training of {model} that is left alone must end well; {ended.err or ended.out}")
    return found


def kill_and_go_on(alone: Reference, folder: Path, kills: int, seed: int) -> Row:
    """Kill trainings ``kills`` times, let each end, and compare it with the one left alone."""
    began, toll, chance = time.monotonic(), Toll(), random.Random(f"{alone.model} {seed}")
    for number in count():
        place = folder / alone.model / f"killed-{number}"
        place.mkdir(parents=True)
        _torment(alone, place, kills, chance, toll)
        if toll.kills >= kills:
            break
    where = ", ".join(f"{times} {stage}" for stage, times in toll.stages.most_common())
    sizes = (
        f" ({len(toll.torn_at)} torn at bytes {min(toll.torn_at):,} to {max(toll.torn_at):,})" if toll.torn_at else ""
    )
    return Row(
        SECTION,
        alone.model,
        f"{toll.trainings} training(s) of {_iterations(alone.folder):,} iterations killed at random moments",
        toll.kills,
        f"killed while {where}{sizes}; against a run left alone: {verdict(toll.wrong)}",
        not toll.wrong,
        time.monotonic() - began,
        {"stages": dict(toll.stages), "torn_at": toll.torn_at, "resumed_from": toll.resumed_from, "wrong": toll.wrong},
    )


def _torment(alone: Reference, place: Path, kills: int, chance: random.Random, toll: Toll) -> None:
    """One training, killed until the kills are used up, then once or more as it ends; compared in the end."""
    toll.trainings += 1
    while not _is_done(place / "run"):
        kind = KINDS[toll.kills % len(KINDS)] if toll.kills < kills - 1 else "ending"
        stage = _start_and_kill(kind, alone, place, kills, chance, toll)
        if stage is None:
            break  # it came to its end first
        toll.stages[stage] += 1
        toll.wrong += _unreadable(place / "run")
        if toll.kills >= kills:
            break
    ended = run([*alone.words, "run_dir=run"], place)
    toll.wrong += [f"exit code {ended.code}: {ended.err}"] if ended.code else differences(place / "run", alone.folder)


def _start_and_kill(
    kind: str, alone: Reference, place: Path, kills: int, chance: random.Random, toll: Toll
) -> str | None:
    """Start the command and end it at a moment of this kind; the stage it was in, or None if it had ended."""
    toll.resumed_from.append(_iterations(place / "run"))
    on_enter = None
    if kind == "torn":
        size = (alone.folder / "checkpoints" / "last.ckpt").stat().st_size
        toll.torn_at.append(byte := chance.randrange(size))
        on_enter = _end_at(byte, chance.randint(1, 2))
    child = Child([*alone.words, "run_dir=run"], place, on_enter=on_enter)
    if kind == "training":
        left = alone.steps * (1 - toll.resumed_from[-1] / _iterations(alone.folder)) / (kills - toll.kills)
        _kill_at(STEP, chance.randint(1, max(1, round(1.5 * left))), chance.uniform(0, alone.step_seconds), child)
    elif kind in ("saving", "validating"):
        _kill_at(kind, chance.randint(1, 2), chance.uniform(0, alone.mean(kind)), child)
    elif kind != "torn":
        _kill_at(kind, 1, chance.uniform(0, alone.mean(kind)), child)
    ended = child.end()
    if ended.code in (-signal.SIGKILL, -signal.SIGXFSZ):
        return child.last_stage
    if kind == "torn":
        toll.torn_at.pop()
    if ended.code != 0:
        toll.wrong.append(f"exit code {ended.code}: {ended.err}")
    return None


def _kill_at(event: str, nth: int, delay: float, child: Child) -> None:
    """Wait for the ``nth`` time of the event and ``delay`` seconds more, then send SIGKILL."""
    for told in child.events():
        nth -= told == event
        if nth == 0:
            for _ in child.events(delay):
                pass
            child.kill()
            return


def _end_at(byte: int, nth: int) -> OnEnter:
    """Have the kernel end the process when the ``nth`` save comes to ``byte``."""

    def limit(stage: str, entered: int) -> None:
        if (stage, entered) == ("saving", nth):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (byte, byte))

    return limit


def _unreadable(folder: Path) -> Iterator[str]:
    """What cannot be read of what a kill has left."""
    for path in folder.glob("checkpoints/*.ckpt"):
        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            yield f"{path.name} cannot be loaded: {error}"
    for name in ("status.json", "provenance.json"):
        try:
            if (folder / name).exists():
                json.loads((folder / name).read_text(encoding="utf-8"))
        except ValueError as error:
            yield f"{name} cannot be read: {error}"


def _is_done(folder: Path) -> bool:
    file = folder / "status.json"
    return file.is_file() and json.loads(file.read_text(encoding="utf-8"))["state"] == "done"


def _iterations(folder: Path) -> int:
    """How far the folder's last checkpoint is; 0 where there is none."""
    path = folder / "checkpoints" / "last.ckpt"
    return int(torch.load(path, map_location="cpu", weights_only=True)["global_step"]) if path.is_file() else 0
