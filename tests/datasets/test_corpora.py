"""Named corpora, files, folders and globs; and everything that is refused."""

import glob
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from pydoc_data import topics
from typing import Any

import pytest

from genlab.datasets import corpora
from genlab.datasets.corpora import CORPORA, Corpus, Text, fetch, load_text
from genlab.datasets.download import DownloadError

PLAY = b"Enter Romeo.\nExit Romeo.\n"


def load(text: Path | str, root: Path = Path("nowhere")) -> Text:
    return load_text(text=str(text), corpus=None, root=root)


def assert_refused(call: Callable[[], object], *parts: str) -> None:
    with pytest.raises(ValueError, match="must") as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Corpus:
    """A small named corpus whose only source does not answer."""
    corpus = Corpus("A play", "text/play.txt", hashlib.sha256(PLAY).hexdigest(), ("http://127.0.0.1:9/play",))
    monkeypatch.setitem(CORPORA, "play", corpus)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return corpus


def put(root: Path, content: bytes) -> Path:
    path = root / "text" / "play.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_the_default_corpus_needs_nothing(tmp_path: Path) -> None:
    first = load_text(text=None, corpus="python_docs", root=tmp_path / "absent")
    assert first == load_text(text=None, corpus="python_docs", root=tmp_path)
    assert first.name == "python_docs"
    assert first.sha256 == hashlib.sha256(first.text.encode()).hexdigest()
    assert len(first.text) > 300_000
    assert all(topic in first.text for topic in topics.topics.values())
    assert len(first.sources) == 1


def test_the_default_corpus_does_not_depend_on_the_order_of_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_text(text=None, corpus="python_docs", root=Path())
    monkeypatch.setattr(topics, "topics", dict(reversed(topics.topics.items())))
    assert load_text(text=None, corpus="python_docs", root=Path()) == before


def test_a_python_without_its_documentation_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydoc_data", None)
    assert_refused(
        lambda: load_text(text=None, corpus="python_docs", root=Path()),
        "pydoc_data",
        "data.text",
        "(data.corpus)",
    )


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "café.txt"
    path.write_bytes("“Hé”\r\n".encode())
    loaded = load(path)
    assert loaded.text == "“Hé”\r\n"  # raw: ASCII is the model's matter
    assert loaded.name == "café.txt"
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.sources == (str(path),)


def test_a_byte_order_mark_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfabc")
    assert load(path).text == "abc"
    assert load(path).sha256 == hashlib.sha256(b"\xef\xbb\xbfabc").hexdigest()


def test_a_folder_gives_its_txt_files_in_order(tmp_path: Path) -> None:
    for name, content in (("b.txt", "two"), ("a/z.txt", "one"), ("c.txt", "three"), ("a/skip.md", "no")):
        path = tmp_path / "[x]" / name  # a name with the characters of a pattern is still a folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    loaded = load(tmp_path / "[x]")
    assert loaded.text == "one\ntwo\nthree"
    assert loaded.name == "[x]"
    assert loaded.sha256 == hashlib.sha256(b"onetwothree").hexdigest()
    assert [Path(source).name for source in loaded.sources] == ["z.txt", "b.txt", "c.txt"]


def test_a_folder_does_not_depend_on_how_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdefghij":
        (tmp_path / f"{name}.txt").write_text(name)
    listed = glob.glob

    def backwards(*args: Any, **options: Any) -> list[str]:
        return sorted(listed(*args, **options), reverse=True)

    monkeypatch.setattr(corpora.glob, "glob", backwards)  # type: ignore[attr-defined]
    assert load(tmp_path).text == "\n".join("abcdefghij")


def test_a_glob_takes_files_alone_and_goes_down(tmp_path: Path) -> None:
    (tmp_path / "sub.md").mkdir()
    (tmp_path / "sub.md" / "in.md").write_text("inner")
    (tmp_path / "top.md").write_text("top")
    assert load(tmp_path / "*.md").text == "top"
    assert load(tmp_path / "**" / "*.md").text == "inner\ntop"
    assert load(tmp_path / "**" / "*.md").name == str(tmp_path / "**" / "*.md")


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.txt").write_text("home")
    for text in ("~/a.txt", "~/*.txt", "~"):
        assert load(text).text == "home"


def test_a_text_wins_over_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    assert load_text(text=str(tmp_path / "a.txt"), corpus="python_docs", root=tmp_path).text == "mine"


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "shakespeare.txt").write_text("x")
    wrong = tmp_path / "shakespear.txt"
    assert_refused(lambda: load(wrong), repr(str(wrong)), "data.text; did you mean shakespeare.txt?")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert_refused(lambda: load(tmp_path / "none" / "a.txt"), f"there is no folder {str(tmp_path / 'none')!r}")


def test_a_text_given_in_place_of_a_path_is_refused() -> None:
    assert_refused(lambda: load("To be or not to be. " * 400), "a file, a folder or a glob that exists")
    assert_refused(lambda: load("a\0b"), "a file, a folder or a glob that exists")


@pytest.mark.parametrize("text", ["", " "])
def test_no_name_is_not_the_current_folder(text: str) -> None:
    assert_refused(lambda: load(text), f"got {text!r} (data.text)")


