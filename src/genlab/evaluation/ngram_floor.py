"""What counting alone achieves on the held-out text: the floor that a trained text model must beat."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from genlab.baselines.ngram import WittenBell
from genlab.checks import at_least
from genlab.evaluation.bits_per_char import cross_entropy
from genlab.evaluation.protocols import TextData, TextModel


def ngram_floors(train: str, held_out: str, order: int, block_length: int) -> list[dict[str, Any]]:
    """Cross-entropy of ``held_out`` under Witten-Bell models of orders 1 to ``order`` fitted on ``train``.

    The vocabulary is that of both texts, as a model's own is. The first character is left out as it is for a
    model, so that both are scored on the same characters; it does serve as context.
    """
    symbols = {symbol: index for index, symbol in enumerate(sorted(set(train) | set(held_out)))}
    if not symbols:
        return [{"order": k, **cross_entropy(np.empty(0), block_length)} for k in range(1, order + 1)]
    train_indices, held_out_indices = (
        np.fromiter(map(symbols.__getitem__, text), dtype=np.int64, count=len(text)) for text in (train, held_out)
    )
    model = WittenBell.fit(train_indices, len(symbols), order)
    rows = model.log_prob_by_order(held_out_indices)[1:, 1:]
    return [{"order": k, **cross_entropy(row, block_length)} for k, row in enumerate(rows, start=1)]


@dataclass(frozen=True, kw_only=True)
class NgramFloor:
    """Held-out bits per character of n-gram models of orders 1 to ``order``, the model itself not asked.

    ``value`` is the figure of the highest order (not of the best one: that would be chosen on the held-out
    text); ``by_order`` has all. None where the held-out text has fewer than two characters.
    """

    order: int = 5
    block_length: int = 1000

    def __post_init__(self) -> None:
        at_least("order", self.order, 1, "evaluators.ngram_floor.order")
        at_least("block_length", self.block_length, 1, "evaluators.ngram_floor.block_length")

    def __call__(self, model: TextModel, data: TextData) -> dict[str, Any]:
        """Fit on ``data.train``, score ``data.held_out``."""
        floors = ngram_floors(data.train, data.held_out, self.order, self.block_length)
        return {
            "value": floors[-1]["bits"],
            "unit": "bits per character",
            "count": floors[-1]["count"],
            "seed": None,
            "smoothing": "Witten-Bell, interpolated",
            "block_length": self.block_length,
            "by_order": floors,
        }
