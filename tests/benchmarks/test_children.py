"""Processes of their own: how long, how much memory, what they said; and the same in this process for a try."""

import os
import sys

import pytest

from genlab.benchmarks.children import Runner, environment, run_child


def test_a_childs_memory_is_its_own() -> None:
    """What this process holds is not counted, and what the child takes is."""
    held = bytearray(200 << 20)
    little = run_child([sys.executable, "-c", "pass"])
    much = run_child([sys.executable, "-c", "import time; held = bytearray(100 << 20); time.sleep(0.2)"])
    assert len(held) == 200 << 20
    assert little.peak_mib < 60
    assert 90 < much.peak_mib - little.peak_mib < 130
    assert little.seconds < much.seconds
    assert 0.2 < much.seconds < 20


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="ended with 3: too bad"):
        run_child([sys.executable, "-c", "import sys; print('too bad'); sys.exit(3)"])


def test_a_child_gets_its_variables_and_this_process_keeps_its_own() -> None:
    words = [sys.executable, "-c", "import os; print(os.environ['GENLAB_TRY'])"]
    assert run_child(words, {"GENLAB_TRY": "a"}).output == "a\n"
    assert "GENLAB_TRY" not in os.environ
    with environment({"GENLAB_TRY": "b"}):
        assert os.environ["GENLAB_TRY"] == "b"
    assert "GENLAB_TRY" not in os.environ


@pytest.mark.parametrize("in_process", [False, True])
def test_commands_are_run_and_their_peaks_kept(in_process: bool) -> None:
    runner = Runner(in_process)
    assert runner.genlab("we", ["--version"]).output.startswith("genlab ")
    runner.genlab("we", ["--help"])
    assert len(runner.peaks["we"]) == 2
    assert runner.medians()["we"] == pytest.approx(sum(runner.peaks["we"]) / 2)
    with pytest.raises(RuntimeError, match="trian"):
        runner.genlab("we", ["trian"])
