"""A model of text whose answers are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass
class FakeModel:
    """Says ``says(prompt, temperature)``, cut to the length asked for; every character has probability 1/4.

    ``calls`` keeps what it was asked.
    """

    says: Callable[[str, float], str] = lambda prompt, temperature: ""
    log_prob_of_each: float = -2 * float(np.log(2))
    calls: list[dict[str, Any]] = field(default_factory=list)

    def sample(
        self, count: int, length: int, *, temperature: float, seed: int, prompts: Sequence[str] | None = None
    ) -> list[str]:
        self.calls.append({"count": count, "length": length, "temperature": temperature, "seed": seed})
        assert prompts is None or len(prompts) == count
        return [self.says(prompt, temperature)[:length] for prompt in prompts or [""] * count]

    def log_prob(self, text: str) -> NDArray[np.float64]:
        return np.full(len(text) - 1, self.log_prob_of_each)


@pytest.fixture
def fake_model() -> type[FakeModel]:
    return FakeModel
