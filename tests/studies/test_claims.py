"""Claims as a study's file says them: what they may say, and the message for what they may not."""

from typing import Any

import pytest

from genlab.studies.claims import (
    Comparison,
    Correlation,
    Indistinct,
    Near,
    Trend,
    check_claims,
    check_selections,
    read_claims,
)

QUANTITIES = {
    "bits": {"from": "bits_per_char", "label": "held-out bits/char"},
    "fid": {"from": "fid", "label": "FID"},
    "words": {"from": "words", "each": "by_temperature.temperature"},
    "variance": {"logged": "loss", "take": "variance"},
}
DEFINITION: dict[str, Any] = {
    "grid": {"model.hidden_size": [100, 256, 512], "data.seq_len": [20, 50]},
    "quantities": QUANTITIES,
}


def study(*parts: Any, **more: Any) -> dict[str, Any]:
    return {**DEFINITION, "claims": {"R1": {"statement": "it falls", "all": list(parts)}}, **more}


def read(part: Any) -> Any:
    return read_claims(study(part))["R1"].parts[0]


def test_every_kind_with_its_defaults() -> None:
    assert read({"falls": "bits", "along": "seq_len", "within": "hidden_size"}) == Trend(
        "bits", False, "seq_len", False, ("hidden_size",), {}
    )
    assert read({"rises": "bits", "along": "lr", "log": True, "within": ["a", "b"], "of": {"c": [1, 2]}}) == Trend(
        "bits", True, "lr", True, ("a", "b"), {"c": (1, 2)}
    )
    assert read({"lower": "fid", "of": {"arm": "a", "epoch": 5}, "than": {"arm": ["b", "c"]}, "by": 1}) == Comparison(
        "fid", False, {"arm": ("a",), "epoch": (5,)}, {"arm": ("b", "c"), "epoch": (5,)}, None, (), 1.0, 1.0
    )
    assert read({"higher": "fid", "than": "bits", "times": 2}) == Comparison("fid", True, {}, {}, "bits", (), 0.0, 2.0)
    assert read({"near": "fid", "low": 1}) == Near("fid", 1.0, None, (), {})
    assert read({"correlates": ["bits", "fid"], "sign": "negative"}) == Correlation(
        ("bits", "fid"), False, False, False, 0.9, {}
    )
    assert read({"indistinct": "fid", "fluctuation": "variance"}) == Indistinct("fid", "variance", {})


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ("a lot", r"`needs` must be a mapping of settings to numbers; got 'a lot' \(study.claims.R1.needs\)"),
        (
            {"trainer.max_epochs": 0},
            r"`trainer.max_epochs` must be .*; got 0 \(study.claims.R1.needs.trainer.max_epochs",
        ),
        (
            {"trainer.max_steps": 5},
            r"`needs` must be one of trainer.max_epochs, trainer.devices; got 'trainer.max_steps' \(study.claims",
        ),
    ],
)
def test_what_a_claim_cannot_need(needs: Any, message: str) -> None:
    definition = {
        "settings": {"trainer.max_epochs": 9},
        "budgets": {"quick": {"settings": {"trainer.devices": 1}}, "full": {}},
        "quantities": {"fid": {"from": "fid"}},
        "claims": {"R1": {"statement": "it is low", "needs": needs, "all": [{"near": "fid", "high": 1}]}},
    }
    with pytest.raises(ValueError, match=message):
        check_selections(definition)


