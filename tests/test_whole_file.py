"""Files and checkpoints that are there whole or not at all."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from genlab.run.artifacts import RunFolder
from genlab.run.whole_checkpoints import WholeCheckpoints
from genlab.whole_file import is_part, whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, error: BaseException) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        raise error


def test_a_file_changes_only_when_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with whole_file(path) as file:
        file.write(b"first")
        assert not path.exists()
    with whole_file(path) as file:
        file.write(b"second")
        file.flush()
        assert path.read_bytes() == b"first"
    assert path.read_bytes() == b"second"
    assert names(path.parent) == ["file"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no"), OSError(errno.ENOSPC, "No space left")])
def test_what_was_there_outlives_an_error_and_no_part_is_left(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with pytest.raises(type(error)) as raised:
        write_half(path, error)
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["file"]
    if isinstance(error, OSError):
        assert str(raised.value) == f"[Errno {errno.ENOSPC}] No space left: '{path}'"


def test_the_bytes_and_then_the_name_are_forced_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(descriptor: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        sync(descriptor)

    def noted_replace(self: Path, target: Path) -> Path:
        order.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with whole_file(tmp_path / "file") as file:
        file.write(b"content")
    assert order == ["file", "name", "folder"]


def test_a_checkpoint_goes_by_no_other_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning's own way writes into the folder for temporary files, which may be on another disk."""
    import tempfile

    monkeypatch.setattr(tempfile, "mkstemp", lambda *_, **__: pytest.fail("a temporary file was made"))
    path = tmp_path / "checkpoints" / "best.ckpt"
    content: dict[str, Any] = {"state_dict": {"w": torch.arange(3.0)}}
    WholeCheckpoints().save_checkpoint(content, path)
    assert torch.equal(torch.load(path, weights_only=True)["state_dict"]["w"], torch.arange(3.0))
    assert names(path.parent) == ["best.ckpt"]


def test_a_folder_in_which_a_process_was_killed_at_its_first_file_is_as_good_as_new(tmp_path: Path) -> None:
    (tmp_path / ".config.yaml.part").write_text("half")
    assert is_part(tmp_path / ".config.yaml.part")
    assert not RunFolder(tmp_path).is_a_runs()
    (tmp_path / "thesis.part").write_text("somebody's")
    with pytest.raises(ValueError, match="must be new, empty or a run's folder"):
        RunFolder(tmp_path).is_a_runs()
