"""Downloads from a server on this machine that behaves and misbehaves."""

import hashlib
import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from genlab.datasets.download import DownloadError, fetch_file, sha256_of

CONTENT = bytes(range(256)) * 700  # more than one chunk
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Each path misbehaves in its own way; the server keeps the requests and the event that frees it."""

    server: "Server"

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
        elif self.path == "/hang":
            self.server.released.wait(10)
        elif self.path == "/trickle":
            self._trickle()
        else:
            self._send(CONTENT[::-1] if self.path == "/wrong" else CONTENT)

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        if self.path != "/unsized":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:70_000] if self.path == "/cut" else content)

    def _trickle(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        for index in range(200):
            if self.server.released.wait(0.05):
                return
            try:
                self.wfile.write(CONTENT[index : index + 1])
            except OSError:  # the client has given up, as it should
                return

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests quiet."""


class Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str] = []
        self.released = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def files_below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("path", ["good", "unsized"])
def test_a_good_file_is_written_whole_and_alone(server: Server, tmp_path: Path, path: str) -> None:
    target = tmp_path / "new" / "folder" / "data.bin"
    assert fetch_file(server.url(path), target, SHA256.upper()) == target
    assert target.read_bytes() == CONTENT
    assert files_below(tmp_path) == ["data.bin"]
    assert sha256_of(target) == SHA256


def test_the_file_may_be_read_by_whom_the_umask_lets(server: Server, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    fetched = fetch_file(server.url("good"), tmp_path / "fetched", SHA256)
    assert fetched.stat().st_mode == plain.stat().st_mode


def test_a_file_that_is_there_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "data.bin"
    target.write_bytes(CONTENT)
    fetch_file(server.url("good"), target, SHA256.upper())
    assert server.requests == []


def test_another_file_is_refused_and_left_alone(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "data.bin"
    target.write_bytes(b"mine")
    with pytest.raises(ValueError, match="SHA-256") as error:
        fetch_file(server.url("good"), target, SHA256)
    message = one_line(error)
    for part in (
        str(target),
        SHA256,
        hashlib.sha256(b"mine").hexdigest(),
        "delete or move it",
        "(data.root)",
    ):
        assert part in message
    assert target.read_bytes() == b"mine"
    assert server.requests == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("wrong", f"SHA-256 must be {SHA256}; got {hashlib.sha256(CONTENT[::-1]).hexdigest()}"),
        ("missing", "HTTP 404"),
        ("hang", "no answer within 0.3 s"),
        ("cut", f"cut off after 70000 of {len(CONTENT)} bytes"),
    ],
)
def test_a_bad_source_leaves_nothing_behind(server: Server, tmp_path: Path, path: str, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(DownloadError) as error:
        fetch_file(server.url(path), tmp_path / "data.bin", SHA256, timeout=0.3)
    message = one_line(error)
    for part in ("data.bin", f"{server.url(path)}: {reason}", "GENLAB_DATA", "data.root"):
        assert part in message
    assert files_below(tmp_path) == []
    assert time.monotonic() - started < 2.5


def test_a_server_that_trickles_is_given_up(server: Server, tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"not done within 0\.3 s"):
        fetch_file(server.url("trickle"), tmp_path / "data.bin", SHA256, timeout=5, time_limit=0.3)
    assert time.monotonic() - started < 3
    assert files_below(tmp_path) == []


def test_a_file_beyond_all_bounds_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genlab.datasets.download._MAX_BYTES", 1 << 16)
    with pytest.raises(DownloadError, match="more than 0 MiB"):
        fetch_file(server.url("good"), tmp_path / "data.bin", SHA256)


def test_sources_are_tried_in_order_until_one_is_good(server: Server, tmp_path: Path) -> None:
    urls = [server.url(path) for path in ("missing", "wrong", "good", "unsized")]
    fetch_file(urls, tmp_path / "data.bin", SHA256)
    assert server.requests == ["/missing", "/wrong", "/good"]
    assert files_below(tmp_path) == ["data.bin"]


def test_the_error_lists_every_source_with_its_reason(server: Server, tmp_path: Path) -> None:
    with Server() as gone:
        closed = gone.url("closed")
    urls = [server.url("missing"), closed, "nonsense"]
    with pytest.raises(DownloadError) as error:
        fetch_file(urls, tmp_path / "data.bin", SHA256, timeout=2)
    message = one_line(error)
    for part in (f"{urls[0]}: HTTP 404", f"{closed}: ", "refused", "nonsense: ", "unknown url type"):
        assert part in message


def test_no_source_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="no source is known"):
        fetch_file([], tmp_path / "data.bin", SHA256)


def test_progress_counts_up_to_the_size(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch_file(server.url("good"), tmp_path / "a", SHA256, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 1
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    seen.clear()
    fetch_file(server.url("unsized"), tmp_path / "b", SHA256, progress=lambda done, total: seen.append((done, total)))
    assert [total for _, total in seen] == [None] * len(seen)
    assert seen[-1][0] == len(CONTENT)


def test_a_write_that_fails_leaves_nothing_behind(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DownloadError, match=r"No space left on device.*data\.root") as error:
        fetch_file(server.url("good"), tmp_path / "data.bin", SHA256)
    one_line(error)
    assert files_below(tmp_path) == []


def test_an_interrupt_leaves_nothing_behind(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch_file(server.url("good"), tmp_path / "data.bin", SHA256)
    assert files_below(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DownloadError, match="could not write"):
        fetch_file(server.url("good"), tmp_path / "file" / "data.bin", SHA256)


def test_many_at_once_give_one_whole_file(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "data.bin"
    threads = [threading.Thread(target=fetch_file, args=(server.url("good"), target, SHA256)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert files_below(tmp_path) == ["data.bin"]
