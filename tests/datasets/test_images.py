"""Images by name: the layouts of each data set, what is refused, and the stand-in that says what it is."""

import gzip
import hashlib
import os
import socket
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from genlab.datasets import image_sources, images
from genlab.datasets.digits import enlarge, load_small, split_off_test
from genlab.datasets.download import DownloadError
from genlab.datasets.images import DATASETS, Images, fetch_images, load_images
from genlab.datasets.raw_images import EMNIST_CLASSES, RAW_SETS, RawSet

ROOT = Path(os.environ.get("GENLAB_DATA") or "data").expanduser()
needs_mnist = pytest.mark.skipif(
    not (ROOT / "MNIST" / "raw" / "train-images-idx3-ubyte").is_file(), reason=f"GENLAB_DATA has no MNIST ({ROOT})"
)


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def refused(name: str, root: Path, download: bool = False) -> str:
    with pytest.raises(ValueError, match="must ") as error:
        load_images(name, root, download=download)
    return one_line(error)


@pytest.fixture
def no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be fetched."""

    def fail(raw: RawSet, root: Path, progress: object = None) -> None:
        raise DownloadError(f"could not fetch {raw.name} (torchvision: no network; npm: not installed): do this")

    monkeypatch.setattr(images, "fetch_raw", fail)


@pytest.fixture
def placed(mnist: RawSet, contents, put, tmp_path: Path) -> Path:
    """The folder of the raw files of a small MNIST below ``tmp_path``."""
    return put(contents(mnist), mnist.raw_folder(tmp_path))


@needs_mnist
def test_the_real_mnist() -> None:
    data = load_images("MNIST", ROOT, download=False)
    assert (data.name, data.num_classes, data.warning) == ("MNIST", 10, "")
    assert (data.train_images.shape, data.test_images.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert (data.train_images.dtype, data.train_labels.dtype) == (np.uint8, np.int64)
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(data.test_labels).tolist() == counts
    assert 33.3 < data.train_images.mean() < 33.4  # the well-known 0.1307 of 255
    assert data.sha256 == hashlib.sha256("\n".join(RAW_SETS["MNIST"].sha256).encode()).hexdigest()


@needs_mnist
def test_the_real_mnist_is_read_and_hashed_at_once() -> None:
    took = []
    for _ in range(3):
        began = time.process_time()  # whatever else this machine does
        load_images("MNIST", ROOT, download=False)
        took.append(time.process_time() - began)
    assert min(took) < 0.3


def test_a_small_mnist_is_read_to_the_value(mnist: RawSet, placed: Path, contents, tmp_path: Path) -> None:
    data = load_images("MNIST", tmp_path, download=False)
    whole = contents(mnist)[mnist.files[0]]
    np.testing.assert_array_equal(data.train_images, np.frombuffer(whole[16:], np.uint8).reshape(12, 28, 28))
    assert data.train_labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert data.test_labels.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert data.test_images.shape == (7, 28, 28)
    assert data.sources == tuple(str(placed / name) for name in mnist.files)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.from_numpy(data.train_images)  # which warns of arrays that may not be written to


@pytest.mark.parametrize("packed", [[0], [1, 2], [0, 1, 2, 3]])
def test_packed_files_are_the_same_data(mnist: RawSet, placed: Path, tmp_path: Path, packed: list[int]) -> None:
    plain = load_images("MNIST", tmp_path, download=False)
    for index in packed:
        file = placed / mnist.files[index]
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    data = load_images("MNIST", tmp_path, download=False)
    assert data.sha256 == plain.sha256
    np.testing.assert_array_equal(data.train_images, plain.train_images)
    assert [source.endswith(".gz") for source in data.sources] == [index in packed for index in range(4)]


def test_home_is_understood(placed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_images("MNIST", Path("~"), download=False).sources[0].startswith(str(placed))


@pytest.mark.parametrize("download", [False, True])
@pytest.mark.parametrize("index", range(4))
def test_a_damaged_file_is_an_error_that_names_it(
    mnist: RawSet, placed: Path, tmp_path: Path, index: int, download: bool
) -> None:
    file = placed / mnist.files[index]
    whole = file.read_bytes()
    for spoiled in (whole[:-1], whole + b"\0", whole[:-1] + bytes([whole[-1] ^ 1]), b""):
        file.write_bytes(spoiled)
        message = refused("MNIST", tmp_path, download)
        for part in (str(file), "SHA-256 must be", mnist.sha256[index], hashlib.sha256(spoiled).hexdigest()):
            assert part in message
        assert file.read_bytes() == spoiled


def test_a_damaged_file_is_an_error_even_where_others_are_missing(
    mnist: RawSet, placed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    (placed / mnist.files[0]).unlink()
    (placed / mnist.files[3]).write_bytes(b"x")
    assert str(placed / mnist.files[3]) in refused("MNIST", tmp_path, download=True)
    assert not (placed / mnist.files[0]).exists()


@pytest.mark.parametrize("spoil", [lambda packed: packed[:-9], lambda packed: b"no gzip", lambda packed: packed[:30]])
def test_a_damaged_packed_file_is_an_error(mnist: RawSet, placed: Path, tmp_path: Path, spoil) -> None:
    file = placed / mnist.files[0]
    packed = file.with_name(f"{file.name}.gz")
    packed.write_bytes(spoil(gzip.compress(file.read_bytes())))
    load_images("MNIST", tmp_path, download=False)  # beside the plain file it is not looked at
    file.unlink()
    message = refused("MNIST", tmp_path)
    assert str(packed) in message
    assert "be a whole gzip file" in message


def test_what_is_no_file_is_refused(mnist: RawSet, placed: Path, tmp_path: Path) -> None:
    file = placed / mnist.files[1]
    file.unlink()
    file.symlink_to(tmp_path / "nowhere")
    assert f"`{file}` must be a file; delete or move what is there; got 'a link to nothing'" in refused(
        "MNIST", tmp_path
    )
    file.unlink()
    file.mkdir()
    assert "got 'no file'" in refused("MNIST", tmp_path, download=True)


def test_missing_files_are_named_with_what_to_do(mnist: RawSet, placed: Path, tmp_path: Path) -> None:
    for index in (1, 3):
        (placed / mnist.files[index]).unlink()
    message = refused("MNIST", tmp_path)
    for part in (mnist.files[1], mnist.files[3], str(placed), "genlab fetch dataset=MNIST", "GENLAB_DATA", "data.root"):
        assert part in message
    assert mnist.files[0] not in message
    assert "genlab fetch dataset=EMNIST-letters" in refused("EMNIST-letters", tmp_path)


@pytest.mark.parametrize(
    ("typed", "hint"), [("mnist", "MNIST"), ("FashonMNIST", "FashionMNIST"), ("EMNIST-letter", "EMNIST-letters")]
)
def test_unknown_names_are_answered_with_the_nearest(typed: str, hint: str, tmp_path: Path) -> None:
    message = refused(typed, tmp_path)
    assert message.endswith(f"got {typed!r} (data.dataset; did you mean {hint}?)")
    assert all(name in message for name in DATASETS)
    with pytest.raises(ValueError, match=rf"\(dataset; did you mean {hint}\?\)"):
        fetch_images(typed, tmp_path)


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in ("MNIST", "digits")])
def test_the_other_data_sets_by_name(name: str, contents, put, tmp_path: Path) -> None:
    raw = RAW_SETS[name]
    files = contents(raw, train=70, test=69)
    put(files, raw.raw_folder(tmp_path))
    data = load_images(name, tmp_path, download=False)
    assert data.name == ("EMNIST-balanced" if name == "EMNIST" else name)
    assert data.num_classes == len(set(data.train_labels)) == data.train_labels.max() + 1
    assert data.test_labels.tolist() == [index % data.num_classes for index in range(69)]
    pixels = np.frombuffer(files[raw.files[0]][16:], np.uint8).reshape(70, 28, 28)
    np.testing.assert_array_equal(data.train_images, pixels.swapaxes(1, 2) if name.startswith("EMNIST") else pixels)
    assert data.train_images.flags.c_contiguous
    hashes = [hashlib.sha256(content).hexdigest() for content in files.values()]
    assert data.sha256 == hashlib.sha256("\n".join(hashes).encode()).hexdigest()


@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST", "QMNIST", "EMNIST-letters", "EMNIST-byclass"])
def test_torchvision_reads_the_same(name: str, contents, put, tmp_path: Path) -> None:
    """torchvision leaves EMNIST's images lying on their side and its letters counted from 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchvision import datasets
    raw = RAW_SETS[name]
    put(contents(raw, train=70), raw.raw_folder(tmp_path))
    data = load_images(name, tmp_path, download=False)
    options = {"split": raw.split} if raw.split else {}
    for train, pixels, labels in (
        (True, data.train_images, data.train_labels),
        (False, data.test_images, data.test_labels),
    ):
        theirs = getattr(datasets, raw.folder)(tmp_path, train=train, **options)
        upright = theirs.data.mT if raw.transposed else theirs.data
        np.testing.assert_array_equal(pixels, upright.numpy())
        targets = theirs.targets[:, 0] if name == "QMNIST" else theirs.targets
        np.testing.assert_array_equal(labels + raw.first_label, targets.numpy())


