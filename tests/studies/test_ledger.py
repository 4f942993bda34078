"""Verdicts: what they are where the truth is known, and everything that a row says."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genlab.studies.claims import read_claims
from genlab.studies.folder import JobRecord, StudyRecord
from genlab.studies.ledger import LedgerRow, claim_order, make_ledger
from genlab.studies.observations import observe
from genlab.studies.quantities import read_quantities
from genlab.studies.weighing import weigh

MakeStudy = Callable[..., StudyRecord]
ARMS = {"arms": {"a": {}, "b": {}}, "quantities": {"fid": {"from": "fid", "label": "FID", "digits": 2, "unit": "px"}}}


def claim(**kind: Any) -> dict[str, Any]:
    return {"statement": "a is better than b", "all": [kind]}


LOWER = claim(lower="fid", of={"arm": "a"}, than={"arm": "b"})
HIGHER = claim(higher="fid", of={"arm": "a"}, than={"arm": "b"})


def fids(a: Any, b: Any) -> Any:
    """Results with these values of FID, by seed."""
    return lambda arm, seed: {"evaluation": {"fid": {"value": float({"a": a, "b": b}[arm["arm"]][seed])}}}


FAR = fids([1.0, 1.1, 0.9], [5.0, 5.1, 5.3])
NEAR = fids([1.0, 1.6, 0.9], [1.5, 1.4, 2.0])


def rows(*studies: StudyRecord, **definitions: Any) -> dict[str, LedgerRow]:
    return {row.id: row for row in make_ledger(studies, definitions).rows}


# --- verdicts ----------------------------------------------------------------------------------------------------


def test_a_claim_that_holds_is_confirmed_and_its_contrary_refuted(make_study: MakeStudy) -> None:
    study = make_study({**ARMS, "claims": {"G1": LOWER, "G2": HIGHER}}, FAR)
    found = rows(study)
    assert [found[name].verdict for name in ("G1", "G2")] == ["confirmed", "refuted"]
    first = found["G1"]
    assert first.p is not None
    assert first.p_corrected == pytest.approx(2 * first.p)
    assert (first.corrected_for, first.seeds, first.study, first.budget) == (2, 3, "made_up", "quick")
    assert first.measure == "FID"
    assert first.rule == "FID of a is lower than that of b (t test over seeds)"
    assert first.figures == "a 1.00 ± 0.25 px; b 5.13 ± 0.38 px"
    assert first.effect.startswith("difference -4.13 [-4.")
    assert first.reason.startswith("p < 0.0001, ")
    assert first.reason.endswith("corrected for 2 claims")
    assert found["G2"].p == pytest.approx(first.p)


def test_what_is_not_clear_is_undecided_and_says_what_it_takes(make_study: MakeStudy) -> None:
    (row,) = rows(make_study({**ARMS, "claims": {"G1": LOWER}}, NEAR)).values()
    assert row.reason.startswith("p = 0.")
    assert (row.verdict, row.corrected_for) == ("undecided", 1)
    assert row.p == row.p_corrected
    assert "if means and spreads stay as they are, about " in row.reason
    assert row.reason.endswith(" seeds would confirm it")
    (row,) = rows(make_study({**ARMS, "claims": {"G1": HIGHER}}, NEAR)).values()
    assert row.reason.endswith(" seeds would refute it")
    same = fids([1.0, 1.6, 0.9], [1.0, 1.601, 0.9])
    (row,) = rows(make_study({**ARMS, "claims": {"G1": LOWER}}, same)).values()
    assert row.reason.endswith("more than 100 seeds would be needed to tell")


def test_what_points_the_other_way_would_be_refuted_by_more_seeds(make_study: MakeStudy) -> None:
    """Of many parts one leans against the claim, too little to count after Holm, and the claim is not nearer to it."""
    values = {"a": [1.0, 1.6, 0.9], "b": [0.95, 1.5, 0.9], **{name: [5.0, 5.1, 5.3] for name in "cdefghij"}}
    part = {"lower": "fid", "of": {"arm": "a"}, "than": {"arm": list("bcdefghij")}}
    definition = {**ARMS, "arms": {name: {} for name in values}, "claims": {"G1": {"statement": "s", "all": [part]}}}
    study = make_study(definition, lambda arm, seed: {"evaluation": {"fid": {"value": values[arm["arm"]][seed]}}})
    weighed = weigh(read_claims(definition)["G1"], observe(study), read_quantities(definition))
    assert 0.5 < weighed.p_for < weighed.p_against
    assert not weighed.leans_for
    (row,) = rows(study).values()
    assert row.verdict == "undecided"
    assert row.reason.endswith(("seeds would refute it", "seeds would be needed to tell"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("seed=0,1,2", "trainer.precision=bf16-mixed", "logger=wandb", "logger.wandb.project=p", "data.root=/d"), ""),
        (("trainer.max_steps=10", "seed=0,1,2"), "trainer.max_steps=10"),
        (("data.text=a.txt", "+callbacks.x._target_=y"), "data.text=a.txt +callbacks.x._target_=y"),
        (("seeds_of_others=1",), "seeds_of_others=1"),
    ],
)
def test_a_study_that_was_typed_otherwise_decides_nothing(
    words: tuple[str, ...], said: str, make_study: MakeStudy
) -> None:
    study = replace(make_study({**ARMS, "claims": {"G1": LOWER}}, FAR), words=words)
    (row,) = rows(study).values()
    assert row.typed == said
    assert row.verdict == ("undecided" if said else "confirmed")
    expected = f"run with other settings than its file has ({said}), of which the claim does not speak"
    assert row.reason == expected if said else "corrected" in row.reason
    assert (row.p_corrected is None) == bool(said)


def test_what_it_takes_counts_the_claims_that_are_open(make_study: MakeStudy) -> None:
    """Of three claims the one that is clear is out of Holm's way: alpha is shared by the other two."""
    claims = {"G1": LOWER, "G2": LOWER, "G3": claim(near="fid", low=-50, high=50)}
    study = make_study({**ARMS, "claims": claims}, NEAR)
    found = rows(study)
    assert [found[name].verdict for name in claims] == ["undecided", "undecided", "confirmed"]
    observations, quantities = observe(study), read_quantities(study.definition)
    weighed = weigh(read_claims(study.definition)["G1"], observations, quantities)
    needed = weighed.seeds_needed(0.05 / 2)
    assert needed not in (None, weighed.seeds_needed(0.05), weighed.seeds_needed(0.05 / 3))
    assert found["G1"].reason.endswith(f" about {needed} seeds would confirm it")


