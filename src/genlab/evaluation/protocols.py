"""What a measure may ask of a model and of the data, and what a measure is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class TextModel(Protocol):
    """A model of text that can be sampled and that gives each character a probability."""

    def sample(
        self, count: int, length: int, *, temperature: float, seed: int, prompts: Sequence[str] | None = None
    ) -> list[str]:
        """``count`` texts of ``length`` characters each, without their prompts.

        ``prompts`` holds one prompt a text (``count`` of them, read before the first character is drawn);
        None starts every text from nothing. A text depends on ``seed``, its own place and its prompt, not on
        how many are computed at once.
        """
        ...

    def log_prob(self, text: str) -> NDArray[np.float64]:
        """Log p(text[t] | text[:t]) in nats for t >= 1: (len(text) - 1,), in one stream from a zero state."""
        ...


@dataclass(frozen=True)
class TextData:
    """The texts behind a model, in its own alphabet: trained on, held out, and the half words to complete."""

    train: str
    held_out: str
    prompts: tuple[str, ...] = ()


class TextEvaluator(Protocol):
    """A measure of a text model: a frozen dataclass whose fields are its config.

    The result can be stored as JSON and has ``value`` (the headline figure; None where there is nothing to
    judge), ``unit``, ``count`` (how many things the value was taken over; 0 beside a None) and ``seed`` (None
    where nothing is drawn).
    """

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Measure ``model`` on ``data``."""
        ...
