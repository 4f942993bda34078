"""The length of a training from Lightning's two limits, of which either may be missing."""

from types import SimpleNamespace
from typing import Any

import pytest

from genlab.training_length import iterations_in_all


@pytest.mark.parametrize(
    ("max_steps", "max_epochs", "length"),
    [
        (100, -1, 100),
        (-1, 3, 30),
        (100, 3, 30),
        (20, 3, 20),
        (-1, None, 1),
        (-1, -1, 1),
        (7, None, 7),
        (0, 3, 30),
    ],
)
def test_the_limit_that_is_met_first_counts(max_steps: int, max_epochs: int | None, length: int) -> None:
    trainer: Any = SimpleNamespace(max_steps=max_steps, max_epochs=max_epochs)
    assert iterations_in_all(trainer, 10) == length
