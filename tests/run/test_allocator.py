"""Freed memory is kept where the C library is glibc, and nothing is touched where it is not."""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from genlab.run import evaluate
from genlab.run.allocator import keep_freed_memory

IS_GLIBC = platform.libc_ver()[0] == "glibc"

FAULTS = """
import resource
from ctypes import CDLL, c_size_t, c_void_p, memset
from genlab.run.allocator import keep_freed_memory

libc = CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = c_void_p, [c_size_t], [c_void_p]

def fill() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(64 << 20)
    memset(block, 1, 64 << 20)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {keep}:
    assert keep_freed_memory()
fill()
print(fill())
"""


def second_time(keep: bool) -> int:
    """Page faults of filling 64 MB that had been taken and freed once before, in a process of its own."""
    words = [sys.executable, "-c", FAULTS.format(keep=keep)]
    return int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not IS_GLIBC, reason="the C library is not glibc")
def test_memory_that_was_freed_is_there_at_once() -> None:
    pages = (64 << 20) // (1 << 21)
    assert second_time(keep=False) >= pages, "at least the huge pages, which the kernel may use"
    assert second_time(keep=True) < 16


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the library was loaded")

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert keep_freed_memory() is False


@pytest.mark.parametrize("answers", [(1, 1, 1), (1, 0, 1)])
def test_it_says_whether_the_library_has_obeyed(monkeypatch: pytest.MonkeyPatch, answers: tuple[int, ...]) -> None:
    asked: list[tuple[int, int]] = []

    class Library:
        def __init__(self, name: str | None) -> None:
            assert name is None, "the C library of this process"

        def mallopt(self, parameter: int, value: int) -> int:
            asked.append((parameter, value))
            return answers[len(asked) - 1]

    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert keep_freed_memory() is all(answers)
    assert asked[0] == (-4, 0), "no request is served by a mapping of its own"


@pytest.mark.parametrize(
    ("asked", "of_the_run", "kept"), [(None, None, 1), (None, False, 0), (True, False, 1), (False, True, 0)]
)
def test_an_evaluation_does_as_its_run_unless_it_is_told_otherwise(
    genlab, trained: Path, monkeypatch: pytest.MonkeyPatch, asked: bool | None, of_the_run: bool | None, kept: int
) -> None:
    calls = []
    monkeypatch.setattr(evaluate, "keep_freed_memory", lambda: calls.append(1))
    file = trained / "config.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("keep_memory:")]
    file.write_text(
        "\n".join([*lines, *([] if of_the_run is None else [f"keep_memory: {str(of_the_run).lower()}"]), ""])
    )
    word = "null" if asked is None else str(asked).lower()
    answer = genlab("evaluate", f"run={trained}", "only=bits_per_char", f"keep_memory={word}")
    assert (answer.code, len(calls)) == (0, kept), answer