def test_more_claims_make_each_harder(make_study: MakeStudy) -> None:
    """One comparison just significant alone is not so among twenty others that say nothing."""
    values = fids([1.0, 1.1, 0.9], [1.3, 1.4, 1.5])
    others = {f"G{number}": claim(near="fid", low=1.0, high=1.001) for number in range(2, 22)}
    alone = rows(make_study({**ARMS, "claims": {"G1": LOWER}}, values))["G1"]
    among = rows(make_study({**ARMS, "claims": {"G1": LOWER, **others}}, values))["G1"]
    assert (alone.verdict, among.verdict) == ("confirmed", "undecided")
    assert alone.p == among.p
    assert among.p_corrected == pytest.approx(21 * among.p)


def test_all_parts_must_hold_and_one_that_fails_refutes(make_study: MakeStudy) -> None:
    both = {"statement": "s", "all": [*LOWER["all"], {"near": "fid", "of": {"arm": "a"}, "high": 3}]}
    one = {"statement": "s", "all": [*LOWER["all"], {"near": "fid", "of": {"arm": "a"}, "low": 3}]}
    found = rows(make_study({**ARMS, "claims": {"G1": both, "G2": one}}, FAR))
    assert [found[name].verdict for name in ("G1", "G2")] == ["confirmed", "refuted"]
    assert found["G1"].rule.startswith("all of these: (1) FID of a is lower")
    assert found["G1"].figures.count(" | ") == 1
    assert len(found["G1"].parts) == 2