def test_a_claim_may_wait() -> None:
    claims = read_claims({"claims": {"G11": {"statement": "it works", "pending": "there is no such model yet"}}})
    assert (claims["G11"].parts, claims["G11"].pending) == ((), "there is no such model yet")
    assert read_claims({}) == {}


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({"statement": "s"}, "`R1` must be a mapping with a `statement`, and with `all` or with `pending`; got "),
        ({"statement": "s", "all": [], "pending": "p"}, "(study.claims.R1)"),
        ({"statement": "s", "all": []}, "`all` must be a list of parts; got [] (study.claims.R1.all)"),
        ({"all": [{"near": "fid", "low": 1}]}, "`statement` must be a sentence; got None (study.claims.R1.statement)"),
        ({"statement": "s", "pending": ""}, "`pending` must be a sentence; got ''"),
        (
            {"statement": "s", "al": [], "pending": "p"},
            "`R1` must hold statement, all, pending, needs alone; got 'al' (study.claims.R1; did you mean all?)",
        ),
    ],
)
def test_what_a_claim_cannot_be(claim: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="must") as error:
        check_claims({**DEFINITION, "claims": {"R1": claim}})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("falls", "`all` must hold parts with one of falls, rises, lower, higher, near, correlates, indistinct each"),
        ({"fals": "bits"}, "got {'fals': 'bits'} (study.claims.R1.all[0])"),
        ({"falls": "bits", "rises": "bits", "along": "seq_len"}, "with one of falls, rises"),
        ({"falls": "bits"}, "`all[0]` must have `along`; got {'falls': 'bits'} (study.claims.R1.all[0])"),
        ({"falls": "bit", "along": "seq_len"}, "(study.claims.R1.all[0].falls; did you mean bits?)"),
        ({"near": "bit", "low": 1}, "(study.claims.R1.all[0].near; did you mean bits?)"),
        ({"falls": "bits", "along": "seq_len", "loog": True}, "(study.claims.R1.all[0]; did you mean log?)"),
        ({"falls": "bits", "along": "seq_len", "log": 1}, "`log` must be true or false; got 1"),
        ({"falls": "bits", "along": ["seq_len"]}, "`along` must be an axis; got ['seq_len']"),
        ({"falls": "bits", "along": "sec_len"}, "(study.claims.R1.all[0].along; did you mean seq_len?)"),
        ({"falls": "bits", "along": "seq_len", "within": "size"}, "`within` must be one of hidden_size, seq_len; got"),
        ({"falls": "bits", "along": "seq_len", "within": 3}, "`within` must be an axis or a list of axes; got 3"),
        (
            {"falls": "bits", "along": "seq_len"},
            "`of` must say which hidden_size is meant, or `within` name it; got {}",
        ),
        ({"falls": "bits", "along": "seq_len", "of": {"hidden_size": [100, 256]}}, "must say which hidden_size is"),
        ({"lower": "fid", "of": {"hidden_size": 100}}, "`all[0]` must have `than`"),
        ({"lower": "fid", "than": {"hidden_size": 100}}, "`than` must select other runs than `of` does"),
        ({"lower": "fid", "of": {"seq_len": 20}, "than": {"seq_len": 20}}, "`than` must select other runs"),
        ({"lower": "fid", "of": {"seq_len": 20}, "than": {"seq_len": 50}}, "must say which hidden_size is meant"),
        (
            {"lower": "words", "of": {"seq_len": 20}, "than": {"seq_len": 50}, "within": "hidden_size"},
            "must say which temperature is meant",
        ),
        (
            {"lower": "fid", "of": {"seq_len": []}, "than": {"seq_len": 50}},
            "must be a value or a list of values; got []",
        ),
        ({"lower": "fid", "of": [1], "than": {"seq_len": 50}}, "`of` must be a mapping of axes to values; got [1]"),
        (
            {"lower": "fid", "of": {"seq": 20}, "than": {"seq": 50}},
            "(study.claims.R1.all[0].of; did you mean seq_len?)",
        ),
        ({"lower": "fid", "than": "fidd"}, "(study.claims.R1.all[0].than; did you mean fid?)"),
        ({"lower": "fid", "than": "bits", "by": -1}, "`by` must be a number in [0, inf]; got -1"),
        ({"lower": "fid", "than": "bits", "times": 0}, "`times` must be a finite number > 0; got 0"),
        ({"near": "fid"}, "`low` must be below `high`, and one of them be there; got [None, None]"),
        ({"near": "fid", "low": 2, "high": 1}, "`low` must be below `high`"),
        ({"near": "fid", "low": "much"}, "`low` must be a number in [-inf, inf]; got 'much'"),
        ({"near": "words", "low": 1}, "must say which temperature is meant"),
        (
            {"near": "fid", "low": 1, "of": {"temperature": 1}},
            "`of` must be one of hidden_size, seq_len; got 'temperat",
        ),
        ({"correlates": "fid", "sign": "positive"}, "`correlates` must be a list of two quantities; got 'fid'"),
        ({"correlates": ["fid", "x"], "sign": "positive"}, "`correlates` must be one of bits, fid, words, variance"),
        ({"correlates": ["fid", "bits"]}, "`all[0]` must have `sign`"),
        ({"correlates": ["fid", "bits"], "sign": "up"}, "`sign` must be one of positive, negative; got 'up'"),
        ({"correlates": ["fid", "bits"], "sign": "positive", "over": "seeds"}, "`over` must be one of arms, runs"),
        ({"correlates": ["fid", "bits"], "sign": "positive", "least": 0.5}, "come with `against: true` alone"),
        (
            {"correlates": ["fid", "bits"], "sign": "positive", "against": True, "least": 1},
            "`least` must be a number in (0, 1); got 1",
        ),
        ({"indistinct": "fid", "fluctuation": "loss"}, "`fluctuation` must be one of bits, fid, words, variance"),
    ],
)
def test_what_a_part_cannot_be(part: Any, message: str) -> None:
    with pytest.raises(ValueError, match="must") as error:
        check_claims(study(part))
    assert message in str(error.value)
    assert "study.claims.R1.all[0]" in str(error.value)


