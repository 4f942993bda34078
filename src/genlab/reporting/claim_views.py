"""What a page shows of the claims ledger, as plain values: the verdicts, and the tests that they rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from genlab.reporting.sections import NOTHING
from genlab.studies.evidence import Evidence
from genlab.studies.ledger import CONFIRMED, REFUTED, UNDECIDED, LedgerRow

MANY_TESTS = 6
"""The tests of a claim are folded when there are more."""
SHORT_REASON = 110
"""Characters of a reason in the table of all claims, where the study's section has the rest."""


@dataclass(frozen=True)
class ClaimTest:
    """One test of a claim; ``p`` is one-sided, for what the claim says."""

    case: str
    figures: str
    effect: str
    p: str


@dataclass(frozen=True)
class ClaimView:
    """One row of the ledger; ``study_anchor`` is empty where its study is not on the page.

    ``which`` and ``telling`` are the test on which the verdict hangs: empty where nothing was tested. ``reason`` is
    short where the study on the page has all of it.
    """

    anchor: str
    row: LedgerRow
    which: str
    telling: str
    reason: str
    tests: list[ClaimTest]
    folded: bool
    study_anchor: str


def view_claims(ledger: Sequence[LedgerRow], studies: Mapping[tuple[str, str], str]) -> list[ClaimView]:
    """The rows as a page shows them; ``studies`` are the anchors of those on the page, by name and budget."""
    return [_claim(row, studies.get((row.study, row.budget), "")) for row in ledger]


def count_verdicts(ledger: Sequence[LedgerRow]) -> dict[str, int]:
    """How many claims have each verdict, the decided ones first."""
    return {verdict: sum(row.verdict == verdict for row in ledger) for verdict in (CONFIRMED, REFUTED, UNDECIDED)}


def p_text(p: float | None) -> str:
    """A probability as a table shows it."""
    if p is None:
        return NOTHING
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def telling_text(row: LedgerRow) -> tuple[str, str]:
    """Which test the verdict hangs on, and what it found; both empty where nothing was tested.

    Every part must hold, so it is the test that speaks least for the claim, or, once refuted, loudest against it.
    """
    tested = [part for part in row.parts if part.effect]
    if not tested:
        return "", ""
    if row.verdict == REFUTED:
        part, which = min(tested, key=lambda part: part.p_against), "clearest"
    else:
        part, which = max(tested, key=lambda part: part.p_for), "weakest"
    return (f"{which} of {len(tested)} tests: " if len(tested) > 1 else ""), _said(part)


def _said(part: Evidence) -> str:
    return f"{part.case}: {part.effect}" if part.case else part.effect


def _claim(row: LedgerRow, anchor: str) -> ClaimView:
    tests = [ClaimTest(each.case, each.figures, each.effect or each.missing, _p(each)) for each in row.parts]
    which, telling = telling_text(row)
    return ClaimView(
        anchor=f"claim-{row.study}-{row.id}",
        row=row,
        which=which,
        telling=telling,
        reason=shorten(row.reason, SHORT_REASON, placeholder=" ...") if anchor else row.reason,
        tests=tests,
        folded=len(tests) > MANY_TESTS,
        study_anchor=anchor,
    )


def _p(part: Evidence) -> str:
    return p_text(part.p_for) if part.effect else NOTHING
