"""Sample files taken apart: one heading line ``=== ... ===`` before each text."""

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genlab.reporting.pictures import title

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


@dataclass(frozen=True)
class TextSection:
    """The texts of one sample file that a page shows; ``folded`` ones open on a click."""

    title: str
    note: str
    passages: tuple[Passage, ...]
    folded: bool


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


def text_sections(samples: dict[str, str]) -> list[TextSection]:
    """The sample files, by name, in the order of a reader's interest: unknown ones come before training's."""
    known: dict[str, Callable[[str], TextSection]] = {
        "temperature.txt": _by_temperature,
        "generated_text.txt": _generated,
        "training.txt": _from_training,
    }
    order = ["temperature.txt", "generated_text.txt", *(name for name in samples if name not in known)]
    shown = [name for name in [*order, "training.txt"] if name in samples]
    return [known[name](samples[name]) if name in known else _other(name, samples[name]) for name in shown]


def _by_temperature(content: str) -> TextSection:
    note = "The same model, asked to be careful (low) or bold (high)."
    return TextSection("Texts by temperature", note, tuple(temperature_passages(content)), folded=False)


def _generated(content: str) -> TextSection:
    return TextSection("Generated text", "", (plain_passage(content),), folded=False)


def _from_training(content: str) -> TextSection:
    every = training_passages(content)
    chosen = first_middle_last(every)
    note = f"{len(chosen)} of the {len(every):,} texts written while it learned: first, middle, last"
    return TextSection("Samples during training", note, tuple(chosen), folded=True)


def _other(name: str, content: str) -> TextSection:
    return TextSection(title(Path(name)), "", (plain_passage(content),), folded=True)
