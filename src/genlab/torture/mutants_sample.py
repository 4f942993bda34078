"""Which mutants are tried, and how many of each file's were killed."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

LEAST = 4
"""The fewest that are drawn of a file, where it has them."""
LEAST_OF_MATHEMATICS = 20
"""The same for the cell and the losses, short files that all the rest is built on."""
MATHEMATICS = ("/cell.py", "/losses.py")
KILLED, NO_TESTS, TIMEOUTS = (1, 3), (5, 33), (24, -24, 36, 152, 255)
"""Exit codes, as mutmut reads them."""


@dataclass(frozen=True)
class Verdicts:
    """By file the exit code of every mutant (None where it was not tried), and the names of those that were drawn."""

    made: Mapping[str, Mapping[str, int | None]]
    drawn: Mapping[str, Sequence[str]]

    def only(self, kept: Callable[[str], bool]) -> "Verdicts":
        """The same of the mutants with a name that is ``kept``; files of which none is drawn are left out."""
        drawn = {file: [name for name in names if kept(name)] for file, names in self.drawn.items()}
        drawn = {file: names for file, names in drawn.items() if names}
        return Verdicts({file: {n: c for n, c in self.made[file].items() if kept(n)} for file in drawn}, drawn)

    def survivors(self) -> Iterator[tuple[str, str]]:
        """File and name of what was drawn, tried and neither killed nor stopped for taking too long."""
        for file, names in self.drawn.items():
            for name in names:
                if (code := self.made[file][name]) is not None and code not in (*KILLED, *TIMEOUTS):
                    yield file, name


@dataclass(frozen=True)
class Count:
    """One file's mutants: those that there are, and of those that were tried the killed, the timeouts, the others."""

    file: str
    mutants: int
    tried: int
    killed: int
    timeouts: int

    @property
    def survived(self) -> int:
        return self.tried - self.killed - self.timeouts


def draw(mutants: Mapping[str, Sequence[str]], sample: int | None, seed: int) -> dict[str, list[str]]:
    """Draw about ``sample`` mutants, from each file in proportion and no fewer than ``LEAST``; all for None.

    A file's draw is the beginning of one shuffled list: a larger sample of the same seed holds the smaller one.
    """
    total = sum(map(len, mutants.values()))
    drawn = {}
    for file, names in mutants.items():
        shuffled = sorted(names)
        random.Random(f"{seed}:{file}").shuffle(shuffled)
        least = LEAST_OF_MATHEMATICS if file.endswith(MATHEMATICS) else LEAST
        count = len(names) if sample is None else max(least, math.ceil(sample * len(names) / total))
        drawn[file] = shuffled[:count]
    return drawn


def counts_of(verdicts: Verdicts) -> list[Count]:
    """A row for each file. Raises ``ValueError`` where a drawn mutant has no verdict."""
    rows = []
    for file, names in verdicts.drawn.items():
        codes = [verdicts.made[file][name] for name in names]
        if None in codes or 2 in codes:
            raise ValueError(f"{file}: {codes.count(None) + codes.count(2)} of {len(codes)} mutants were not tried")
        killed = sum(code in KILLED for code in codes)
        timeouts = sum(code in TIMEOUTS for code in codes)
        rows.append(Count(file, len(verdicts.made[file]), len(codes), killed, timeouts))
    return rows
