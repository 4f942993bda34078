"""What a run of the benchmarks does: how many rounds, at which sizes, on which images, in which precision."""

import os
from dataclasses import dataclass
from pathlib import Path

from genlab.datasets.raw_images import RAW_SETS, missing


@dataclass(frozen=True)
class Plan:
    """``name`` is ``quick`` (a try: tiny sizes), ``bench`` or ``full``; ``folder`` is for whatever is written.

    ``rounds`` is how many turns everyone gets; ``fewer`` is how many where all turns of a round take a minute or two,
    ``few`` where they take more.
    """

    name: str
    rounds: int
    folder: Path
    dataset: str
    root: Path
    precision: str

    @property
    def quick(self) -> bool:
        """Whether this is only a try."""
        return self.name == "quick"

    @property
    def full(self) -> bool:
        """Whether everything is measured that can be."""
        return self.name == "full"

    @property
    def fewer(self) -> int:
        """Rounds of what takes a minute or two: image models and evaluation."""
        return max(1, self.rounds * 2 // 3)

    @property
    def few(self) -> int:
        """Rounds of what takes minutes."""
        return max(1, self.rounds // 3)

    def size(self, quick: int, bench: int) -> int:
        """One of two sizes, by the plan's name."""
        return quick if self.quick else bench

    @property
    def image_words(self) -> list[str]:
        """The overrides that give ``genlab train`` these images."""
        held_out = ["data.val_size=100"] if self.dataset == "digits" else []
        return [f"data.dataset={self.dataset}", f"data.root={self.root}", "data.download=false", *held_out]

    @property
    def warnings(self) -> list[str]:
        """What must be said beside every figure of images."""
        if self.dataset == "MNIST":
            return []
        why = "that is enough for a try" if self.quick else f"there is no MNIST in {self.root}"
        return [f"the images are scikit-learn's digits and not MNIST: {why}"]


def data_root() -> Path:
    """Where data lie, as for ``genlab train``."""
    return Path(os.environ.get("GENLAB_DATA") or "data").absolute()


def dataset_in(root: Path) -> str:
    """MNIST where its files are there, else the digits, which always are."""
    return "digits" if missing(RAW_SETS["MNIST"], root) else "MNIST"


def fastest_precision() -> str:
    """``bf16-mixed`` where the processor multiplies in bfloat16, else ``32-true``: what ``make demo`` takes."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text(errors="replace").split() if info.is_file() else []
    return "bf16-mixed" if {"amx_bf16", "avx512_bf16"} & set(flags) else "32-true"