# --- simulations -------------------------------------------------------------------------------------------------


def verdicts(make_study: MakeStudy, shift: float, seeds: int, times: int = 150) -> dict[str, float]:
    """The shares of verdicts on "a is lower than b" where b is ``shift`` standard deviations higher."""
    draw = np.random.default_rng(0)
    count = dict.fromkeys(("confirmed", "refuted", "undecided"), 0)
    definition = {**ARMS, "seeds": list(range(seeds)), "claims": {"G1": LOWER}}
    for _ in range(times):
        results = fids(draw.normal(0, 1, seeds), draw.normal(shift, 1, seeds))
        count[make_ledger([make_study(definition, results)], {}).rows[0].verdict] += 1
    return {verdict: found / times for verdict, found in count.items()}


def test_what_is_so_is_found(make_study: MakeStudy) -> None:
    assert verdicts(make_study, shift=6, seeds=3)["confirmed"] > 0.9
    assert verdicts(make_study, shift=-6, seeds=3)["refuted"] > 0.9
    assert verdicts(make_study, shift=2.5, seeds=6)["confirmed"] > 0.9


def test_noise_is_left_undecided(make_study: MakeStudy) -> None:
    """At most 5 % of verdicts on nothing at all are wrong, give or take three standard errors of 150 draws."""
    found = verdicts(make_study, shift=0, seeds=3)
    assert found["undecided"] > 0.95 - 3 * 0.018


def test_many_claims_on_noise_rarely_have_one_that_is_wrong(make_study: MakeStudy) -> None:
    """Holm holds the chance of any wrong verdict among 20 at 5 %; uncorrected it would be about 60 %."""
    draw, wrong, uncorrected, times = np.random.default_rng(1), 0, 0, 100
    quantities = {f"q{n}": {"from": f"r.{n}"} for n in range(20)}
    claims = {f"G{n}": claim(lower=f"q{n}", of={"arm": "a"}, than={"arm": "b"}) for n in range(20)}
    definition = {"arms": ARMS["arms"], "quantities": quantities, "claims": claims}
    for _ in range(times):
        study = make_study(definition, lambda arm, seed: {"evaluation": {"r": draw.normal(size=20).tolist()}})
        found = make_ledger([study], {}).rows
        wrong += any(row.verdict != "undecided" for row in found)
        uncorrected += any(row.p is not None and row.p < 0.05 for row in found)
    assert wrong / times < 0.05 + 3 * 0.022
    assert uncorrected / times > 0.3


def test_an_intersection_of_noise_is_hardly_ever_confirmed(make_study: MakeStudy) -> None:
    draw = np.random.default_rng(2)
    quantities = {f"q{n}": {"from": f"r.{n}"} for n in range(3)}
    parts = [{"lower": name, "of": {"arm": "a"}, "than": {"arm": "b"}} for name in quantities]
    definition = {
        "arms": ARMS["arms"],
        "quantities": quantities,
        "claims": {"G1": {"statement": "s", "all": parts}},
    }
    found = []
    for _ in range(200):
        study = make_study(definition, lambda arm, seed: {"evaluation": {"r": draw.normal(size=3).tolist()}})
        found.append(make_ledger([study], {}).rows[0].verdict)
    assert found.count("confirmed") <= 1
    assert found.count("refuted") / 200 < 0.05 + 3 * 0.015


# --- what is not run, or not whole -------------------------------------------------------------------------------


def test_a_study_that_was_not_run_leaves_its_claims_undecided() -> None:
    definition = {**ARMS, "claims": {"G1": LOWER, "G2": {"statement": "t", "pending": "no such model yet"}}}
    found = rows(gan_layers=definition)
    row = found["G1"]
    assert row.verdict == "undecided"
    assert row.reason == "not run yet: genlab train -m study=gan_layers budget=quick"
    assert (row.p, row.p_corrected, row.seeds, row.budget, row.figures) == (None, None, 0, "", "")
    assert row.rule == "FID of a is lower than that of b (t test over seeds)"
    assert found["G2"].reason == "no such model yet"


