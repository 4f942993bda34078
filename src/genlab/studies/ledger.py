"""The ledger: one verdict for every claim, corrected for how many claims are tested."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from genlab.checks import in_range, refuse
from genlab.studies.claims import Claim, read_claims
from genlab.studies.earlier import Earlier
from genlab.studies.evidence import Evidence
from genlab.studies.folder import StudyRecord
from genlab.studies.inference import MOST_SEEDS, holm
from genlab.studies.observations import observe
from genlab.studies.quantities import Quantity, read_quantities
from genlab.studies.study import BUDGETS, at_budget
from genlab.studies.weighing import Weighed, weigh
from genlab.studies.wording import measure_in_words, rule_in_words

ALPHA = 0.05
CHANGED = "the study was run before its file changed this rule"
CONFIRMED, REFUTED, UNDECIDED = "confirmed", "refuted", "undecided"
AS_WRITTEN = (
    *("seed", "logger", "data.root", "data.download", "keep_memory", "emulate_bfloat16", "optimizer.fused"),
    *("trainer.precision", "trainer.accelerator", "trainer.devices", "trainer.strategy", "model.engine"),
)
"""Keys, with all below them, that may be typed for a study that is still the one that is written in its file."""
GROUPS = "RGV"
"""The order of ids by their letter; other letters follow in alphabetical order."""


@dataclass(frozen=True)
class LedgerRow:
    """A claim and its verdict. ``figures`` and ``effect`` are text, a test after the other; ``parts`` has the numbers.

    ``p`` is two-sided and None where nothing was tested; ``p_corrected`` is None for claims that could not be decided
    whatever p is (seeds too few, runs missing or too short), which are not among the ``corrected_for``. ``seeds`` is
    the number in the smallest cell. ``from_earlier`` says that the evidence is an earlier ledger's, and its runs are
    not at hand; ``changed`` that the study's file has another rule by now. ``typed`` are words of the study's command
    by which it was another study than the one in the file.
    """

    id: str
    statement: str
    study: str
    budget: str
    measure: str
    rule: str
    figures: str
    effect: str
    p: float | None
    p_corrected: float | None
    corrected_for: int
    seeds: int
    verdict: str
    reason: str
    parts: tuple[Evidence, ...] = ()
    from_earlier: bool = False
    changed: bool = False
    typed: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON has it: no NaN and no infinity, None in their place."""
        return {str(key): _plain(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Ledger:
    """All claims in the order of their ids, and how many of them are corrected for."""

    rows: tuple[LedgerRow, ...]
    corrected_for: int
    alpha: float = ALPHA

    @property
    def correction(self) -> str:
        """How p-values were corrected, in words."""
        return f"Holm over {self.corrected_for} claims"

    def as_dict(self) -> dict[str, Any]:
        """The whole as ``claims.json`` has it."""
        return {
            "alpha": self.alpha,
            "correction": self.correction,
            "rows": [row.as_dict() for row in self.rows],
        }


def make_ledger(
    studies: Sequence[StudyRecord],
    definitions: Mapping[str, Mapping[str, Any]],
    alpha: float = ALPHA,
    earlier: Mapping[str, Earlier] | None = None,
) -> Ledger:
    """The verdicts on all claims of ``studies``, and of ``definitions`` (by study), whose studies were not run.

    Of a study that was run with several budgets the largest counts that has come to its end, or else the largest.
    What an ``earlier`` ledger found (by claim) counts for the studies that are not among ``studies``, have not come to
    their end or have a smaller budget. What a study was run with is what decides, also where its file says something
    else by now; but one whose command said something else than its file decides nothing.

    Raises ``ValueError`` for a definition that cannot be read and for a study that comes twice.
    """
    in_range("alpha", alpha, 0, 1, "alpha", low_open=True, high_open=True)
    earlier = earlier or {}
    run = {study.name: study for study in _chosen(studies) if not _stands(study, earlier)}
    entries = [entry for name in {**run, **definitions} for entry in _entries(name, run, definitions, earlier)]
    tested = [entry for entry in entries if entry.decides]
    corrected = dict(zip(map(id, tested), holm([entry.p for entry in tested]), strict=True))
    still_open = sum(p > alpha for p in corrected.values())
    family = _Family(len(tested), alpha, alpha / max(1, still_open))
    rows = [_row(entry, corrected.get(id(entry)), family) for entry in entries]
    return Ledger(tuple(sorted(rows, key=lambda row: (*claim_order(row.id), row.study))), len(tested), alpha)


def claim_order(name: str) -> tuple[int, str, int]:
    """Where a claim stands: R1 to R10, then G1 to G11, then V1 to V5, then others."""
    letters, digits = re.fullmatch(r"(\D*)(\d*).*", name, re.DOTALL).groups()  # type: ignore[union-attr]
    place = GROUPS.find(letters) if len(letters) == 1 else -1
    return (place if place >= 0 else len(GROUPS)), letters, int(digits or 0)


@dataclass(frozen=True)
class _Family:
    """The claims that are corrected for together: how many, and the p that one which is open yet would need."""

    tested: int
    alpha: float
    level: float


@dataclass(frozen=True)
class _Entry:
    """A claim with what its study found; ``budget`` is empty and ``weighed`` None where it was not run.

    ``too_short`` says what was not run long enough for the statement; ``command`` is what goes on with the study.
    """

    claim: Claim
    name: str
    measure: str
    rule: str
    budget: str = ""
    weighed: Weighed | None = None
    changed: bool = False
    from_earlier: bool = False
    too_short: str = ""
    command: str = ""
    typed: str = ""

    @property
    def decides(self) -> bool:
        return self.weighed is not None and self.weighed.decides and not (self.too_short or self.typed)

    @property
    def p(self) -> float:
        assert self.weighed is not None
        return self.weighed.p


def _chosen(studies: Sequence[StudyRecord]) -> Iterator[StudyRecord]:
    by_name: dict[str, dict[str, StudyRecord]] = {}
    for study in studies:
        if study.budget in by_name.setdefault(study.name, {}):
            folders = [str(by_name[study.name][study.budget].folder), str(study.folder)]
            raise refuse("studies", f"hold {study.name} with budget {study.budget} once", folders, "runs")
        by_name[study.name][study.budget] = study
    for of_study in by_name.values():
        yield max(of_study.values(), key=lambda study: (_has_ended(study), _size(study.budget)))


def _has_ended(study: StudyRecord) -> bool:
    return bool(study.jobs) and all(job.state in ("done", "failed") for job in study.jobs)


def _stands(study: StudyRecord, earlier: Mapping[str, Earlier]) -> bool:
    """Whether what an earlier ledger found of ``study`` stands, whatever has been run of it here."""
    found = [each for each in earlier.values() if each.study == study.name and each.weighed.is_tested]
    sizes = [_size(each.budget) for each in found]
    return bool(sizes) and (not _has_ended(study) or max(sizes) > _size(study.budget))


def _size(budget: str) -> int:
    return BUDGETS.index(budget) if budget in BUDGETS else -1


def _entries(
    name: str,
    run: Mapping[str, StudyRecord],
    definitions: Mapping[str, Mapping[str, Any]],
    earlier: Mapping[str, Earlier],
) -> Iterator[_Entry]:
    definition = definitions.get(name, {})
    quantities = read_quantities(definition)
    planned = {claim.id: _planned(claim, name, quantities) for claim in read_claims(definition).values()}
    for entry in _weighed(run[name]) if name in run else ():
        now = planned.pop(entry.claim.id, None)
        yield replace(entry, changed=now is not None and now.rule != entry.rule)
    for entry in planned.values():
        yield _taken_over(entry, earlier.get(entry.claim.id), definition) if name not in run else entry


def _planned(claim: Claim, name: str, quantities: Mapping[str, Quantity]) -> _Entry:
    return _Entry(claim, name, measure_in_words(claim, quantities), rule_in_words(claim, quantities))


def _weighed(study: StudyRecord) -> Iterator[_Entry]:
    """The claims that ``study`` was run with, and what it found of them."""
    typed = " ".join(word for word in study.words if not _is_as_written(word))
    observations, quantities = observe(study), read_quantities(study.definition)
    for claim in read_claims(study.definition).values():
        weighed = weigh(claim, observations, quantities) if claim.parts else None
        entry = _planned(claim, study.name, quantities)
        too_short = claim.too_short(study.definition.get("settings") or {})
        found = replace(entry, budget=study.budget, weighed=weighed, too_short=too_short, typed=typed)
        yield replace(found, command=study.command)


def _is_as_written(word: str) -> bool:
    """Whether a study with this word on its command line is still the one that its file says."""
    key = word.lstrip("+~").partition("=")[0]
    return any(key == each or key.startswith(f"{each}.") for each in AS_WRITTEN)


def _taken_over(entry: _Entry, earlier: Earlier | None, definition: Mapping[str, Any]) -> _Entry:
    """``entry`` as an earlier ledger has it, by the rule of then; as it is where that one has it of another study."""
    if earlier is None or earlier.study != entry.name:
        return entry
    found = replace(entry, measure=earlier.measure, rule=earlier.rule, budget=earlier.budget, weighed=earlier.weighed)
    settings = at_budget(definition, earlier.budget).get("settings") or {} if entry.claim.needs else {}
    too_short = entry.claim.too_short(settings)
    changed = earlier.rule != entry.rule
    return replace(found, changed=changed, from_earlier=True, too_short=too_short, typed=earlier.typed)


def _row(entry: _Entry, p_corrected: float | None, family: _Family) -> LedgerRow:
    weighed = entry.weighed
    verdict = UNDECIDED
    if weighed is not None and p_corrected is not None and p_corrected <= family.alpha:
        verdict = CONFIRMED if weighed.p_for < weighed.p_against else REFUTED
    return LedgerRow(
        id=entry.claim.id,
        statement=entry.claim.statement,
        study=entry.name,
        budget=entry.budget,
        measure=entry.measure,
        rule=entry.rule,
        figures=_joined(weighed, "figures"),
        effect=_joined(weighed, "effect"),
        p=weighed.p if weighed is not None and weighed.is_tested else None,
        p_corrected=p_corrected,
        corrected_for=family.tested,
        seeds=weighed.n_seeds if weighed is not None else 0,
        verdict=verdict,
        reason=_reason(entry, verdict, p_corrected, family),
        parts=weighed.evidence if weighed is not None else (),
        from_earlier=entry.from_earlier,
        changed=entry.changed,
        typed=entry.typed,
    )


def _joined(weighed: Weighed | None, what: str) -> str:
    """The texts of all tests, each with the case that it is of."""
    texts = []
    for each in weighed.evidence if weighed is not None else ():
        text = str(getattr(each, what))
        texts.append(f"{each.case}: {text}" if each.case and text else text)
    return " | ".join(filter(None, texts))


# --- why ---------------------------------------------------------------------------------------------------------


def _reason(entry: _Entry, verdict: str, p_corrected: float | None, family: _Family) -> str:
    if entry.claim.pending:
        return entry.claim.pending
    if entry.weighed is None:
        return f"not run yet: genlab train -m study={entry.name} budget=quick"
    if entry.typed:
        reason = f"run with other settings than its file has ({entry.typed}), of which the claim does not speak"
    elif entry.too_short:
        reason = f"{entry.too_short}: genlab train -m study={entry.name} budget={BUDGETS[-1]}"
    elif p_corrected is None:
        reason = f"{entry.weighed.missing}: {_next(entry, entry.weighed)}"
    else:
        p = _p(entry.weighed.p)
        reason = f"p {p if p.startswith('<') else f'= {p}'}, {_p(p_corrected)} corrected for {family.tested} claims"
        reason += f"; {_what_it_takes(entry.weighed, family.level)}" if verdict == UNDECIDED else ""
    return reason + (f"; {CHANGED}" if entry.changed else "")


def _next(entry: _Entry, weighed: Weighed) -> str:
    """What would let a claim be tested at all."""
    if entry.budget == BUDGETS[0]:
        return f"genlab train -m study={entry.name} budget={BUDGETS[1]}"
    if any(each.missing for each in weighed.evidence):
        command = entry.command or f"genlab train -m study={entry.name} budget={entry.budget}"
        return f"{command} goes on with what is not done" if entry.command else f"its runs are not here: {command}"
    return "give the study more seeds"


def _what_it_takes(weighed: Weighed, level: float) -> str:
    """About how much more would decide a claim that was tested and left open, at a two-sided p of ``level``."""
    leading = weighed.leading
    if leading.t is None:
        return "more arms or more seeds may decide it"
    seeds = weighed.seeds_needed(level)
    if seeds is None:
        return f"as it looks, more than {MOST_SEEDS} seeds would be needed to tell"
    towards = "confirm" if weighed.leans_for else "refute"
    return f"if means and spreads stay as they are, about {seeds} seeds would {towards} it"


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
