"""The command as people type it, run in this process on a text of a few thousand characters."""

import shutil
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

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


@pytest.fixture(scope="session")
def files() -> Files:
    """Every file below a folder with its content and the time of its last change."""

    def look(folder: Path) -> dict[str, tuple[bytes, int]]:
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    return look
