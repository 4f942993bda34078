"""What the machine has, and data that is there already."""

import hashlib
from pathlib import Path

import pytest

from genlab.datasets import corpora
from genlab.run import doctor


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Tiny Shakespeare's place taken by a text of ours; any download fails."""
    content = b"To be, or not to be.\n"
    known = corpora.Corpus("ours", "text/ours.txt", hashlib.sha256(content).hexdigest(), ("http://localhost:1/x",))
    monkeypatch.setitem(corpora.CORPORA, "tiny_shakespeare", known)
    return content


def test_fetch_says_where_a_corpus_is_that_is_there_already(genlab, corpus: bytes, place: Path) -> None:
    file = place / "my data" / "text" / "ours.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(corpus)
    answer = genlab("fetch", "corpus=tiny_shakespeare", "root=my data")
    assert answer == (0, "tiny_shakespeare is at my data/text/ours.txt\n", "")
    assert file.read_bytes() == corpus


def test_fetch_that_fails_leaves_nothing(genlab, corpus: bytes, place: Path) -> None:
    answer = genlab("fetch", "root=data")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert [path for path in place.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_doctor_fits_the_terminal(width: str, genlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("GENLAB_DATA", "/nowhere")
    answer = genlab("doctor")
    assert (answer.code, answer.err) == (0, "")
    table, _, mends = answer.out.partition("\nto mend:\n")
    assert all(len(line) <= int(width) for line in table.splitlines())
    assert "tiny_shakespeare: genlab fetch corpus=tiny_shakespeare, or set GENLAB_DATA" in mends


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
