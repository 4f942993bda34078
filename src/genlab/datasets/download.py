"""Fetch one file from the first source that has it: short time-outs, SHA-256 checked, never half-written."""

import hashlib
import http.client
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

Progress = Callable[[int, int | None], None]  # (bytes so far, bytes in all where the server says)

_CHUNK = 1 << 16
_MAX_BYTES = 256 << 20  # a file is held in memory until it is verified; a source that sends more is wrong
ADVICE = "point GENLAB_DATA (or data.root) at a folder that has it, or try again where there is a network"


class DownloadError(RuntimeError):
    """No source gave the file, or it cannot be written: one line with each source's reason and what to do."""


class _SourceError(Exception):
    """Why one source did not give the file."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of the file at ``path``, in lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_damaged(path: Path, expected: str, got: str, field: str = "data.root") -> None:
    """Raise ``ValueError`` unless the hash ``got`` of the file at ``path`` is the ``expected`` one."""
    if got != expected.lower():
        raise ValueError(
            f"{path} is damaged or another file: SHA-256 must be {expected}; got {got}; "
            f"delete or move it, then fetch it again ({field})"
        )


def fetch_file(
    urls: str | Sequence[str],
    path: Path,
    sha256: str,
    timeout: float = 10.0,
    progress: Progress | None = None,
    time_limit: float = 300.0,
) -> Path:
    """Put the file whose hash is ``sha256`` at ``path`` and return ``path``; a file already there is kept.

    The sources are tried in order. ``timeout`` (seconds) bounds the connection and each wait for data, and
    ``time_limit`` (seconds) the content of one source, so that a server that trickles cannot hold a run.
    Nothing is written before the hash is right. Raises ``ValueError`` if another file is at ``path`` (it is
    left alone), ``DownloadError`` if no source gives the file or the folder cannot be written.
    """
    if os.path.isfile(path):
        refuse_damaged(path, sha256, sha256_of(path))
        return path
    reasons = []
    for url in [urls] if isinstance(urls, str) else urls:
        try:
            content = _get_verified(url, sha256, timeout, time_limit, progress)
        except _SourceError as reason:
            reasons.append(f"{url}: {' '.join(str(reason).split())}")
        else:
            write_whole(path, content)
            return path
    tried = "; ".join(reasons) or "no source is known"
    raise DownloadError(f"could not fetch {path.name} ({tried}): {ADVICE}")


def _get_verified(url: str, sha256: str, timeout: float, time_limit: float, progress: Progress | None) -> bytes:
    try:
        content = _get(url, timeout, time_limit, progress)
    except TimeoutError as error:
        raise _SourceError(f"no answer within {timeout:g} s") from error
    except urllib.error.HTTPError as error:  # before its parents URLError and OSError
        raise _SourceError(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        timed_out = isinstance(error.reason, TimeoutError)
        raise _SourceError(f"no answer within {timeout:g} s" if timed_out else str(error.reason)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: no valid address
        raise _SourceError(f"{type(error).__name__}: {error}") from error
    got = hashlib.sha256(content).hexdigest()
    if got != sha256.lower():
        raise _SourceError(f"SHA-256 must be {sha256}; got {got} ({len(content)} bytes)")
    return content


def _get(url: str, timeout: float, time_limit: float, progress: Progress | None) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "genlab"})  # mirrors may refuse urllib's own
    deadline = time.monotonic() + time_limit
    content = bytearray()
    with urllib.request.urlopen(request, timeout=timeout) as response:
        length = response.headers.get("Content-Length")
        total = int(length) if length else None
        while chunk := response.read1(_CHUNK):  # `read` would wait for a full chunk, past the deadline
            content += chunk
            if len(content) > _MAX_BYTES:
                raise _SourceError(f"more than {_MAX_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                raise _SourceError(f"not done within {time_limit:g} s")
            if progress is not None:
                progress(len(content), total)
    if total is not None and len(content) != total:
        raise _SourceError(f"cut off after {len(content)} of {total} bytes")
    return bytes(content)


def write_whole(path: Path, content: bytes) -> None:
    """Write to a temporary file beside ``path``, force it to the disk, then rename: all of it or nothing.

    Raises ``DownloadError`` where that cannot be done.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise DownloadError(
            f"could not write {path} ({error.strerror or error}): point GENLAB_DATA (or data.root) "
            f"at a folder that can be written"
        ) from error
