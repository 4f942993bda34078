"""What a command imports: torchmetrics without what its unused measures want, and nothing else is changed by it."""

import gc
import os
import subprocess
import sys

import pytest

from genlab.run import quick_imports as room
from genlab.run.quick_imports import quick_imports

IMPORT = """
import gc, sys
from genlab.run.quick_imports import quick_imports

with quick_imports():
    assert not gc.isenabled()
    import pytorch_lightning
assert gc.isenabled()
frozen = gc.get_freeze_count()
assert frozen > 100_000
with quick_imports():
    kept = [[] for _ in range(1000)]
assert gc.get_freeze_count() == frozen, "what comes later is collected as ever"
print(*sorted(set(sys.modules) & {"matplotlib", "scipy", "torchvision"}))

import lightning_utilities.core.imports as asked
import torchmetrics
assert asked.package_available("scipy") and asked.RequirementCache("matplotlib")
assert type(torchmetrics.__spec__.loader).__module__.startswith("_frozen_importlib")
assert torchmetrics.MeanMetric()(3.0) == 3
import torchvision, scipy.stats, matplotlib.pyplot
"""


def imported(way: dict[str, str]) -> list[str]:
    """What Lightning brought along in a process of its own; everything is there for others afterwards."""
    words = [sys.executable, "-W", "error::ImportWarning", "-c", IMPORT]
    ended = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **way})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_what_torchmetrics_would_bring_is_left_out() -> None:
    assert imported({}) == []


def test_it_can_be_left_whole() -> None:
    assert imported({"GENLAB_TORCHMETRICS": "whole"}) == ["matplotlib", "scipy", "torchvision"]


def test_another_word_for_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_TORCHMETRICS", "hole")
    with pytest.raises(ValueError, match=r"GENLAB_TORCHMETRICS.*whole.*'hole'.*did you mean whole"), quick_imports():
        pass


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with quick_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_collector_is_on_again_after_an_error() -> None:
    with pytest.raises(RuntimeError), quick_imports():
        raise RuntimeError
    assert gc.isenabled()


def test_one_finder_however_often_it_is_asked_for() -> None:
    for _ in range(3):
        with quick_imports():
            pass
    assert sum(isinstance(finder, room._Finder) for finder in sys.meta_path) == 1
