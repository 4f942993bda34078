"""The lock of a folder: refused, or waited for, while somebody else has it."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genlab.run.lock import only_one, waited_for

pytest.importorskip("fcntl")


@pytest.fixture
def somebody_else(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Has the folder's lock until it is told to go, or the test ends."""
    there, go = threading.Event(), threading.Event()

    def stay() -> None:
        with only_one(tmp_path, "run_dir", "it is in use"):
            there.set()
            go.wait(60)

    thread = threading.Thread(target=stay)
    thread.start()
    assert there.wait(60)
    yield go.set
    go.set()
    thread.join()


def test_a_folder_of_somebody_elses_is_refused(tmp_path: Path, somebody_else: Callable[[], None]) -> None:
    with (
        pytest.raises(ValueError, match=r"^`run_dir` must not be in use: why; got .*\(run_dir\)$"),
        only_one(tmp_path, "run_dir", "why"),
    ):
        pass


def test_it_is_waited_for_and_then_taken(tmp_path: Path, somebody_else: Callable[[], None]) -> None:
    said = []
    with waited_for(tmp_path, lambda: (said.append("waiting"), somebody_else())):
        with only_one(tmp_path, "run_dir", "why"):  # one's own
            pass
        others: list[str] = []
        thread = threading.Thread(target=lambda: others.append(refused(tmp_path)))
        thread.start()
        thread.join()
        assert others == ["refused"]
    assert said == ["waiting"]
    assert refused(tmp_path) == "taken"  # given back


def refused(folder: Path) -> str:
    try:
        with only_one(folder, "run_dir", "why"):
            return "taken"
    except ValueError:
        return "refused"


def test_nothing_is_said_where_nobody_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    with waited_for(tmp_path, lambda: said.append("waiting")):
        assert said == []


def test_waiting_can_be_stopped(tmp_path: Path, somebody_else: Callable[[], None]) -> None:
    main = threading.main_thread().ident
    assert main is not None
    stop = threading.Timer(0.2, lambda: signal.pthread_kill(main, signal.SIGINT))
    with pytest.raises(KeyboardInterrupt), waited_for(tmp_path, stop.start):
        pytest.fail("it is somebody else's")
    somebody_else()