def test_a_folder_or_glob_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    assert_refused(lambda: load(tmp_path), "*.txt", "folder/**/*.md", "(data.text)")
    assert_refused(lambda: load(tmp_path / "*.rst"), "match at least one file", "*.rst", "(data.text)")


@pytest.mark.parametrize("content", [b"", b" \r\n\t\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert_refused(lambda: load(tmp_path / "a.txt"), "not be empty", "a.txt", "(data.text)")
    assert_refused(lambda: load(tmp_path), "not be empty", "(data.text)")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"abc\0def", "a NUL byte stands at byte offset 3"),
        ("caf\u00e9".encode("latin-1"), "byte 0xe9 stands at byte offset 3"),
        (b"\xc3\xa9\xc3\xa9\xff", "byte 0xff stands at byte offset 4"),  # bytes, not characters
        ("text".encode("utf-16-le"), "a NUL byte stands at byte offset 1"),
    ],
)
def test_what_is_not_utf8_is_refused_at_its_byte(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.txt").write_text("good")
    (tmp_path / "b.txt").write_bytes(content)
    assert_refused(lambda: load(tmp_path), reason, str(tmp_path / "b.txt"), "(data.text)")


def test_an_unreadable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "a.txt").write_text("x")
    monkeypatch.setattr(Path, "read_bytes", denied)
    assert_refused(lambda: load(tmp_path / "a.txt"), "Permission denied", str(tmp_path / "a.txt"), "(data.text)")


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")  # reading it would wait for ever
    assert_refused(lambda: load(tmp_path / "pipe.txt"), "a file, a folder or a glob")
    assert_refused(lambda: load(tmp_path), "*.txt")


def test_an_unknown_corpus_names_the_nearest(tmp_path: Path) -> None:
    assert_refused(
        lambda: load_text(text=None, corpus="tiny_shakspeare", root=tmp_path),
        "`corpus` must be one of python_docs, tiny_shakespeare",
        "did you mean tiny_shakespeare?",
        "data.corpus",
    )
    assert_refused(lambda: fetch("shakespeare", tmp_path), "tiny_shakespeare")


def test_neither_text_nor_corpus_is_refused(tmp_path: Path) -> None:
    assert_refused(
        lambda: load_text(text=None, corpus=None, root=tmp_path), "data.text", "(data.corpus)", "python_docs"
    )


def test_a_named_corpus_is_read_from_the_data_root(tmp_path: Path, play: Corpus) -> None:
    path = put(tmp_path, PLAY)
    expected = Text(PLAY.decode(), "play", play.sha256, (str(path),))
    assert load_text(text=None, corpus="play", root=tmp_path) == expected
    assert load_text(text=None, corpus="play", root=tmp_path, download=True) == expected
    assert fetch("play", tmp_path) == path


@pytest.mark.parametrize("content", [PLAY[:-1], b"", b"\0\xff"])
@pytest.mark.parametrize("download", [False, True])
def test_a_damaged_corpus_is_refused(tmp_path: Path, play: Corpus, content: bytes, download: bool) -> None:
    path = put(tmp_path, content)
    assert_refused(
        lambda: load_text(text=None, corpus="play", root=tmp_path, download=download),
        str(path),
        play.sha256,
        hashlib.sha256(content).hexdigest(),
        "(data.root)",
    )
    assert path.read_bytes() == content


def test_an_absent_corpus_says_how_to_get_it_and_is_not_downloaded(
    tmp_path: Path, play: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_args: object, **_options: object) -> None:
        raise AssertionError("a download nobody asked for")

    monkeypatch.setattr(corpora, "fetch_file", never)
    assert_refused(
        lambda: load_text(text=None, corpus="play", root=tmp_path),
        str(tmp_path / "text" / "play.txt"),
        "genlab fetch corpus=play",
        "GENLAB_DATA",
        "(data.root)",
    )


def test_a_download_is_made_where_it_is_asked_for(
    tmp_path: Path, play: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deliver(urls: object, path: Path, sha256: str, progress: object = None) -> Path:
        assert (urls, sha256) == (play.urls, play.sha256)
        path.parent.mkdir(parents=True)
        path.write_bytes(PLAY)
        return path

    monkeypatch.setattr(corpora, "fetch_file", deliver)
    assert load_text(text=None, corpus="play", root=tmp_path, download=True).text == PLAY.decode()


def test_a_download_that_fails_says_so(tmp_path: Path, play: Corpus) -> None:
    with pytest.raises(DownloadError, match=r"play\.txt.*GENLAB_DATA"):
        load_text(text=None, corpus="play", root=tmp_path, download=True)
    assert list(tmp_path.rglob("*")) == []


def test_the_default_corpus_needs_no_fetch(tmp_path: Path) -> None:
    assert fetch("python_docs", tmp_path) == Path(topics.__file__)
    assert list(tmp_path.iterdir()) == []


def test_the_real_shakespeare() -> None:
    root = Path(os.environ.get("GENLAB_DATA", ""))
    if not (root / "text" / "tinyshakespeare.txt").is_file():
        pytest.skip("needs Tiny Shakespeare below GENLAB_DATA")
    loaded = load_text(text=None, corpus="tiny_shakespeare", root=root)
    assert len(loaded.text) == 1_115_394
    assert len(set(loaded.text)) == 65
    assert loaded.text.startswith("First Citizen:\n")
