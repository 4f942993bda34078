"""How the texts are drawn that a measure judges, and the passages of real text that stand beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from genlab.checks import at_least, positive, refuse
from genlab.evaluation.protocols import TextModel


@dataclass(frozen=True, kw_only=True)
class Draws:
    """``count`` texts of ``length`` characters at ``temperature``, and as many at each of ``temperatures``.

    Every temperature starts from the same ``seed``, so that they differ by the temperature alone. The
    measures that draw texts inherit these settings; ``name`` is the measure's, for messages.
    """

    name: ClassVar[str] = "draws"
    count: int = 20
    length: int = 1000
    temperature: float = 0.8
    temperatures: Sequence[float] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("count", self.count, 1, self.path("count"))
        at_least("length", self.length, 1, self.path("length"))
        at_least("seed", self.seed, 0, self.path("seed"))
        positive("temperature", self.temperature, self.path("temperature"))
        if isinstance(self.temperatures, str) or not isinstance(self.temperatures, Sequence):
            raise refuse("temperatures", "be a list of numbers", self.temperatures, self.path("temperatures"))
        others = tuple(positive("temperatures", t, self.path("temperatures")) for t in self.temperatures)
        # A tuple, whatever list the config gave: the dataclass stays hashable.
        object.__setattr__(self, "temperatures", others)

    def path(self, field: str) -> str:
        """Where the config sets ``field``."""
        return f"evaluators.{self.name}.{field}"

    def draw(self, model: TextModel) -> list[list[str]]:
        """The texts at ``temperature``, then those at each of ``temperatures``."""
        return [self.draw_at(model, temperature) for temperature in (self.temperature, *self.temperatures)]

    def draw_at(self, model: TextModel, temperature: float, prompts: Sequence[str] | None = None) -> list[str]:
        """``count`` texts from nothing, or one a prompt. Raises ValueError if the model gives others."""
        count = self.count if prompts is None else len(prompts)
        if not count:
            return []
        texts = model.sample(count, self.length, temperature=temperature, seed=self.seed, prompts=prompts)
        if len(texts) != count:
            raise ValueError(f"`sample` must return {count} texts; got {len(texts)} (evaluators.{self.name})")
        return texts

    def report(self, figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One result from the figures of each list in :meth:`draw`: the first, the rest by temperature."""
        head, *others = figures
        return {
            **head,
            "seed": self.seed,
            "temperature": self.temperature,
            "texts": self.count,
            "length": self.length,
            "by_temperature": [
                {"temperature": temperature, **figure}
                for temperature, figure in zip(self.temperatures, others, strict=True)
            ],
        }


def passages(text: str, count: int, length: int) -> list[str] | None:
    """``count`` passages of ``length`` characters spread evenly over ``text``; None if it is too short.

    Most text measures depend on how much text there is, so real text is comparable only in the same amount.
    """
    stride = len(text) // count
    if stride < length:
        return None
    return [text[start : start + length] for start in range(0, stride * count, stride)]
