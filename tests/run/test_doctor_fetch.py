"""What the machine has, and data that is there already."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from genlab.datasets import corpora, image_sources
from genlab.datasets.raw_images import MNIST, RAW_SETS, RawSet
from genlab.run import doctor, fetch


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Tiny Shakespeare's place taken by a text of ours; any download fails."""
    content = b"To be, or not to be.\n"
    known = corpora.Corpus("ours", "text/ours.txt", hashlib.sha256(content).hexdigest(), ("http://localhost:1/x",))
    monkeypatch.setitem(corpora.CORPORA, "tiny_shakespeare", known)
    return content


def raw_files(raw: RawSet) -> dict[str, bytes]:
    """One blank image and its label, twice."""
    image, label = (
        bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(784),
        bytes([0, 0, 8, 1, 0, 0, 0, 1, 5]),
    )
    return dict(zip(raw.files, [image, label, image, label], strict=True))


def put(raw: RawSet, root: Path) -> Path:
    folder = raw.raw_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in raw_files(raw).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch) -> RawSet:
    """MNIST's place taken by two images of ours, which nobody gives."""
    hashes = tuple(hashlib.sha256(content).hexdigest() for content in raw_files(MNIST).values())
    small = replace(MNIST, sha256=hashes)
    monkeypatch.setitem(RAW_SETS, "MNIST", small)
    monkeypatch.setattr(image_sources, "_sources", lambda raw: {})
    return small


def test_fetch_says_where_a_corpus_is_that_is_there_already(genlab, corpus: bytes, place: Path) -> None:
    file = place / "my data" / "text" / "ours.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(corpus)
    answer = genlab("fetch", "corpus=tiny_shakespeare", "root=my data")
    assert answer == (0, "tiny_shakespeare is at my data/text/ours.txt\n", "")
    assert file.read_bytes() == corpus


def test_fetch_that_fails_leaves_nothing(genlab, corpus: bytes, mnist: RawSet, place: Path) -> None:
    for words in (["corpus=tiny_shakespeare"], ["dataset=MNIST"], ["dataset=KMNIST"], []):
        answer = genlab("fetch", "root=data", *words)
        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
        assert ("ours.txt" in answer.err) == (words in (["corpus=tiny_shakespeare"], []))
        assert ("could not fetch MNIST" in answer.err) == (words in (["dataset=MNIST"], []))
        assert [path for path in place.rglob("*") if path.is_file()] == []


