"""What surrounds a training goes wrong: it ends in one clear line, with the right exit code, and loses nothing."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from genlab.torture.children import Child, Ended, run
from genlab.torture.comparison import differences
from genlab.torture.disks import Disk, with_disk
from genlab.torture.record import Row, verdict
from genlab.torture.resuming import Reference

SECTION = "faults"
DISK = 96  # MiB
SAVES = 3  # that a training gets before a fault
PAGE = 4096  # bytes of a tmpfs that belong to a file as soon as one of them does
LINES = 700  # bytes that some lines of metrics.csv take
ROOM_FOR_TEXT = 65_536  # bytes: less than any checkpoint takes, and enough for every other file
NOT_ALLOWED = "not tried: this user may not mount a disk of their own"

Wrong = list[str]
"""What was not as it should be; nothing where all was."""


def wrong_end(ended: Ended, code: int, *said: str) -> Wrong:
    """Whether a command ended with this code and one line on stderr that holds all that is to be said."""
    lines = [line for line in ended.err.splitlines() if line.strip()]
    found = [] if ended.code == code else [f"exit code {ended.code}, not {code}: {ended.err[-300:]}"]
    if len(lines) != 1:
        found.append(f"{len(lines)} lines on stderr, not one: {ended.err[:300]}")
    return found + [f"{words!r} is not said: {ended.err[:300]}" for words in said if words not in ended.err]


def contents(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """Every file below ``folder`` of that pattern."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob(pattern) if path.is_file()}


def begun(
    alone: Reference, place: Path, words: Sequence[str] = (), until: Callable[[Path], bool] | None = None
) -> list[str]:
    """Train in ``place/run`` up to a few checkpoints, as if the power had failed then; returns the command.

    ``until`` says of the run's folder, at each save, whether that is now far enough.
    """
    place.mkdir(parents=True, exist_ok=True)
    command = [*alone.words, "run_dir=run", *words]
    child, saves = Child(command, place), 0
    for event in child.events():
        saves += event == "saving"
        if saves > SAVES and event == "training" and (until is None or until(place / "run")):
            child.kill()
            break
    child.end()
    return command


def finished(alone: Reference, place: Path, command: Sequence[str], besides: str | None = None) -> Wrong:
    """Go on with the command, now that the fault is mended, and compare with the run left alone.

    Files whose names begin with ``besides`` may be there besides.
    """
    ended = run(command, place)
    return [f"exit code {ended.code}: {ended.err}"] if ended.code else differences(place / "run", alone.folder, besides)


def fault(where: str, done: str, seen: str, tries: int, work: Callable[[int], Wrong]) -> Row:
    """Try a fault so many times."""
    began = time.monotonic()
    wrong = [each for number in range(tries) for each in work(number)]
    told = f"not as it should be: {verdict(wrong)}" if wrong else seen
    return Row(SECTION, where, done, tries, told, not wrong, time.monotonic() - began, {"wrong": wrong})


# --- a disk that is full or read-only ---------------------------------------------------------------------------


def disk_rows(alone: Reference, folder: Path, tries: int) -> Iterator[Row]:
    """Faults of the disk that the run's folder lies on."""
    full = "exit code 1 and one line; the checkpoint is the same bytes; with room again: as a run left alone"
    refused = "exit code 2 and one line; nothing is changed; mended: as a run left alone"
    read_only = "exit code 1 and one line; the checkpoint is the same bytes; mended: as a run left alone"
    cases: list[tuple[str, str, Callable[[Disk, Reference], Wrong]]] = [
        ("the disk is full when a checkpoint is saved", full, _full_at_a_save),
        ("the disk is full when a line of metrics.csv is written", full, _full_at_a_line),
        ("the disk is full when the command begins", refused, _full_at_the_start),
        ("the run's folder is read-only when the command begins", refused, _read_only_at_the_start),
        ("the run's folder becomes read-only while it trains", read_only, _read_only_later),
    ]
    for number, (done, seen, work) in enumerate(cases):
        place = folder / f"disk-{alone.model}-{number}"
        yield _on_a_disk(alone, place, done, seen, tries, work)


