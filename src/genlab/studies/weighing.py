"""A claim weighed: the evidence for each of its parts, and for the claim as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from genlab.studies.claims import Claim, Comparison, Correlation, Near, Part, Trend
from genlab.studies.evidence import LEAST_SEEDS, Evidence, no_evidence
from genlab.studies.evidence_arms import correlate, part_arms
from genlab.studies.evidence_means import check_bounds, compare_cells
from genlab.studies.evidence_trends import follow_trend
from genlab.studies.inference import holm, seeds_to_reach
from genlab.studies.observations import Observation
from genlab.studies.quantities import Quantity
from genlab.studies.selection import Undecidable


@dataclass(frozen=True)
class Weighed:
    """A claim's evidence. All parts must hold, so the claim is as sure as its least sure part.

    ``p_for`` is the largest of the parts' (intersection-union test, Berger 1982). One part that fails refutes it:
    ``p_against`` is the smallest of the parts', corrected by Holm for their number.
    """

    evidence: tuple[Evidence, ...]

    @property
    def p_for(self) -> float:
        """One-sided p-value of the claim."""
        return max(each.p_for for each in self.evidence)

    @property
    def p_against(self) -> float:
        """One-sided p-value of its contrary."""
        return min(holm([each.p_against for each in self.evidence]))

    @property
    def p(self) -> float:
        """Two-sided p-value: twice the smaller, 1 at most."""
        return min(1.0, 2 * min(self.p_for, self.p_against))

    @property
    def decides(self) -> bool:
        """Whether it may decide: nothing is missing and every cell has seeds enough."""
        return all(each.decides for each in self.evidence)

    @property
    def is_tested(self) -> bool:
        """Whether there is an estimate for every part, decisive or not."""
        return all(each.estimate is not None for each in self.evidence)

    @property
    def n_seeds(self) -> int:
        """Seeds in the smallest cell."""
        return min(each.n_seeds for each in self.evidence)

    @property
    def missing(self) -> str:
        """Why it must not decide, as its parts say; seeds that are too few in some cell if that is all."""
        found = list(dict.fromkeys(each.missing for each in self.evidence if each.missing))
        if not found and not self.decides:
            found = [f"{LEAST_SEEDS} seeds are needed in every cell; the smallest has {self.n_seeds}"]
        return "; ".join(found)

    @property
    def leans_for(self) -> bool:
        """Whether every part points the claim's way. Then more seeds would confirm it, and else refute it."""
        return self.p_for < 0.5

    @property
    def leading(self) -> Evidence:
        """The part that the verdict hangs on: the least sure one where all lean to the claim, else the worst."""
        if self.leans_for:
            return max(self.evidence, key=lambda each: each.p_for)
        return min(self.evidence, key=lambda each: each.p_against)

    def seeds_needed(self, p: float) -> int | None:
        """About how many seeds would decide it at a two-sided ``p``, if means and spreads stayed.

        None for more than 100, and where the leading test is no t test.
        """
        each = self.leading
        level = p / 2 if self.leans_for else p / 2 / len(self.evidence)
        if each.t is None or each.dof is None or each.n_seeds < 2:
            return None
        return seeds_to_reach(level, each.t, each.dof, each.n_seeds)


def weigh(claim: Claim, observations: Sequence[Observation], quantities: Mapping[str, Quantity]) -> Weighed:
    """The evidence that ``observations`` hold for each part of ``claim``; of several quantities each says which."""
    several = len({part.quantities for part in claim.parts}) > 1
    found = ((part, each) for part in claim.parts for each in weigh_part(part, observations, quantities))
    return Weighed(tuple(_about(part, each, quantities) if several else each for part, each in found))


def _about(part: Part, evidence: Evidence, quantities: Mapping[str, Quantity]) -> Evidence:
    """``evidence`` with what it is about named before where it was found."""
    label = " and ".join(quantities[name].label for name in part.quantities)
    return replace(evidence, case=", ".join(filter(None, [label, evidence.case])))


def weigh_part(part: Part, observations: Sequence[Observation], quantities: Mapping[str, Quantity]) -> list[Evidence]:
    """The evidence for one part of a claim, a record a test; one that says why where there can be no test."""
    try:
        return list(_tests(part, observations, quantities))
    except Undecidable as reason:
        return [no_evidence(str(reason))]


def _tests(part: Part, observations: Sequence[Observation], quantities: Mapping[str, Quantity]) -> Iterator[Evidence]:
    if isinstance(part, Trend):
        return follow_trend(part, observations, quantities)
    if isinstance(part, Comparison):
        return compare_cells(part, observations, quantities)
    if isinstance(part, Near):
        return check_bounds(part, observations, quantities)
    if isinstance(part, Correlation):
        return correlate(part, observations, quantities)
    return part_arms(part, observations, quantities)
