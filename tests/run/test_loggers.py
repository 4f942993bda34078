"""The mirrors of a run, each one override away: TensorBoard, and W&B without account or network."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest


def test_tensorboard_gets_event_files_with_figures_config_and_samples(genlab, tiny, place: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert genlab("train", *tiny(), "run_dir=run", "logger=tensorboard").code == 0
    events = EventAccumulator(str(place / "run" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "val/bits_per_char"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == [20, 40, 60]
    assert "samples/text_summary" in tags["tensors"]
    assert "hidden_size: 8" in (place / "run" / "tensorboard" / "hparams.yaml").read_text()
    assert (place / "run" / "metrics.csv").is_file()


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


def records(run: Path) -> list[Any]:
    """What W&B wrote of a run, in order: a log of LevelDB's format, whose records are protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    content, place, part, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(content):
        left_in_block = 32768 - place % 32768
        if left_in_block < 7:
            place += left_in_block
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        part += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            found.append(Record.FromString(part))
            part = b""
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_wandb_mirrors_a_sweep_one_run_each_without_account_or_network(genlab, tiny, offline: Path) -> None:
    answer = genlab("train", "-m", *tiny(model__hidden_size="4,8"), "logger=wandb", "hydra.sweep.dir=sweep")
    assert answer.code == 0, answer
    for size in (4, 8):
        written = records(offline / "sweep" / f"model.hidden_size={size}")
        config = {item.key or item.nested_key[0]: item.value_json for r in written for item in r.run.config.update}
        config |= {item.key: item.value_json for r in written for item in r.config.update}
        assert json.loads(config["model"])["hidden_size"] == size
        rows = [{item.key or item.nested_key[0]: item.value_json for item in r.history.item} for r in written]
        assert [row["trainer/global_step"] for row in rows if "train/loss" in row] == ["20", "40", "60"]
        assert len([row for row in rows if "samples" in row]) == 3  # after 1, 2 and, at the end, 3 samples
        assert [r.exit.exit_code for r in written if r.WhichOneof("record_type") == "exit"] == [0]
    assert {path.name for path in offline.iterdir()} == {"sweep", "home"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_wandb_is_told_of_a_failure(genlab, tiny, offline: Path) -> None:
    answer = genlab("train", *tiny(optimizer="sgd", optimizer__lr=3e37), "logger=wandb", f"run_dir={offline / 'run'}")
    assert answer.code == 1
    assert [r.exit.exit_code for r in records(offline / "run") if r.WhichOneof("record_type") == "exit"] == [1]