def test_too_few_seeds_are_not_counted_among_the_claims(make_study: MakeStudy) -> None:
    two = {**ARMS, "seeds": [0, 1], "claims": {"G1": LOWER}}
    smoke = make_study({**two, "seeds": [0], "claims": {"G2": LOWER}}, FAR, name="other", budget="smoke")
    found = rows(make_study(two, FAR), smoke, make_study({**ARMS, "claims": {"G3": LOWER}}, FAR, name="third"))
    assert [found[name].p_corrected is None for name in ("G1", "G2", "G3")] == [True, True, False]
    assert found["G1"].reason == "3 seeds are needed in every cell; the smallest has 2: give the study more seeds"
    assert found["G1"].p is not None
    assert found["G2"].reason.endswith("has 1: genlab train -m study=other budget=quick")
    assert (found["G3"].corrected_for, found["G3"].verdict) == (1, "confirmed")


def test_runs_that_are_missing_are_named(make_study: MakeStudy) -> None:
    study = make_study({**ARMS, "claims": {"G1": LOWER}}, lambda arm, seed: None if seed == 2 else FAR(arm, seed))
    row = rows(study)["G1"]
    assert (row.verdict, row.seeds) == ("undecided", 2)
    assert row.reason == (
        "no value from 2 runs: arm=a,seed=2 (waiting); arm=b,seed=2 (waiting): "
        "genlab train -m study=made_up budget=quick goes on with what is not done"
    )


# --- several budgets, and files that changed ---------------------------------------------------------------------


def test_the_largest_budget_that_has_ended_counts(make_study: MakeStudy) -> None:
    definition = {**ARMS, "claims": {"G1": LOWER}}
    smoke, quick = (make_study(definition, FAR, budget=budget) for budget in ("smoke", "quick"))
    begun = make_study(definition, lambda arm, seed: None if seed else FAR(arm, seed), budget="full")
    full = make_study(definition, FAR, budget="full")
    assert rows(smoke, begun, quick)["G1"].budget == "quick"
    assert rows(full, smoke, quick)["G1"].budget == "full"
    assert rows(begun)["G1"].budget == "full"
    with pytest.raises(ValueError, match="`studies` must hold made_up with budget quick once; got "):
        rows(quick, quick)


def test_a_study_without_jobs_has_not_ended(make_study: MakeStudy) -> None:
    empty = StudyRecord(Path("x"), "made_up", "full", {**ARMS, "claims": {"G1": LOWER}}, ())
    assert rows(empty, make_study({**ARMS, "claims": {"G1": LOWER}}, FAR))["G1"].budget == "quick"
    assert rows(empty)["G1"].reason.startswith("no run with a has fid: genlab train -m study=made_up budget=full")


def test_the_rule_of_the_run_decides_and_a_changed_file_is_said(make_study: MakeStudy) -> None:
    study = make_study({**ARMS, "claims": {"G1": LOWER}}, FAR)
    same = {**ARMS, "claims": {"G1": {**LOWER, "statement": "in other words"}}}
    assert "changed" not in rows(study, made_up=same)["G1"].reason
    row = rows(study, made_up={**ARMS, "claims": {"G1": HIGHER, "G2": LOWER}})["G1"]
    assert row.verdict == "confirmed"
    assert row.reason.endswith("; the study was run before its file changed this rule")
    assert row.changed
    new = rows(study, made_up={**ARMS, "claims": {"G2": LOWER}})["G2"]
    assert new.reason == "not run yet: genlab train -m study=made_up budget=quick"


