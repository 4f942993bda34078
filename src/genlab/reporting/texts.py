"""Sample files taken apart: one heading line ``=== ... ===`` before each text."""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_CHARACTERS = 20_000
"""Longer texts are cut on a page, and the page says so."""

_TEMPERATURE = re.compile(r"^=== (temperature [0-9.eE+-]+) ===\n\n?", re.MULTILINE)
_TRAINING = re.compile(r"^=== (iteration \d+ \|.*) ===\n", re.MULTILINE)
_PROMPT = re.compile(r"prompt ('.*'|\".*\")$")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")  # what HTML does not allow or swallows; newline and tab stay


@dataclass(frozen=True)
class Passage:
    """One text of a sample file: its heading, the prompt that began it (or nothing) and what came after."""

    heading: str
    prompt: str
    text: str


def temperature_passages(content: str) -> list[Passage]:
    """The texts of a ``temperature.txt``, in its order; one without a heading where there are no headings."""
    return [Passage(heading, "", text) for heading, text in _split(_TEMPERATURE, content)]


def training_passages(content: str) -> list[Passage]:
    """The texts of a ``training.txt``, in its order, each taken apart into prompt and continuation."""
    return [_prompted(heading, text) for heading, text in _split(_TRAINING, content)]


def first_middle_last(passages: Sequence[Passage], last: int = 3) -> list[Passage]:
    """At most ``last + 2`` passages that show how a run went: the first, the middle, the ``last`` last."""
    count = len(passages)
    chosen = {0, max(0, count - 1) // 2, *range(max(0, count - last), count)}
    return [passages[index] for index in sorted(chosen) if index < count]


def plain_passage(content: str) -> Passage:
    """A file that is one text."""
    return Passage("", "", visible(content))


def visible(text: str) -> str:
    """``text`` as a page can show it: control characters as spaces, a very long text cut with a note."""
    shown = _UNSEEN.sub(" ", text.replace("\r\n", "\n")).strip("\n")
    if len(shown) <= MAX_CHARACTERS:
        return shown
    return f"{shown[:MAX_CHARACTERS]}\n[cut: {len(shown) - MAX_CHARACTERS:,} more characters in the file]"


def _split(heading: re.Pattern[str], content: str) -> list[tuple[str, str]]:
    before, *rest = heading.split(content)
    parts = [("", visible(before))] if before.strip() else []
    return parts + [(head, visible(text)) for head, text in zip(rest[::2], rest[1::2], strict=True)]


def _prompted(heading: str, text: str) -> Passage:
    prompt = _prompt_of(heading)
    label = heading.replace(" | ", " · ")
    return Passage(label, prompt, text[len(prompt) :]) if text.startswith(prompt) else Passage(label, "", text)


def _prompt_of(heading: str) -> str:
    found = _PROMPT.search(heading)
    try:
        return visible(str(ast.literal_eval(found[1]))) if found else ""
    except (
        ValueError,
        SyntaxError,
    ):  # quotes that are no Python string: the text is shown without a marked prompt
        return ""
