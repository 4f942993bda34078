"""Without a home, what libraries keep goes to a folder that nobody else can put anything into."""

import os
from pathlib import Path

import pytest

from genlab.run.caches import KEPT, place_caches


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No home, no settings, and a folder for temporary files of its own."""
    (tmp_path / "file").touch()
    for name in KEPT:
        monkeypatch.setenv(name, "set, so that it is given back")
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))  # below a file nobody can make a folder
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"genlab-{os.getuid()}"


def test_it_is_a_folder_of_the_users_own(nowhere: Path) -> None:
    place_caches()
    assert {os.environ[name] for name in KEPT} == {str(nowhere)}
    assert nowhere.stat().st_mode & 0o077 == 0


def test_one_that_others_can_write_to_is_not_taken(nowhere: Path) -> None:
    nowhere.mkdir()
    nowhere.chmod(0o777)
    place_caches()
    assert not {os.environ[name] for name in KEPT} & {str(nowhere)}


def test_what_is_set_stays_and_a_home_is_used(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    place_caches()
    assert os.environ["MPLCONFIGDIR"] == "mine"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(nowhere.parent / "home"))
    place_caches()
    assert "NUMBA_CACHE_DIR" not in os.environ
