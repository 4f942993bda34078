"""A small disk of one's own, that fills up and may be made read-only: a tmpfs in a mount namespace of one process."""

import ctypes
import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As mount (2) and unshare (2) number them.
_NEW_MOUNTS, _NEW_USERS = 0x20000, 0x10000000
_READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 1, 32, 1 << 14, 1 << 18
_PAGE = 4096


def with_disk(folder: Path, mebibytes: int, work: Callable[["Disk"], Any]) -> Any:
    """What ``work`` returns (plain values) for a disk at ``folder``; it runs in a child, which alone sees the disk.

    Raises ``OSError`` where this user may not mount, and ``RuntimeError`` with the traceback if the work raises.
    """
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        with open(send, "w", encoding="utf-8") as pipe:
            json.dump(_answer(folder, mebibytes, work), pipe)
            pipe.flush()
            os._exit(0)
    os.close(send)
    with open(receive, encoding="utf-8") as pipe:
        answer = json.load(pipe)
    os.waitpid(pid, 0)
    if "refused" in answer:
        raise OSError(*answer["refused"])
    if "raised" in answer:
        raise RuntimeError(answer["raised"])
    return answer["result"]


def _answer(folder: Path, mebibytes: int, work: Callable[["Disk"], Any]) -> dict[str, Any]:
    try:
        disk = Disk(folder, mebibytes)
    except OSError as error:
        return {"refused": [error.errno, error.strerror]}
    try:
        return {"result": work(disk)}
    except BaseException:
        return {"raised": traceback.format_exc()}


class Disk:
    """A tmpfs at ``folder``, seen by this process and its children alone; raises ``OSError`` where that is refused."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self.folder = folder
        _unshare()
        _mount(None, Path("/"), _RECURSIVE | _PRIVATE)
        folder.mkdir(parents=True, exist_ok=True)
        _mount("tmpfs", folder, 0, f"size={mebibytes}m")
        self._ballast = folder / ".ballast"

    def fill(self, leave: int) -> None:
        """Take all of the disk but ``leave`` bytes."""
        self.free()
        space = os.statvfs(self.folder)
        size = space.f_bavail * space.f_frsize - leave
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(_PAGE, size // _PAGE * _PAGE))

    def free(self) -> None:
        """Give back what ``fill`` took."""
        self._ballast.unlink(missing_ok=True)

    def read_only(self, on: bool) -> None:
        """Refuse writes, or take them again; raises ``OSError`` while a file is open for writing."""
        _mount(None, self.folder, _REMOUNT | (_READ_ONLY if on else 0))


def _unshare() -> None:
    """Leave the mounts of all others; a user who is not root becomes root of a namespace first."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        _call("unshare", _NEW_MOUNTS)
        return
    _call("unshare", _NEW_USERS | _NEW_MOUNTS)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _mount(kind: str | None, target: Path, flags: int, options: str = "") -> None:
    name = kind.encode() if kind else None
    _call("mount", name, str(target).encode(), name, ctypes.c_ulong(flags), options.encode())


def _call(name: str, *arguments: Any) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        raise OSError(38, f"this system has no {name}")
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
