"""Text to train on: a named corpus, or any file, folder or glob of UTF-8 text."""

import glob
import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from genlab.checks import nearest_hint, one_of, refuse
from genlab.datasets.download import Progress, fetch_file, refuse_damaged

_FIELD = "data.text"


@dataclass(frozen=True)
class Corpus:
    """A named corpus: a verified file below the data root or, without ``file``, text that CPython ships."""

    description: str
    file: str | None = None
    sha256: str = ""
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Text:
    """A text as it was read, not yet ASCII; ``sha256`` is that of the ``sources``' raw bytes in order."""

    text: str
    name: str
    sha256: str
    sources: tuple[str, ...]


CORPORA = {
    "python_docs": Corpus("Documentation that ships inside every CPython (pydoc_data.topics, about 465 kB)"),
    "tiny_shakespeare": Corpus(
        "Tiny Shakespeare (1,115,394 characters)",
        file="text/tinyshakespeare.txt",
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        urls=("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",),
    ),
}


def load_text(*, text: str | None, corpus: str | None, root: Path, download: bool = False) -> Text:
    """Read ``text`` (a file, a folder with all ``*.txt`` below it, or a glob), or else the named ``corpus``.

    ``root`` is the data root, where named corpora lie; one that is not there is fetched only if ``download``.
    Several files are joined in the order of their paths, by a line break. Raises ``ValueError`` (one line,
    with the config field) for a text that is missing, empty, unreadable or not UTF-8, an unknown corpus, and
    one that is absent or damaged; ``DownloadError`` if a download fails.
    """
    if text is not None:
        return _read_files(text)
    if corpus is None:
        rule = f"be one of {', '.join(CORPORA)} where data.text is not set"
        raise refuse("corpus", rule, corpus, "data.corpus")
    name = one_of("corpus", corpus, CORPORA, "data.corpus")
    if CORPORA[name].file is None:
        return _python_docs(name)
    if download:
        fetch(name, root)
    return _read_named(name, root)


def fetch(name: str, root: Path, progress: Progress | None = None) -> Path:
    """Download the corpus ``name`` below ``root`` unless it is there already, and return its path.

    ``python_docs`` needs no download: the path is that of CPython's own file. Raises ``ValueError`` for an
    unknown corpus or a damaged file, ``DownloadError`` if no source gives it.
    """
    corpus = CORPORA[one_of("corpus", name, CORPORA, "corpus")]
    if corpus.file is None:
        return Path(_pydoc_topics()[1])
    return fetch_file(corpus.urls, root.expanduser() / corpus.file, corpus.sha256, progress=progress)


def _pydoc_topics() -> tuple[dict[str, str], str]:
    """The topics and the file they come from; the text differs from one CPython version to another."""
    try:
        from pydoc_data import topics  # here, for some systems package CPython without it
    except ImportError as error:
        rule = "be one that is installed (this Python lacks pydoc_data; set data.text or data.corpus)"
        raise refuse("corpus", rule, "python_docs", "data.corpus") from error
    return topics.topics, topics.__file__


def _python_docs(name: str) -> Text:
    topics, _ = _pydoc_topics()
    text = "\n".join(topics[topic] for topic in sorted(topics))
    source = f"pydoc_data.topics ({platform.python_implementation()} {platform.python_version()})"
    return Text(text, name, hashlib.sha256(text.encode()).hexdigest(), (source,))


def _read_named(name: str, root: Path) -> Text:
    corpus = CORPORA[name]
    assert corpus.file is not None
    path = root.expanduser() / corpus.file
    if not os.path.isfile(path):
        raise ValueError(
            f"`corpus` must be present; {name!r} is not at {path}: run `genlab fetch corpus={name}`, "
            f"or point GENLAB_DATA at a folder that has {corpus.file} (data.root)"
        )
    content = _read_bytes(path, "data.root")
    digest = hashlib.sha256(content).hexdigest()
    refuse_damaged(path, corpus.sha256, digest)
    return Text(_decode(content, path), name, digest, (str(path.absolute()),))


def _read_files(text: str) -> Text:
    files = _find_files(text)
    contents = [_read_bytes(path, _FIELD) for path in files]
    joined = "\n".join(_decode(content, path) for content, path in zip(contents, files, strict=True))
    if not joined.strip():
        raise refuse("text", "not be empty", text, _FIELD)
    name = text if _is_glob(text) else os.path.basename(os.path.abspath(os.path.expanduser(text)))
    digest = hashlib.sha256(b"".join(contents)).hexdigest()
    return Text(joined, name, digest, tuple(str(path.absolute()) for path in files))


def _is_glob(text: str) -> bool:
    """Whether ``text`` is a pattern: a path that exists is none, whatever characters are in its name."""
    return glob.has_magic(text) and not os.path.exists(os.path.expanduser(text))


def _find_files(text: str) -> list[Path]:
    if not text:  # or it would be the current folder
        raise refuse("text", "be a file, a folder or a glob", text, _FIELD)
    path = os.path.expanduser(text)
    if _is_glob(text):
        return _matches(path, refuse("text", "match at least one file", text, _FIELD))
    if os.path.isdir(path):
        pattern = os.path.join(glob.escape(path), "**", "*.txt")
        rule = "be a folder with *.txt files (for other names use a glob such as 'folder/**/*.md')"
        return _matches(pattern, refuse("text", rule, text, _FIELD))
    if os.path.isfile(path):
        return [Path(path)]
    raise refuse("text", "be a file, a folder or a glob that exists", text, _FIELD + _near(Path(path)))


def _matches(pattern: str, otherwise: ValueError) -> list[Path]:
    files = {Path(name) for name in glob.glob(pattern, recursive=True) if os.path.isfile(name)}
    if not files:
        raise otherwise
    return sorted(files)


def _near(path: Path) -> str:
    """A hint for a path that does not exist: the nearest name beside it, or that its folder is missing."""
    folder = path.parent
    if not os.path.isdir(folder):
        return f"; there is no folder {str(folder)!r}"
    try:
        return nearest_hint(path.name, os.listdir(folder))
    except OSError:  # a folder that may not be listed gives no hint; the error itself is raised all the same
        return ""


def _read_bytes(path: Path, field: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise refuse("text", f"be readable ({error.strerror or error})", str(path), field) from error


def _decode(content: bytes, path: Path) -> str:
    """``content`` as UTF-8 without a byte-order mark; names the first byte of binary or another encoding."""
    offset = content.find(b"\0")
    what = "a NUL byte"
    try:
        if offset < 0:
            return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        offset, what = error.start, f"byte 0x{content[error.start]:02x}"
    rule = f"be UTF-8 text (convert it with `iconv -t utf-8`); {what} stands at byte offset {offset}"
    raise refuse("text", rule, str(path), _FIELD)
