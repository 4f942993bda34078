"""Bits per character of the held-out text: how well the model predicts text that it was not trained on."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genlab.checks import at_least
from genlab.evaluation.protocols import TextData, TextModel


def cross_entropy(log_prob: NDArray[np.float64], block_length: int) -> dict[str, Any]:
    """Mean of ``-log_prob``, (T,) nats, as ``bits`` and ``nats`` per character, with standard errors.

    Neighbouring characters are not independent, so the standard error is that of the means of consecutive
    blocks of ``block_length`` characters (an incomplete last block counts in the mean alone); None for fewer
    than two blocks. Means are None for T = 0, and where a character's value is not finite: ``not_finite``
    counts those.
    """
    losses = -np.asarray(log_prob, dtype=np.float64)
    not_finite = int(np.count_nonzero(~np.isfinite(losses)))
    usable = bool(len(losses)) and not not_finite
    mean = float(losses.mean()) if usable else None
    error = _block_standard_error(losses, block_length) if usable else None
    return {
        "bits": _in_bits(mean),
        "bits_standard_error": _in_bits(error),
        "nats": mean,
        "nats_standard_error": error,
        "count": len(losses),
        "not_finite": not_finite,
    }


@dataclass(frozen=True, kw_only=True)
class BitsPerChar:
    """Cross-entropy of the held-out text in one stream, its first character not counted.

    ``value`` is in bits per character, lower is better. It is None where the held-out text has fewer than two
    characters (``count`` 0) or where the model's probabilities are not finite (``not_finite`` of ``count``).
    """

    block_length: int = 1000

    def __post_init__(self) -> None:
        at_least("block_length", self.block_length, 1, "evaluators.bits_per_char.block_length")

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Score ``data.held_out``. Raises ValueError if ``log_prob`` is not one value a scored character."""
        text = data.held_out
        log_prob = model.log_prob(text) if len(text) > 1 else np.empty(0)
        expected = (max(0, len(text) - 1),)
        if log_prob.shape != expected:
            raise ValueError(f"`log_prob` must have shape {expected}; got {log_prob.shape} (evaluators.bits_per_char)")
        figures = cross_entropy(log_prob, self.block_length)
        return {
            "value": figures["bits"],
            "unit": "bits per character",
            "seed": None,
            "block_length": self.block_length,
            **figures,
        }


def _block_standard_error(losses: NDArray[np.float64], block_length: int) -> float | None:
    blocks = len(losses) // block_length
    if blocks < 2:
        return None
    means = losses[: blocks * block_length].reshape(blocks, block_length).mean(axis=1)
    return float(means.std(ddof=1) / math.sqrt(blocks))


def _in_bits(nats: float | None) -> float | None:
    return None if nats is None else nats / math.log(2)