def _on_a_disk(
    alone: Reference, place: Path, done: str, seen: str, tries: int, work: Callable[[Disk, Reference], Wrong]
) -> Row:
    def once(number: int) -> Wrong:
        found: Wrong = with_disk(place / str(number), DISK, lambda disk: work(disk, alone))
        return found

    try:
        return fault(alone.model, done, seen, tries, once)
    except OSError as error:
        return Row(SECTION, alone.model, done, 0, f"{NOT_ALLOWED} ({error.strerror})", None, 0.0)


def _full_at_a_save(disk: Disk, alone: Reference) -> Wrong:
    command = begun(alone, disk.folder)
    before = contents(disk.folder, "*.ckpt")
    disk.fill(leave=ROOM_FOR_TEXT)
    wrong = wrong_end(run(command, disk.folder), 1, "No space left on device", ".ckpt")
    wrong += _changed(before, contents(disk.folder, "*.ckpt")) + _left_over(disk)
    disk.free()
    return wrong + finished(alone, disk.folder, command)


def _full_at_a_line(disk: Disk, alone: Reference) -> Wrong:
    command = begun(alone, disk.folder, until=_needs_a_page_soon)
    before = contents(disk.folder, "*.ckpt")
    only_lines = ["callbacks.last.every_seconds=1000", "callbacks.last.every_pass=false", "callbacks.best.save_top_k=0"]
    only_lines += ["callbacks.text_samples.every=1000000"] if alone.model == "char_rnn" else []
    child = Child([*command, *only_lines], disk.folder, on_enter=_once("training", lambda: disk.fill(leave=0)))
    wrong = wrong_end(child.end(), 1, "No space left on device", "metrics.csv")
    wrong += _changed(before, contents(disk.folder, "*.ckpt"))
    disk.free()
    return wrong + finished(alone, disk.folder, command)


def _needs_a_page_soon(run: Path) -> bool:
    return (run / "metrics.csv").stat().st_size % PAGE > PAGE - LINES


def _full_at_the_start(disk: Disk, alone: Reference) -> Wrong:
    command = begun(alone, disk.folder)
    disk.fill(leave=0)
    before = contents(disk.folder / "run")
    wrong = wrong_end(run(command, disk.folder), 2, "No space left on device", "`run_dir` must")
    wrong += _changed(before, contents(disk.folder / "run"))
    disk.free()
    return wrong + finished(alone, disk.folder, command)


def _read_only_at_the_start(disk: Disk, alone: Reference) -> Wrong:
    command = begun(alone, disk.folder)
    before = contents(disk.folder)
    disk.read_only(True)
    wrong = wrong_end(run(command, disk.folder), 2, "Read-only file system", "`run_dir` must")
    wrong += wrong_end(run([*alone.words, "run_dir=new"], disk.folder), 2, "Read-only file system", "`run_dir` must")
    wrong += _changed(before, contents(disk.folder))
    disk.read_only(False)
    return wrong + finished(alone, disk.folder, command)


def _read_only_later(disk: Disk, alone: Reference) -> Wrong:
    command = begun(alone, disk.folder)
    before = contents(disk.folder, "*.ckpt")
    child = Child(command, disk.folder, on_enter=_once("training", lambda: disk.read_only(True)))
    wrong = wrong_end(child.end(), 1, "Read-only file system")
    wrong += _changed(before, contents(disk.folder, "*.ckpt"))
    disk.read_only(False)
    return wrong + finished(alone, disk.folder, command)


def _once(stage: str, work: Callable[[], Any]) -> Callable[[str, int], None]:
    """Do the work in the child when it first comes to the stage."""

    def enter(entered: str, times: int) -> None:
        if (entered, times) == (stage, 1):
            work()

    return enter


def _changed(before: dict[str, bytes], after: dict[str, bytes]) -> Wrong:
    names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return [f"{name} is another than before the fault" for name in names]


def _left_over(disk: Disk) -> Wrong:
    return [f"{path.name} was left behind" for path in disk.folder.rglob(".*.part")]
