"""An earlier ledger's findings: read back as they were, counted where a study has no runs here, and nowhere else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genlab.studies.earlier import read_earlier
from genlab.studies.folder import StudyRecord
from genlab.studies.ledger import Ledger, make_ledger

MakeStudy = Callable[..., StudyRecord]
QUANTITIES = {"fid": {"from": "fid", "label": "FID", "digits": 2}}


def definition(**claims: Any) -> dict[str, Any]:
    return {"arms": {"a": {}, "b": {}}, "quantities": QUANTITIES, "claims": claims}


def lower(**words: Any) -> dict[str, Any]:
    return {"statement": "a is better", "all": [{"lower": "fid", "of": {"arm": "a"}, "than": {"arm": "b"}, **words}]}


def fids(a: list[float], b: list[float]) -> Any:
    return lambda arm, seed: {"evaluation": {"fid": {"value": {"a": a, "b": b}[arm["arm"]][seed]}}}


CLEAR, NEAR = fids([1.0, 1.1, 0.9], [5.0, 5.1, 5.3]), fids([1.0, 1.6, 0.9], [1.5, 1.4, 2.0])


@pytest.fixture
def elsewhere(make_study: MakeStudy) -> StudyRecord:
    return replace(make_study(definition(G1=lower(), G2=lower(by=1.0)), CLEAR), name="elsewhere")


@pytest.fixture
def here(make_study: MakeStudy) -> StudyRecord:
    return replace(make_study(definition(V1=lower()), NEAR), name="here")


def written(ledger: Ledger, folder: Path) -> Path:
    path = folder / "claims.json"
    path.write_text(json.dumps(ledger.as_dict()))
    return path


def test_a_ledger_with_an_earlier_ones_findings_is_the_one_with_all_runs(
    elsewhere: StudyRecord, here: StudyRecord, tmp_path: Path
) -> None:
    definitions = {study.name: study.definition for study in (elsewhere, here)}
    whole = make_ledger([elsewhere, here], definitions)
    earlier = read_earlier(written(make_ledger([elsewhere], {}), tmp_path))
    again = make_ledger([here], definitions, earlier=earlier)
    assert [row.id for row in again.rows if row.from_earlier] == ["G1", "G2"]
    assert [replace(row, from_earlier=False) for row in again.rows] == list(whole.rows)
    assert (whole.rows[0].corrected_for, earlier.keys()) == (3, {"G1", "G2"})


def test_runs_that_are_here_count_and_not_an_earlier_ledger(elsewhere: StudyRecord, tmp_path: Path) -> None:
    earlier = read_earlier(written(make_ledger([elsewhere], {}), tmp_path))
    fewer = replace(elsewhere, jobs=elsewhere.jobs[:2])  # all of them ended
    assert make_ledger([fewer], {}, earlier=earlier) == make_ledger([fewer], {})


def test_a_claim_is_not_taken_over_from_another_study(elsewhere: StudyRecord, tmp_path: Path) -> None:
    earlier = read_earlier(written(make_ledger([elsewhere], {}), tmp_path))
    ledger = make_ledger([], {"moved": elsewhere.definition}, earlier=earlier)
    assert [(row.verdict, row.from_earlier, row.parts) for row in ledger.rows] == [("undecided", False, ())] * 2


def test_findings_by_another_rule_say_so(elsewhere: StudyRecord, tmp_path: Path) -> None:
    earlier = read_earlier(written(make_ledger([elsewhere], {}), tmp_path))
    now = definition(G1=lower(by=0.5), G2=lower(by=1.0))
    first, second = make_ledger([], {"elsewhere": now}, earlier=earlier).rows
    assert first.rule == "FID of a is lower than that of b (t test over seeds)"
    assert first.reason.endswith("the study was run before its file changed this rule")
    assert "changed this rule" not in second.reason


def test_what_an_earlier_ledger_found_of_too_short_a_training_decides_nothing(
    elsewhere: StudyRecord, tmp_path: Path
) -> None:
    earlier = read_earlier(written(make_ledger([elsewhere], {}), tmp_path))
    budgets = {"budgets": {"quick": {"settings": {"trainer.max_epochs": 3}}, "full": {}}}
    claims = definition(G1={**lower(), "needs": {"trainer.max_epochs": 9}}, G2=lower(by=1.0))
    first, second = make_ledger([], {"elsewhere": {**claims, **budgets}}, earlier=earlier).rows
    assert (first.verdict, first.p_corrected, first.from_earlier) == ("undecided", None, True)
    assert first.reason.startswith("trainer.max_epochs is 3, and the statement is about 9")
    assert second.p_corrected is not None


def test_the_largest_budget_that_has_come_to_its_end_counts(elsewhere: StudyRecord, tmp_path: Path) -> None:
    def from_earlier(then: StudyRecord, now: StudyRecord) -> bool:
        earlier = read_earlier(written(make_ledger([then], {}), tmp_path))
        rows = make_ledger([now], {now.name: now.definition}, earlier=earlier).rows
        assert {row.budget for row in rows} == {(then if rows[0].from_earlier else now).budget}
        return all(row.from_earlier for row in rows)

    full = replace(elsewhere, budget="full")
    begun = replace(full, jobs=(*full.jobs[:-1], replace(full.jobs[-1], run=None, state="running")))
    assert from_earlier(full, elsewhere)
    assert not from_earlier(elsewhere, full)
    assert not from_earlier(elsewhere, elsewhere)
    assert from_earlier(elsewhere, begun)
    assert from_earlier(elsewhere, replace(elsewhere, jobs=begun.jobs))


def test_what_was_typed_otherwise_is_so_in_every_later_ledger(elsewhere: StudyRecord, tmp_path: Path) -> None:
    typed = replace(elsewhere, words=("trainer.max_steps=9",))
    earlier = read_earlier(written(make_ledger([typed], {}), tmp_path))
    rows = make_ledger([], {"elsewhere": elsewhere.definition}, earlier=earlier).rows
    assert [(row.typed, row.verdict, row.from_earlier) for row in rows] == [
        ("trainer.max_steps=9", "undecided", True)
    ] * 2


def test_what_was_not_tested_is_taken_over_as_untested(make_study: MakeStudy, tmp_path: Path) -> None:
    """An infinite or missing number is null in JSON; a cell without seeds decides nothing, here as there."""
    study = replace(make_study({**definition(G1=lower()), "seeds": [0]}, CLEAR), name="elsewhere")
    ledger = make_ledger([study], {})
    earlier = read_earlier(written(ledger, tmp_path))
    (row,) = make_ledger([], {"elsewhere": study.definition}, earlier=earlier).rows
    assert (row.verdict, row.p_corrected, row.corrected_for) == ("undecided", None, 0)
    assert row.reason == ledger.rows[0].reason


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"rows": 3}',
        '{"rows": [{"id": "G1", "budget": "quick", "parts": [{"case": "c"}]}]}',
        '{"rows": [{"id": "G1", "budget": "quick"}]}',
    ],
)
def test_a_file_that_is_no_ledger_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"`earlier` must be a claims\.json .*claims\.json.* \(earlier\)"):
        read_earlier(path)


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_a_probability_that_is_none_is_refused(p: float, elsewhere: StudyRecord, tmp_path: Path) -> None:
    content = make_ledger([elsewhere], {}).as_dict()
    content["rows"][0]["parts"][0]["p_for"] = p
    (tmp_path / "claims.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="earlier"):
        read_earlier(tmp_path / "claims.json")


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="earlier"):
        read_earlier(tmp_path / "none.json")