def test_torchvision_is_called_as_it_wants_to_be(
    contents, put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child's program, in this process where torchvision is loaded already; with the files there it only reads."""
    limits: list[float] = []
    monkeypatch.setattr(socket, "setdefaulttimeout", limits.append)
    for name in ("MNIST", "QMNIST", "EMNIST-letters"):
        raw = RAW_SETS[name]
        put(contents(raw), raw.raw_folder(tmp_path))
        monkeypatch.setattr(sys, "argv", ["-c", raw.folder, raw.split, str(tmp_path), "10.0"])
        exec(image_sources._TORCHVISION, {})
    assert limits == [10.0] * 3, "a server that does not answer is given up"


def test_torchvision_has_these_names_and_numbers_of_classes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchvision import datasets
    assert set(EMNIST_CLASSES) == set(datasets.EMNIST.splits)
    for raw in RAW_SETS.values():
        kind = getattr(datasets, raw.folder)
        classes = kind.classes_split_dict[raw.split] if raw.split else kind.classes
        assert raw.num_classes == len([name for name in classes if name != "N/A"])


@pytest.mark.parametrize(
    ("index", "values", "rule"),
    [
        (0, np.zeros((12, 28, 27), np.uint8), "hold 8-bit images of 28 x 28 pixels; got 'uint8 (12, 28, 27)'"),
        (0, np.zeros((12, 784), np.uint8), "hold 8-bit images of 28 x 28 pixels"),
        (2, np.zeros((7, 28, 28), np.float32), "hold 8-bit images of 28 x 28 pixels; got 'float32"),
        (1, np.zeros(11, np.uint8), "have a label for each of the 12 images in train-images-idx3-ubyte; got 11"),
        (2, np.zeros((8, 28, 28), np.uint8), "have a label for each of the 8 images in t10k-images-idx3-ubyte; got 7"),
        (1, np.full(12, 10, np.uint8), "hold labels from 0 to 9; got 10"),
        (3, np.full(7, -1, np.int8), "hold labels from 0 to 9; got -1"),
        (1, np.zeros((12, 1), np.uint8), "hold one integer for each image"),
        (1, np.zeros(12, np.float32), "hold one integer for each image"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    index: int, values: np.ndarray, rule: str, to_idx, contents, put, tmp_path: Path
) -> None:
    raw = RAW_SETS["KMNIST"]
    put({**contents(raw), raw.files[index]: to_idx(values)}, raw.raw_folder(tmp_path))
    message = refused("KMNIST", tmp_path)
    assert rule in message
    assert str(raw.raw_folder(tmp_path) / raw.files[index | 1 if "label" in rule else index]) in message


def test_letters_are_counted_from_one_in_their_files(contents, to_idx, put, tmp_path: Path) -> None:
    raw = RAW_SETS["EMNIST-letters"]
    for label in (0, 27):
        labels = to_idx(np.full(12, label, np.uint8))
        put({**contents(raw), raw.files[1]: labels}, raw.raw_folder(tmp_path))
        assert f"hold labels from 1 to 26; got {label} " in refused("EMNIST-letters", tmp_path)


def test_a_file_without_a_published_hash_that_is_cut_off_is_refused(contents, put, tmp_path: Path) -> None:
    raw = RAW_SETS["FashionMNIST"]
    files = contents(raw)
    put({**files, raw.files[2]: files[raw.files[2]][:-5]}, raw.raw_folder(tmp_path))
    message = refused("FashionMNIST", tmp_path)
    assert "(it is cut off)" in message
    assert str(raw.raw_folder(tmp_path) / raw.files[2]) in message


def test_a_record_beside_the_files_is_held(contents, put, tmp_path: Path) -> None:
    raw = RAW_SETS["QMNIST"]
    files = contents(raw)
    folder = put(files, raw.raw_folder(tmp_path))
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()]
    (folder / "SHA256SUMS").write_text("".join(lines))
    load_images("QMNIST", tmp_path, download=False)
    (folder / raw.files[0]).write_bytes(files[raw.files[0]][:-1] + b"\x07")
    message = refused("QMNIST", tmp_path)
    assert f"{folder / raw.files[0]} is damaged or another file" in message
    (folder / "SHA256SUMS").write_text("".join(lines[:1]) + "nonsense\n")
    assert f"`{folder / 'SHA256SUMS'}` must have a SHA-256" in refused("QMNIST", tmp_path)


def test_digits_by_name_are_scikit_learns_without_a_warning(tmp_path: Path) -> None:
    data = load_images("digits", tmp_path / "nowhere")
    assert (data.name, data.num_classes, data.warning) == ("digits", 10, "")
    assert (data.train_images.shape, data.test_images.shape) == ((1438, 28, 28), (359, 28, 28))
    assert (data.train_images.dtype, data.train_labels.dtype) == (np.uint8, np.int64)
    assert (data.train_images.min(), data.train_images.max()) == (0, 255)
    assert "scikit-learn" in data.sources[0]
    assert data.sha256 == "6f409a8e169b4bf855ffb28adb625287ac089ff4a1f924131e2e6d8e828be7aa"
    assert not (tmp_path / "nowhere").exists()
    again = load_images("digits", tmp_path, download=False)
    np.testing.assert_array_equal(data.test_images, again.test_images)
    assert fetch_images("digits", tmp_path).is_dir()


def test_digits_are_split_class_by_class_and_always_alike() -> None:
    labels = load_small()[1]
    train, test = split_off_test(labels)
    assert sorted([*train, *test]) == list(range(len(labels)))
    share = np.bincount(labels[test]) / np.bincount(labels)
    assert (np.abs(share - 0.2) < 0.005).all()
    assert test[:5].tolist() == [3, 7, 13, 19, 36]
    assert test.tolist() == sorted(test)


def test_digits_are_enlarged_bilinearly() -> None:
    small = load_small()[0][:20]
    large = enlarge(small)
    scaled = torch.from_numpy(small.astype(np.float64))[:, None] * (255 / 16)
    exact = torch.nn.functional.interpolate(scaled, (28, 28), mode="bilinear")[:, 0].numpy()
    np.testing.assert_allclose(large, exact, rtol=0, atol=0.5 + 1e-9)
    assert (enlarge(np.full((1, 8, 8), 16, np.uint8)) == 255).all()
    np.testing.assert_array_equal(enlarge(small, 8), np.rint(small * (255 / 16)))
    np.testing.assert_array_equal(enlarge(small.transpose(0, 2, 1)), large.transpose(0, 2, 1))


@pytest.mark.usefixtures("no_source")
def test_digits_stand_in_for_an_mnist_that_cannot_be_had(tmp_path: Path) -> None:
    data = load_images("MNIST", tmp_path)
    own = load_images("digits", tmp_path)
    assert (data.name, data.sha256) == ("digits", own.sha256)
    np.testing.assert_array_equal(data.train_images, own.train_images)
    for part in ("this is not MNIST", "scikit-learn's", "1,797 images of 8x8", "28x28", "torchvision: no network"):
        assert part in data.warning
    assert "\n" not in data.warning


@pytest.mark.usefixtures("no_source")
@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST", "QMNIST", "EMNIST", "EMNIST-mnist"])
def test_nothing_stands_in_for_other_data_sets(name: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="could not fetch"):
        load_images(name, tmp_path)


@pytest.mark.usefixtures("no_source")
def test_nothing_stands_in_without_leave_to_download(tmp_path: Path) -> None:
    assert "must be present" in refused("MNIST", tmp_path)
    with pytest.raises(DownloadError, match="could not fetch MNIST"):
        fetch_images("MNIST", tmp_path)


@pytest.mark.usefixtures("no_source")
def test_what_is_there_needs_no_source(mnist: RawSet, placed: Path, tmp_path: Path) -> None:
    assert fetch_images("MNIST", tmp_path) == placed
    assert isinstance(load_images("MNIST", tmp_path), Images)
    (placed / mnist.files[0]).write_bytes(b"x")
    with pytest.raises(ValueError, match="is damaged"):
        fetch_images("MNIST", tmp_path)
