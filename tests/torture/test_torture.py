"""The short version of the reliability suite: the command itself, once, and a test for each row of what it found."""

import os
import subprocess
import sys

import pytest

from genlab.torture.record import SECTIONS, Row, read_records

KILLS = 1
RESUMED = ("char_rnn", "classifier", "dcgan", "vae")
DISK = (
    "the disk is full when a checkpoint is saved",
    "the disk is full when a line of metrics.csv is written",
    "the disk is full when the command begins",
    "the run's folder is read-only when the command begins",
    "the run's folder becomes read-only while it trains",
)
FAULTS = (
    "a second command in the folder of a run that trains",
    "a byte of the text is another when the run goes on",
    "a byte of an image file is another when the run goes on",
    "none of wandb, optuna, tensorboard, tensorboardX, hydra_plugins.hydra_joblib_launcher is installed",
    "wandb is not installed, and asked for",
    "tensorboard is not installed, and asked for",
    "hydra_plugins.hydra_joblib_launcher is not installed, and asked for",
    "optuna is not installed, and asked for",
    "the clock jumps a day back or forth at every look",
)

BAD_INPUT = 6

pytestmark = [
    pytest.mark.minutes,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the suite needs a system with fork"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """What the command finds, as its records have it."""
    folder = tmp_path_factory.mktemp("torture")
    words = ["--quick", "--kills", str(KILLS), "--output", "records"]
    done = subprocess.run(
        [sys.executable, "-m", "genlab.torture", *words],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
    )
    records = read_records(folder / "records")
    assert [*records] == [name for name in SECTIONS if name != "determinism"], done.stderr
    rows = [row for record in records.values() for row in record.rows]
    assert done.returncode == (0 if all(row.ok is not False for row in rows) else 1)
    return rows


def row(found: list[Row], section: str, where: str, done: str = "") -> Row:
    """The one row of that section and model whose text begins so."""
    rows = [row for row in found if (row.section, row.where) == (section, where)]
    (only,) = [row for row in rows if row.done.startswith(done)]
    return only


@pytest.mark.parametrize("model", RESUMED)
def test_a_training_that_is_killed_and_gone_on_with_ends_as_one_left_alone(model: str, found: list[Row]) -> None:
    kills = row(found, "going on after a kill", model)
    assert kills.ok, kills
    assert kills.times >= KILLS
    assert sum(kills.details["stages"].values()) == kills.times


@pytest.mark.parametrize("done", DISK)
def test_a_disk_that_refuses_to_write_costs_nothing(done: str, found: list[Row]) -> None:
    fault = row(found, "faults", "char_rnn", done)
    if fault.ok is None:
        pytest.skip(fault.seen)
    assert fault.ok, fault


@pytest.mark.parametrize("done", FAULTS)
def test_a_fault_ends_in_one_line_and_costs_nothing(done: str, found: list[Row]) -> None:
    fault = row(found, "faults", "char_rnn", done)
    assert fault.ok, fault


@pytest.mark.parametrize("model", ["char_rnn", "dcgan"])
def test_numbers_that_go_wrong_end_a_training_well(model: str, found: list[Row]) -> None:
    spoiled = row(found, "numbers", model)
    assert spoiled.ok, spoiled


@pytest.mark.parametrize("model", ["char_rnn", "vae"])
def test_signals_stop_a_training_within_seconds(model: str, found: list[Row]) -> None:
    stops = row(found, "stopping", model)
    assert stops.ok, stops
    assert stops.times > 0


def test_bad_input_is_refused_in_a_line_or_taken(found: list[Row]) -> None:
    rows = [row for row in found if row.section == "bad input"]
    assert len(rows) == BAD_INPUT
    assert sum(row.times for row in rows) >= 50
    for row in rows:
        assert row.ok, row.details["wrong"]
        assert sum(row.details["ends"].values()) == row.times
