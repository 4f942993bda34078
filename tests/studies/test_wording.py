"""The rule of a claim as a sentence."""

from typing import Any

import pytest

from genlab.studies.claims import read_claims
from genlab.studies.quantities import read_quantities
from genlab.studies.wording import measure_in_words, rule_in_words

QUANTITIES = {
    "bits": {"from": "bits", "label": "held-out bits/char"},
    "fid": {"from": "fid", "label": "FID", "digits": 1},
    "floor": {"from": "fid.floor.value", "label": "the FID of test images"},
    "accuracy": {"logged": "accuracy", "take": "mean"},
    "variance": {"logged": "accuracy", "take": "variance", "label": "its variance within a run"},
}


def words(*parts: Any) -> str:
    definition = {"quantities": QUANTITIES, "claims": {"R1": {"statement": "s", "all": list(parts)}}}
    return rule_in_words(read_claims(definition)["R1"], read_quantities(definition))


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        (
            {"falls": "bits", "along": "seq_len", "within": "hidden_size"},
            "held-out bits/char falls with growing sequence length, at every hidden size "
            "(slope of the least-squares line, t test)",
        ),
        (
            {"rises": "fid", "along": "lr", "log": True, "of": {"epoch": "last"}},
            "FID rises with growing logarithm of learning rate at the end of training "
            "(slope of the least-squares line, t test)",
        ),
        (
            {"lower": "fid", "of": {"arm": "4 layers", "epoch": 25}, "than": {"arm": "3 layers"}, "by": 2},
            "FID of 4 layers is lower than that of 3 layers at epoch 25, by more than 2.0 (t test over seeds)",
        ),
        (
            {"higher": "fid", "of": {"lr": [1e-2, 1e-5]}, "than": {"lr": 2e-4}, "times": 2, "within": "hidden_size"},
            "FID of each of learning rate 0.01 and 1e-05 is higher than 2 × that of learning rate 0.0002, "
            "at every hidden size (t test over seeds)",
        ),
        (
            {"lower": "bits", "of": {"hidden_size": 512, "seq_len": 50}, "than": {"hidden_size": 100, "seq_len": 20}},
            "held-out bits/char of hidden size 512, sequence length 50 is lower than that of hidden size 100, "
            "sequence length 20 (t test over seeds)",
        ),
        (
            {"lower": "fid", "of": {"arm": "a"}, "than": {"arm": ["b", "c"]}},
            "FID of a is lower than that of each of b and c (t test over seeds)",
        ),
        (
            {"lower": "fid", "than": "floor", "times": 1.1},
            "FID is lower than 1.1 × the FID of test images of the same run (paired t test over seeds)",
        ),
        ({"near": "fid", "low": 1, "high": 3}, "mean FID lies between 1.0 and 3.0 (two one-sided t tests over runs)"),
        (
            {"near": "fid", "low": 1, "of": {"arm": "4 layers"}},
            "mean FID for 4 layers lies above 1.0 (t test over runs)",
        ),
        ({"near": "fid", "high": 3, "of": {"epoch": 2}}, "mean FID at epoch 2 lies below 3.0 (t test over runs)"),
        (
            {"correlates": ["bits", "fid"], "sign": "negative"},
            "held-out bits/char and FID rank arms in opposite orders (Spearman's rho below 0, permutation test)",
        ),
        (
            {"correlates": ["bits", "fid"], "sign": "positive"},
            "held-out bits/char and FID rank arms alike (Spearman's rho above 0, permutation test)",
        ),
        (
            {"correlates": ["bits", "fid"], "sign": "negative", "against": True, "over": "runs"},
            "held-out bits/char and FID do not rank runs in opposite orders (Spearman's rho above -0.9, Fisher's z)",
        ),
        (
            {"correlates": ["bits", "fid"], "sign": "positive", "against": True, "least": 0.5},
            "held-out bits/char and FID do not rank arms alike (Spearman's rho below 0.5, Fisher's z)",
        ),
        (
            {"indistinct": "accuracy", "fluctuation": "variance"},
            "accuracy varies less from arm to arm than within a run "
            "(variance of the arms' means over its variance within a run below 1, F test)",
        ),
    ],
)
def test_a_part_in_words(part: Any, rule: str) -> None:
    assert words(part) == rule


def test_several_parts_are_numbered() -> None:
    low, high = {"near": "fid", "low": 1}, {"near": "bits", "high": 3}
    assert words(low, high) == f"all of these: (1) {words(low)}; (2) {words(high)}"
    definition = {"quantities": QUANTITIES, "claims": {"R1": {"statement": "s", "all": [low, high, low]}}}
    measure = measure_in_words(read_claims(definition)["R1"], read_quantities(definition))
    assert measure == "FID, held-out bits/char"
