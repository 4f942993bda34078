"""The command as people type it, run in this process on a text of a few thousand characters."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from genlab.run.cli import main

LINES = [
    "Harry went down the long corridor and Ron said that the stone was gone.",
    "Then they saw Hermione, who had read of it; 'Look,' said Harry, 'it is Dumbledore.'",
    "So Ron and Harry and Hermione went on and on, (and on) until the door: 1 of 7!",
]


class Answer(NamedTuple):
    """What a command gave: its exit code and what it printed."""

    code: int
    out: str
    err: str


Genlab = Callable[..., Answer]


Tiny = Callable[..., list[str]]
Files = Callable[[Path], dict[str, tuple[bytes, int]]]


def _tiny(text: Path, **overrides: object) -> list[str]:
    settings: dict[str, object] = {
        "data.text": text,
        "data.seq_len": 5,
        "data.windows_per_step": 20,
        "model.hidden_size": 8,
        "model.engine": "torch",
        "trainer.max_steps": 60,
        "trainer.val_check_interval": 1,
        "trainer.accelerator": "cpu",
        "callbacks.text_samples.every": 20,
        "callbacks.text_samples.length": 10,
    }
    settings |= {key.replace("__", "."): value for key, value in overrides.items()}
    return [f"{key}={value}" for key, value in settings.items()]


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "tiny.txt"
    path.write_text("\n".join(LINES * 20) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny(text: Path) -> Tiny:
    """Overrides of a run that takes no time: 8 hidden units, torch's engine, a validation or two."""
    return partial(_tiny, text)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with no setting of the machine's own."""
    for name in ("GENLAB_RUNS", "GENLAB_DATA", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def genlab(place: Path, capsys: pytest.CaptureFixture[str]) -> Genlab:
    """Run a command line; warnings would be errors here, as everywhere in the tests."""

    def run(*words: object) -> Answer:
        capsys.readouterr()
        with warnings.catch_warnings():  # the command silences some for its own process
            code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def trained_once(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    with warnings.catch_warnings():
        assert main(["train", f"run_dir={folder}", *tiny()]) == 0
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A finished run of 60 iterations, to be read or spoiled."""
    folder = tmp_path / "trained"
    shutil.copytree(trained_once, folder)
    return folder


@pytest.fixture
def sixty_four_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands of this process take for scikit-learn's digits: 48 are left to train on where 16 are held out."""
    from genlab.datasets import image_datamodule

    whole = image_datamodule.load_images("digits", Path())
    few = replace(whole, train_images=whole.train_images[:64], train_labels=whole.train_labels[:64])
    monkeypatch.setattr(image_datamodule, "load_images", lambda *_: few)


@pytest.fixture(scope="session")
def files() -> Files:
    """Every file below a folder with its content and the time of its last change."""

    def look(folder: Path) -> dict[str, tuple[bytes, int]]:
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    return look


# --- several processes -------------------------------------------------------------------------------------------


class Forked:
    """A follower forked from this process, as far as it is used like the ``Popen`` that it stands for."""

    def __init__(self, words: list[str], stdin: int, stdout: int, stderr: Any, start_new_session: bool) -> None:
        assert (stdin, stdout, start_new_session) == (subprocess.PIPE, subprocess.PIPE, True)
        assert words[:3] == [sys.executable, "-m", "genlab.run.follower"]
        (reads, told), (heard, writes) = os.pipe(), os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads: there are none that matter
            self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                os.setsid()
                os.close(told)
                for source, target in ((reads, 0), (writes, 1), (stderr.fileno(), 2)):
                    os.dup2(source, target)
                sys.stdout = sys.stderr = os.fdopen(2, "w", closefd=False)
                from genlab.run import follower

                code = follower.main(words[3:])
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(reads)
        os.close(writes)
        self.stdin, self.stdout = os.fdopen(told, "wb"), os.fdopen(heard, "rb")
        self.code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired("follower", timeout or 0.0)
            else:
                time.sleep(0.01)
        return self.code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def forked() -> Iterator[None]:
    """Processes beside the first are forked, in place of started anew; no curves are drawn, which takes longest."""
    from genlab.run import fit, several_processes

    stand_in = SimpleNamespace(Popen=Forked, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(several_processes, "subprocess", stand_in)
        patch.setattr(fit, "_draw_curves", lambda _: None)
        yield


# --- what W&B writes of a run ------------------------------------------------------------------------------------


@pytest.fixture
def offline(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, no account, no output of W&B's."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = place / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")  # the logger sets it for the process: given back after the test
    return place


@dataclass
class WandbRun:
    """A run as W&B keeps it: ``about`` has its name, group, tags and so on, ``rows`` what was logged, in order."""

    folder: Path
    about: Any = None
    config: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    """What each quantity, or ``*``, is drawn over."""
    exit_code: int | None = None

    def series(self, name: str) -> list[tuple[int, Any]]:
        """What was logged by a name, with the iteration."""
        return [(row["trainer/global_step"], row[name]) for row in self.rows if name in row]

    def file(self, value: Any) -> Path:
        """The file that a logged value points at."""
        return self.folder / "files" / str(value["path"])

    def table(self, value: Any) -> dict[str, Any]:
        """A logged table: its columns and rows."""
        content: dict[str, Any] = json.loads(self.file(value).read_text(encoding="utf-8"))
        return content


@pytest.fixture(scope="session")
def wandb_runs() -> Callable[[Path], list[WandbRun]]:
    """Read what W&B wrote offline into a run's folder: a record a process, the first one first."""

    def read(run: Path) -> list[WandbRun]:
        paths = sorted((run / "wandb").glob("offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_ctime_ns)
        return [_read_whole(path) for path in paths]

    return read


def _read_whole(path: Path) -> WandbRun:
    """The file once it says how the run ended: a process of W&B's own writes it, which may be behind."""
    until = time.monotonic() + 20
    while (run := _read_wandb(path)).exit_code is None and time.monotonic() < until:
        time.sleep(0.1)
    return run


def _read_wandb(path: Path) -> WandbRun:
    run = WandbRun(path.parent)
    for record in _records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.about = record.run
            run.config |= _items(record.run.config.update)
        elif kind == "config":
            run.config |= _items(record.config.update)
        elif kind == "history":
            run.rows.append(_items(record.history.item))
        elif kind == "summary":
            run.summary |= _items(record.summary.update)
        elif kind == "metric":
            run.steps[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    return run


def _items(items: Any) -> dict[str, Any]:
    """Values by name; one that is a mapping comes in parts, each with its path."""
    found: dict[str, Any] = {}
    for item in items:
        *above, last = item.nested_key or [item.key]
        place = found
        for key in above:
            place = place.setdefault(key, {})
        place[last] = json.loads(item.value_json)
    return found


def _records(path: Path) -> Iterator[Any]:
    """Records in order: protocol buffers in a log of LevelDB's format."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, place, part = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        left_in_block = 32768 - place % 32768
        if left_in_block < 7:
            place += left_in_block
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        if place + 7 + length > len(content):
            return  # not whole yet: it is being written
        part += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield Record.FromString(part)
            part = b""