def test_what_is_said_of_a_long_training_is_not_decided_by_a_short_one(make_study: MakeStudy) -> None:
    needs = {**LOWER, "needs": {"trainer.max_epochs": 25}}
    claims = {**ARMS, "claims": {"G1": needs, "G2": LOWER}}
    short = rows(make_study({**claims, "settings": {"trainer.max_epochs": 3}}, FAR))
    assert (short["G1"].verdict, short["G1"].p_corrected) == ("undecided", None)
    assert short["G1"].reason == (
        "trainer.max_epochs is 3, and the statement is about 25: genlab train -m study=made_up budget=full"
    )
    assert short["G1"].p == short["G2"].p, "what was found is told all the same"
    assert short["G1"].rule.endswith("; trainer.max_epochs at least 25")
    assert (short["G2"].verdict, short["G2"].corrected_for) == ("confirmed", 1)
    for epochs in (25, 30):
        long = rows(make_study({**claims, "settings": {"trainer.max_epochs": epochs}}, FAR))
        assert (long["G1"].verdict, long["G1"].corrected_for) == ("confirmed", 2)


# --- the file ----------------------------------------------------------------------------------------------------


def test_rows_come_in_the_order_of_the_report() -> None:
    names = ["V1", "G11", "R10", "X1", "R2", "G2", "A", "RX3"]
    assert sorted(names, key=claim_order) == ["R2", "R10", "G2", "G11", "V1", "A", "RX3", "X1"]
    definition = {**ARMS, "claims": dict.fromkeys(names, LOWER)}
    assert list(rows(s=definition)) == ["R2", "R10", "G2", "G11", "V1", "A", "RX3", "X1"]


def test_the_ledger_is_plain_json(make_study: MakeStudy) -> None:
    claims = {"G1": LOWER, "G2": claim(near="fid", high=3), "G3": {"statement": "s", "pending": "not yet"}}
    ledger = make_ledger([make_study({**ARMS, "claims": claims, "seeds": [0]}, FAR)], {"other": {}}, alpha=0.01)
    content = json.loads(json.dumps(ledger.as_dict(), allow_nan=False))
    assert content == ledger.as_dict()
    assert (content["alpha"], content["correction"]) == (0.01, "Holm over 0 claims")
    first = content["rows"][0]
    assert list(first) == [
        *("id", "statement", "study", "budget", "measure", "rule", "figures", "effect", "p", "p_corrected"),
        *("corrected_for", "seeds", "verdict", "reason", "parts", "from_earlier", "changed", "typed"),
    ]
    assert first["parts"][0]["estimate"] == -4.0
    assert first["parts"][0]["low"] is None


def test_what_is_not_finite_becomes_null(make_study: MakeStudy) -> None:
    row = rows(make_study({**ARMS, "claims": {"G1": LOWER}}, FAR))["G1"]
    broken = LedgerRow(**{**row.__dict__, "p": float("nan"), "p_corrected": float("inf")})
    assert (broken.as_dict()["p"], broken.as_dict()["p_corrected"]) == (None, None)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, "x"])
def test_alpha_is_a_share(alpha: Any) -> None:
    with pytest.raises(ValueError, match=r"`alpha` must be a number in \(0, 1\)"):
        make_ledger([], {}, alpha)


def test_a_definition_that_cannot_be_read_is_refused(make_study: MakeStudy) -> None:
    with pytest.raises(ValueError, match=r"study.claims.G1.all\[0\]"):
        make_ledger([], {"s": {**ARMS, "claims": {"G1": claim(lower="fdi", than="fid")}}})
    assert make_ledger([], {}).rows == ()


def test_a_job_that_failed_has_ended(make_study: MakeStudy) -> None:
    full = make_study({**ARMS, "claims": {"G1": LOWER}}, FAR, budget="full")
    failed = JobRecord(**{**full.jobs[0].__dict__, "run": None, "state": "failed", "reason": "out of memory"})
    study = StudyRecord(full.folder, "made_up", "full", full.definition, (failed, *full.jobs[1:]))
    row = rows(study, make_study({**ARMS, "claims": {"G1": LOWER}}, FAR))["G1"]
    assert row.budget == "full"
    assert "no value from 1 run: arm=a,seed=0 (failed: out of memory)" in row.reason
