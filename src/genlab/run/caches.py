"""A place for what libraries keep between runs, where the user has no home that can be written to."""

import os
import tempfile
from pathlib import Path

KEPT = ("MPLCONFIGDIR", "NUMBA_CACHE_DIR")
"""Where matplotlib and numba put theirs; the first complains without a place, the second does not work without one."""


def place_caches() -> None:
    """Point them at a folder of this user's own among the temporary ones, if there is no home; before any import."""
    if all(name in os.environ for name in KEPT) or _has_home():
        return
    folder = _own_folder()
    for name in KEPT:
        os.environ.setdefault(name, str(folder))


def _has_home() -> bool:
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # the second where no home is known at all
        return False
    return os.access(folder, os.W_OK)


def _own_folder() -> Path:
    """The same at each run, unless somebody else has made a folder of its name: compiled code is read from there."""
    if not hasattr(os, "getuid"):
        return Path(tempfile.mkdtemp(prefix="genlab-"))
    folder = Path(tempfile.gettempdir()) / f"genlab-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    there = folder.lstat()
    if folder.is_symlink() or there.st_uid != os.getuid() or there.st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix="genlab-"))
    return folder