def test_fetch_says_where_images_are_that_are_there_already(genlab, mnist: RawSet, place: Path) -> None:
    folder = put(mnist, place / "data")
    assert genlab("fetch", "dataset=MNIST", "root=data") == (0, "MNIST is at data/MNIST/raw\n", "")
    (folder / mnist.files[2]).write_bytes(b"mine")
    answer = genlab("fetch", "dataset=MNIST", "root=data")
    assert (answer.code, answer.out) == (2, "")
    assert f"data/MNIST/raw/{mnist.files[2]} is damaged or another file" in answer.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["tiny_shakespeare", "MNIST"]),
        (["corpus=tiny_shakespeare"], ["tiny_shakespeare"]),
        (["dataset=KMNIST"], ["KMNIST"]),
        (["corpus=python_docs", "dataset=QMNIST"], ["python_docs", "QMNIST"]),
        (["corpus=null"], ["MNIST"]),
        (["dataset=null"], ["tiny_shakespeare"]),
        (["corpus=null", "dataset=digits"], ["digits"]),
    ],
)
def test_fetch_gets_what_is_named_or_the_usual(
    words: list[str], names: list[str], genlab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("fetch", "fetch_images"):
        monkeypatch.setattr(fetch, what, lambda name, root, progress: root / f"{name}.file")
    answer = genlab("fetch", "root=data", *words)
    assert answer == (0, "".join(f"{name} is at data/{name}.file\n" for name in names), "")


def test_fetch_of_nothing_says_what_there_is(genlab) -> None:
    answer = genlab("fetch", "corpus=null", "dataset=null")
    assert (answer.code, answer.err) == (0, "")
    for name in (*corpora.CORPORA, *RAW_SETS, "digits"):
        assert name in answer.out


def test_fetch_goes_on_after_a_failure(genlab, corpus: bytes, mnist: RawSet, place: Path) -> None:
    put(mnist, place / "data")
    answer = genlab("fetch", "root=data")
    assert (answer.code, answer.out) == (1, "MNIST is at data/MNIST/raw\n")
    assert "could not fetch ours.txt" in answer.err


def test_fetch_shows_that_it_is_at_work(genlab, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(name: str, root: Path, progress) -> Path:
        for done in (0, 1_500_000):
            progress(done, 3_000_000)
        return root

    monkeypatch.setattr(fetch, "fetch_images", slow)
    assert genlab("fetch", "dataset=MNIST").err == "fetching MNIST\n"  # no terminal: once
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    assert "fetching MNIST: 1.5 of 3.0 MB" in genlab("fetch", "dataset=MNIST").err


def test_fetch_hints_at_the_nearest_name(genlab) -> None:
    answer = genlab("fetch", "dataset=mnist")
    assert answer.code == 2
    assert "(dataset; did you mean MNIST?)" in answer.err


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_doctor_fits_the_terminal(width: str, genlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("GENLAB_DATA", "/nowhere")
    answer = genlab("doctor")
    assert (answer.code, answer.err) == (0, "")
    table, _, mends = answer.out.partition("\nto mend:\n")
    assert all(len(line) <= int(width) for line in table.splitlines())
    assert "tiny_shakespeare: genlab fetch corpus=tiny_shakespeare, or set GENLAB_DATA" in mends
    assert "MNIST: genlab fetch dataset=MNIST, or set GENLAB_DATA" in mends
    assert "EMNIST" not in answer.out


def test_doctor_names_every_finding(genlab, corpus: bytes, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    file = place / "data" / "text" / "ours.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(corpus)
    out = genlab("doctor").out
    for subject in (
        "python",
        "torch",
        "hydra-core",
        "processor",
        "GPU",
        "data root",
        "runs go to",
        "TensorBoard",
        "W&B",
    ):
        assert subject in out
    assert "checksum right" in out
    file.write_bytes(b"something else")
    out = genlab("doctor").out
    assert "damaged" in out
    assert "delete it, then genlab fetch" in out


def test_doctor_checks_images(genlab, mnist: RawSet, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    folder = put(mnist, place / "data")
    assert "data/MNIST/raw, checksums right" in genlab("doctor").out
    (folder / mnist.files[0]).write_bytes(b"something else")
    out = genlab("doctor").out
    assert f"data/MNIST/raw/{mnist.files[0]} is damaged or another file" in out
    assert "MNIST: delete what is wrong, then genlab fetch dataset=MNIST" in out
    (folder / mnist.files[0]).unlink()
    out = genlab("doctor").out
    assert "not whole at data/MNIST/raw" in out
    assert "MNIST: genlab fetch dataset=MNIST, or set GENLAB_DATA" in out


def test_doctor_knows_records_of_other_data_sets(
    genlab, mnist: RawSet, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    raw = RAW_SETS["EMNIST-letters"]
    folder = put(raw, place / "data")
    out = genlab("doctor").out
    assert "data/EMNIST/raw, no checksums on record" in out
    assert "EMNIST-digits" not in out
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in raw_files(raw).items()]
    (folder / "SHA256SUMS").write_text("".join(lines))
    assert "data/EMNIST/raw, checksums right" in genlab("doctor").out
    (folder / "SHA256SUMS").write_text("nonsense\n")
    out = genlab("doctor").out
    assert out.count("must have a SHA-256") == 1
    assert "EMNIST-letters: delete what is wrong" in out


def test_doctor_never_shows_a_key(genlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("COLUMNS", "200")
    out = genlab("doctor").out
    assert "a key is there" in out
    assert "kkkk" not in out


def test_doctor_knows_what_a_missing_package_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "versions", lambda: {"python": "3.11", "numba": None})
    findings = list(doctor._versions())
    assert findings[1] == ("numba", "not installed", "pip install numba")