@pytest.mark.parametrize(
    "part",
    [
        {"falls": "bits", "along": "seq_len", "within": "hidden_size"},
        {"falls": "bits", "along": "seq_len", "of": {"hidden_size": 100}},
        {"rises": "words", "along": "temperature", "within": ["hidden_size", "seq_len"]},
        {"higher": "bits", "of": {"hidden_size": [100, 256]}, "than": {"hidden_size": 512}, "within": "seq_len"},
        {"near": "fid", "high": 3},
        {"correlates": ["bits", "words"], "sign": "negative", "of": {"temperature": 0.8}},
    ],
)
def test_what_a_part_may_be(part: Any) -> None:
    check_claims(study(part))


def test_the_epoch_is_an_axis_of_studies_with_passes() -> None:
    part = {"lower": "fid", "of": {"seq_len": 20, "epoch": 5}, "than": {"seq_len": 50}, "within": "hidden_size"}
    check_claims(study(part, evaluate={"passes": [5]}))
    with pytest.raises(ValueError, match=r"`of` must be one of hidden_size, seq_len; got 'epoch'"):
        check_claims(study(part))
    logged = {**part, "lower": "variance"}
    with pytest.raises(ValueError, match="got 'epoch'"):
        check_claims(study(logged, evaluate={"passes": [5]}))


ARMS = {
    "3 layers": {"d.num_layers": 3},
    "4 layers": {"d.num_layers": 4, "d.dropout": 0.0},
    "4 layers, dropout 0.4": {"d.num_layers": 4, "d.dropout": 0.4},
}


def test_named_arms_lie_on_the_axes_that_they_set() -> None:
    arms = {"grid": {}, "arms": ARMS}
    check_claims(study({"rises": "fid", "along": "dropout", "of": {"num_layers": 4}}, **arms))
    check_claims(study({"lower": "fid", "of": {"arm": "4 layers"}, "than": {"arm": "3 layers"}}, **arms))
    with pytest.raises(ValueError, match=r"`along` must be an axis of numbers; got 'arm: 3 layers'"):
        check_claims(study({"rises": "fid", "along": "arm"}, **arms))
    with pytest.raises(ValueError, match=r"`along` must be an axis of numbers above 0; got 'dropout: 0.0'"):
        check_claims(study({"rises": "fid", "along": "dropout", "log": True, "of": {"num_layers": 4}}, **arms))


def test_a_selected_value_must_be_in_some_budget() -> None:
    part = {"lower": "fid", "of": {"hidden_size": 1024}, "than": {"hidden_size": "first"}, "within": "seq_len"}
    full = {"full": {"grid": {"model.hidden_size": [1024]}}, "smoke": None}
    check_selections(study(part, budgets=full))
    check_selections(study({"near": "words", "low": 0, "of": {"temperature": 0.3}}))  # whose values only runs know
    with pytest.raises(
        ValueError, match=r"must be one of 100, 256, 512; got 1024 \(study.claims.R1.all\[0\].of.hidden"
    ):
        check_selections(study(part))
    arms = study({"lower": "fid", "of": {"arm": "4 layers"}, "than": {"arm": "3 layer"}}, grid={}, arms=ARMS)
    with pytest.raises(ValueError, match=r"all\[0\].than.arm; did you mean 3 layers"):
        check_selections(arms)
