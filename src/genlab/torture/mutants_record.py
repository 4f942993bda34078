"""What the verdicts on mutants come to: a table, the share killed with its interval, and survivors to be explained."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from genlab.evaluation.shares import wilson_interval
from genlab.torture.mutants_sample import Count

HEADINGS = ("file", "mutants", "tried", "killed", "timeouts", "survived", "share killed")
Explanations = Mapping[tuple[str, str, str], str]
"""Why a mutant may survive, by its function and the lines before and after the change."""


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test saw: ``was`` became ``now`` in a function of a file."""

    function: str
    was: str
    now: str

    @classmethod
    def read(cls, file: str, name: str, diff: str) -> "Survivor":
        """Of what ``mutmut show`` prints of the mutant ``name``: a diff."""
        lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
        was, now = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
        function = name.partition("__mutmut_")[0].rpartition(".")[2].removeprefix("x_").removeprefix("xǁ")
        return cls(f"{file.removeprefix('src/genlab/')}: {function.replace('ǁ', '.')}", was, now)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.function, self.was, self.now


class Share(NamedTuple):
    """The share of mutants that were killed, and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


def killed_share(counts: Iterable[Count]) -> Share:
    """The share over files, each weighing as many mutants as it has; a timeout counts as if it had survived.

    Files of which more was drawn than of others make a sample worth fewer equal draws: the interval is Wilson's at
    Kish's effective size ("Survey Sampling", 1965, section 11.7). Where everything was tried there is none to give.
    """
    files = [each for each in counts if each.tried]
    total = sum(each.mutants for each in files)
    value = sum(each.mutants * each.killed / each.tried for each in files) / total
    if all(each.tried == each.mutants for each in files):
        return Share(value, value, value)
    effective = total**2 / sum(each.mutants**2 / each.tried for each in files)
    size = round(effective)
    return Share(value, *wilson_interval(value * size, size))


def markdown(counts: Sequence[Count], survivors: Sequence[Survivor], explanations: Explanations) -> str:
    """A row a file, a row a folder and one for all, and a sentence on the survivors."""
    lines: list[tuple[str, ...]] = [HEADINGS, ("---", *("---:",) * 6)]
    groups = {room: [each for each in counts if each.file.startswith(f"src/genlab/{room}/")] for room in _rooms(counts)}
    for room, files in groups.items():
        lines += [_cells(each.file.removeprefix("src/genlab/"), [each]) for each in files]
        if len(files) > 1:
            lines.append(_cells(f"**{room}/**", files))
    lines.append(_cells("**all**", counts))
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    explained = sum(each.key in explanations for each in survivors)
    return f"{table}\n\nOf {len(survivors)} survivors {explained} are explained in [mutants.yaml](mutants.yaml)."


def _rooms(counts: Sequence[Count]) -> list[str]:
    return sorted({each.file.removeprefix("src/genlab/").partition("/")[0] for each in counts})


def _cells(name: str, files: Sequence[Count]) -> tuple[str, ...]:
    numbers = (sum(getattr(each, field) for each in files) for field in HEADINGS[1:-1])
    share = killed_share(files)
    return name, *map(str, numbers), str(share) if len(files) > 1 else f"{share.value:.0%}"


def conditions(sample: int | None, seed: int, within: float | None, versions: Mapping[str, str]) -> str:
    """One sentence on the sample and the versions."""
    drawn = (
        "every mutant"
        if sample is None
        else f"a sample of about {sample} by file, but a least number of each, seed {seed}"
    )
    drawn += "" if within is None else f", of mutants whose tests take {within:g} s or less in all"
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{drawn[0].upper()}{drawn[1:]}; intervals are Wilson's at 95 %; {told}."


def read_explanations(path: Path) -> dict[tuple[str, str, str], str]:
    """The reasons that a person wrote; raises ``ValueError`` for an entry without one of its four fields."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    found = {}
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != {"function", "was", "now", "why"} or not entry["why"]:
            raise ValueError(f"{path}: an entry has function, was, now and why; got {entry}")
        found[(entry["function"], entry["was"], entry["now"])] = entry["why"]
    return found


def to_explain(survivors: Sequence[Survivor], explanations: Explanations) -> str:
    """The survivors that nobody has explained, as entries to fill in."""
    left = [{**asdict(each), "why": ""} for each in survivors if each.key not in explanations]
    if not left:
        return "every survivor is explained"
    listed = yaml.safe_dump(left, sort_keys=False, allow_unicode=True, width=1000)
    return f"{len(left)} survivors have no explanation yet:\n{listed}"
