"""Finishing words: whether the model makes a word of the corpus from the first half of one."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.evaluation.draws import Draws
from genlab.evaluation.protocols import TextData, TextModel
from genlab.evaluation.shares import share, share_over_groups
from genlab.evaluation.words import WORD, lexicon


def word_start(prompt: str) -> str:
    """The beginning of a word that ``prompt`` ends in, ``""`` if it ends between words."""
    found = WORD.findall(prompt)
    return found[-1] if found and prompt.endswith(found[-1]) else ""


def completed_word(prompt: str, continuation: str) -> str | None:
    """The word, lower-cased, that ``continuation`` makes of the one that ``prompt`` ends in.

    None if it adds no letter, or if it ends before the word does.
    """
    start = word_start(prompt)
    match = WORD.match(start + continuation)
    if not start or match is None or match.end() == len(start):
        return None
    # An apostrophe at the very end may or may not be inside the word: the word is not over.
    over = (start + continuation)[match.end() :] not in ("", "'")
    return match.group().lower() if over else None


def completion_figures(prompt: str, continuations: Sequence[str], known: Collection[str]) -> dict[str, Any]:
    """Share of ``continuations`` that make a ``known`` word of ``prompt``, and the three made most often."""
    completed = [completed_word(prompt, text) for text in continuations]
    made = [word for word in completed if word is not None and word in known]
    frequent = sorted(Counter(made).items(), key=lambda item: (-item[1], item[0]))[:3]
    return {"prompt": prompt, **share(len(made), len(continuations)), "words": [word for word, _ in frequent]}


@dataclass(frozen=True, kw_only=True)
class Completion(Draws):
    """Share of completions of ``data.prompts`` that are words of the corpus with that start.

    Each different prompt is continued ``count`` times by ``length`` characters. The continuation must add at
    least one letter and must end the word; the word, case aside, must occur in the training or the held-out
    text. A prompt that does not end in a letter starts no word: it is left out and listed in ``skipped``.
    Without a prompt ``value`` is None and ``count`` 0. The standard error compares prompts, not
    continuations.
    """

    name: ClassVar[str] = "completion"
    count: int = 25
    length: int = 30

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Let ``model`` continue the prompts and look the words up."""
        known = lexicon(data.train) | lexicon(data.held_out)
        prompts = [prompt for prompt in dict.fromkeys(data.prompts) if word_start(prompt)]
        figures = [self._figures(model, prompts, known, t) for t in (self.temperature, *self.temperatures)]
        return {
            "unit": "share of completions",
            **self.report(figures),
            "texts": len(prompts) * self.count,
            "skipped": [prompt for prompt in dict.fromkeys(data.prompts) if not word_start(prompt)],
        }

    def _figures(
        self, model: TextModel, prompts: Sequence[str], known: Collection[str], temperature: float
    ) -> dict[str, Any]:
        asked = [prompt for prompt in prompts for _ in range(self.count)]
        texts = self.draw_at(model, temperature, asked)
        by_prompt = [
            completion_figures(prompt, texts[i * self.count : (i + 1) * self.count], known)
            for i, prompt in enumerate(prompts)
        ]
        pooled = share_over_groups([f["successes"] for f in by_prompt], [f["count"] for f in by_prompt])
        return {**pooled, "by_prompt": by_prompt}
