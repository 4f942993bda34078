"""What of a sweep's time is not training, where both are known."""

import json
import os
from pathlib import Path

import pytest

from genlab.benchmarks.sweep_overhead import seconds_beside_training


def made(folder: Path, began: float, seconds: float) -> Path:
    folder.mkdir()
    (folder / "provenance.json").write_text("{}")
    os.utime(folder / "provenance.json", (began, began))
    (folder / "status.json").write_text(json.dumps({"seconds": seconds}))
    return folder


def test_it_is_the_time_between_starts_less_the_training(tmp_path: Path) -> None:
    """The last run's training does not count: its end is not known."""
    runs = [made(tmp_path / str(n), began, s) for n, (began, s) in enumerate([(1000, 5), (1006, 9), (1016, 777)])]
    assert seconds_beside_training(runs[::-1]) == pytest.approx((16 - 14) / 2), "in whatever order they are named"
    assert seconds_beside_training(runs[:2]) == pytest.approx(1)


def test_one_run_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 2; got 1"):
        seconds_beside_training([made(tmp_path / "0", 0, 1)])
