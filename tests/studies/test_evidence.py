"""The evidence for each kind of part, against SciPy on the same runs, and the reasons for having none."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from genlab.studies.claims import read_claims
from genlab.studies.evidence import Evidence, no_evidence
from genlab.studies.folder import StudyRecord
from genlab.studies.observations import observe
from genlab.studies.quantities import read_quantities
from genlab.studies.weighing import Weighed, weigh

MakeStudy = Callable[..., StudyRecord]
Weigh = Callable[..., Weighed]
GRID = {"hidden_size": [100, 256], "seq_len": [20, 30, 50]}


@pytest.fixture
def weigh_part(make_study: MakeStudy) -> Weigh:
    """``weigh_part(parts, definition, results)`` gives what the runs say of the claim."""

    def find(part: Any, definition: dict[str, Any], results: Any) -> Weighed:
        parts = part if isinstance(part, list) else [part]
        definition = {**definition, "claims": {"R1": {"statement": "s", "all": parts}}}
        observations = observe(make_study(definition, results))
        return weigh(read_claims(definition)["R1"], observations, read_quantities(definition))

    return find


def only(weighed: Weighed) -> Evidence:
    (evidence,) = weighed.evidence
    return evidence


def table(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def from_table(values: Any, *axes: str) -> Any:
    """Results with FID ``values[place on each axis, seed]``."""
    grid = {**GRID, "arm": ["a", "b", "c", "d", "e"]}

    def results(arm: dict[str, Any], seed: int) -> dict[str, Any]:
        place = tuple(grid[axis].index(arm[axis]) for axis in axes)
        return {"evaluation": {"fid": {"value": float(values[(*place, seed)])}}}

    return results


FID = {"fid": {"from": "fid", "label": "FID", "digits": 2}}


# --- trends ------------------------------------------------------------------------------------------------------


def test_a_trend_within_each_value_of_another_axis(weigh_part: Weigh) -> None:
    values = table(0, 2, 3, 3) - np.array([0.0, 1.0, 3.0])[None, :, None]
    part = {"falls": "fid", "along": "seq_len", "within": "hidden_size"}
    weighed = weigh_part(part, {"grid": GRID, "quantities": FID}, from_table(values, "hidden_size", "seq_len"))
    assert [each.case for each in weighed.evidence] == ["hidden size 100", "hidden size 256"]
    for of_size, each in zip(values, weighed.evidence, strict=True):
        x = np.repeat(GRID["seq_len"], 3)
        line = stats.linregress(x, of_size.ravel(), alternative="less")
        assert each.p_for == pytest.approx(line.pvalue)
        assert each.p_against == pytest.approx(1 - line.pvalue)
        assert each.estimate == pytest.approx(30 * line.slope)
        assert each.n_seeds == 3
    first = weighed.evidence[0]
    mean, half = values[0, 0].mean(), stats.t.ppf(0.975, 2) * stats.sem(values[0, 0])
    assert first.figures.startswith(f"at 20 {mean:.2f} ± {half:.2f}; at 30 ")
    assert first.effect == f"change from 20 to 50 {first.estimate:.2f} [{first.low:.2f}, {first.high:.2f}]"
    assert weighed.p_for == max(each.p_for for each in weighed.evidence)
    assert weighed.p_against == min(1, 2 * min(each.p_against for each in weighed.evidence))


def test_rising_is_the_contrary_of_falling(weigh_part: Weigh) -> None:
    definition, results = {"grid": GRID, "quantities": FID}, from_table(table(1, 2, 3, 3), "hidden_size", "seq_len")
    rest = {"along": "hidden_size", "of": {"seq_len": 30}}
    falls = only(weigh_part({"falls": "fid", **rest}, definition, results))
    rises = only(weigh_part({"rises": "fid", **rest}, definition, results))
    assert (falls.p_for, falls.p_against, falls.estimate) == (rises.p_against, rises.p_for, rises.estimate)


def test_a_trend_by_the_logarithm(weigh_part: Weigh) -> None:
    """FID is the logarithm of lr itself: the line through it is exact, from 1e-4 to 1e-1 by 3."""
    rates = ["1e-4", 1e-3, 1e-1]  # as YAML may have them
    results = lambda arm, seed: {"evaluation": {"fid": {"value": np.log10(float(arm["lr"])) + 0.01 * seed}}}  # noqa: E731
    part = {"rises": "fid", "along": "lr", "log": True}
    evidence = only(weigh_part(part, {"grid": {"optimizer.lr": rates}, "quantities": FID}, results))
    assert evidence.estimate == pytest.approx(3)
    assert evidence.p_for < 1e-10
    assert "change from 0.0001 to 0.1" in evidence.effect


TEMPERATURES = [0.4, 0.8, 1.4]
BY_TEMPERATURE = {
    "quantities": {"words": {"from": "words", "each": "by_temperature.temperature"}, "plain": {"from": "words"}},
}


def by_temperature(values: Any) -> Any:
    def results(arm: dict[str, Any], seed: int) -> dict[str, Any]:
        entries = [{"temperature": t, "value": float(v)} for t, v in zip(TEMPERATURES, values[seed], strict=True)]
        return {"evaluation": {"words": {"value": float(values[seed].mean()), "by_temperature": entries}}}

    return results


def test_a_trend_inside_runs_is_tested_over_runs(weigh_part: Weigh) -> None:
    values = table(2, 3, 3) + 5 * np.arange(3)[:, None] - np.array(TEMPERATURES)
    evidence = only(weigh_part({"falls": "words", "along": "temperature"}, BY_TEMPERATURE, by_temperature(values)))
    slopes = [stats.linregress(TEMPERATURES, of_run).slope for of_run in values]
    assert evidence.p_for == pytest.approx(stats.ttest_1samp(slopes, 0, alternative="less").pvalue)
    assert evidence.n_seeds == 3


def test_a_value_without_logarithm_is_named(weigh_part: Weigh) -> None:
    entries = [{"temperature": t, "value": 1.0} for t in (0, 1)]
    results = lambda arm, seed: {"evaluation": {"words": {"value": 1.0, "by_temperature": entries}}}  # noqa: E731
    part = {"falls": "words", "along": "temperature", "log": True}
    evidence = only(weigh_part(part, BY_TEMPERATURE, results))
    assert evidence.missing == "temperature has no logarithm at 0"


def test_no_evidence_speaks_neither_for_nor_against() -> None:
    nothing = Evidence("here", "", "", 0, None, None, None, None, 1.0, 1.0, "", None, None, "why")
    assert no_evidence("why", "here") == nothing
    assert no_evidence("why").case == ""
    assert nothing.text == "here"
    assert not nothing.decides


ARMS = {name: {"d.dropout": rate, "d.layers": 4} for name, rate in (("a", 0.0), ("b", 0.2), ("c", 0.8))}


def test_a_trend_along_what_named_arms_set(weigh_part: Weigh) -> None:
    values = table(3, 4, 3)
    definition = {"arms": {**ARMS, "d": {"d.layers": 3}}, "quantities": FID}
    part = {"rises": "fid", "along": "dropout", "of": {"layers": 4}}
    evidence = only(weigh_part(part, definition, from_table(values, "arm")))
    expected = stats.linregress(np.repeat([0.0, 0.2, 0.8], 3), values[:3].ravel(), alternative="greater")
    assert evidence.p_for == pytest.approx(expected.pvalue)
    without = only(weigh_part({"rises": "fid", "along": "dropout"}, definition, from_table(values, "arm")))
    assert without.missing == "not every run has a dropout"


# --- comparisons -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "side"), [("lower", "less"), ("higher", "greater")])
@pytest.mark.parametrize(("by", "times"), [(0, 1), (0.3, 1), (0, 1.5), (0.3, 1.5)])
def test_a_comparison_is_welchs(weigh_part: Weigh, kind: str, side: str, by: float, times: float) -> None:
    values = table(4, 2, 3, 3) + 2
    part = {kind: "fid", "of": {"seq_len": 50}, "than": {"seq_len": 20}, "within": "hidden_size"}
    results = from_table(values, "hidden_size", "seq_len")
    weighed = weigh_part({**part, "by": by, "times": times}, {"grid": GRID, "quantities": FID}, results)
    margin = by if kind == "higher" else -by
    for of_size, each in zip(values, weighed.evidence, strict=True):
        one, two = of_size[2] - margin, times * of_size[0]
        assert each.p_for == pytest.approx(stats.ttest_ind(one, two, equal_var=False, alternative=side).pvalue)
        assert each.estimate == pytest.approx(of_size[2].mean() - times * of_size[0].mean())


def test_the_text_of_a_comparison(weigh_part: Weigh) -> None:
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    part = {"lower": "fid", "of": {"arm": "a"}, "than": {"arm": "b"}}
    evidence = only(weigh_part(part, {"arms": {"a": {}, "b": {}}, "quantities": FID}, from_table(values, "arm")))
    assert evidence.text == "a 2.00 ± 2.48; b 5.00 ± 2.48; difference -3.00 [-5.27, -0.73], g = -2.4"
    assert evidence.effect_size == pytest.approx(-3 * (1 - 3 / 15))


def test_each_of_what_is_listed_is_compared(weigh_part: Weigh) -> None:
    part = {"lower": "fid", "of": {"arm": ["a", "b"]}, "than": {"arm": ["c", "d"]}}
    arms = {name: {} for name in "abcd"}
    weighed = weigh_part(part, {"arms": arms, "quantities": FID}, from_table(table(5, 4, 3), "arm"))
    pairs = [[word.split()[0] for word in each.figures.split("; ")] for each in weighed.evidence]
    assert pairs == [["a", "c"], ["a", "d"], ["b", "c"], ["b", "d"]]


def test_runs_are_paired_with_themselves(weigh_part: Weigh) -> None:
    values = table(6, 3, 3) + 5 * np.arange(3)[:, None]
    results, paired = by_temperature(values), stats.ttest_rel
    part = {"higher": "words", "of": {"temperature": 0.4}, "than": {"temperature": "last"}}
    evidence = only(weigh_part(part, BY_TEMPERATURE, results))
    assert evidence.p_for == pytest.approx(paired(values[:, 0], values[:, 2], alternative="greater").pvalue)
    assert evidence.figures.startswith("temperature 0.4 ")
    part = {"lower": "words", "of": {"temperature": 0.8}, "than": "plain", "times": 2}
    evidence = only(weigh_part(part, BY_TEMPERATURE, results))
    expected = paired(values[:, 1], 2 * values.mean(axis=1), alternative="less").pvalue
    assert evidence.p_for == pytest.approx(expected)
    assert evidence.figures.startswith("words ")


def test_what_is_said_of_another_quantitys_axis_does_not_count(weigh_part: Weigh) -> None:
    """Held-out bits have no temperature: they go with the words at the one that is named."""
    part = {"correlates": ["plain", "words"], "sign": "positive", "over": "runs", "of": {"temperature": 0.8}}
    values = table(16, 5, 3)
    definition = {**BY_TEMPERATURE, "seeds": [0, 1, 2, 3, 4]}
    evidence = only(weigh_part(part, definition, by_temperature(values)))
    assert evidence.estimate == pytest.approx(stats.spearmanr(values.mean(axis=1), values[:, 1]).statistic)


WITH_PASSES = {"arms": {"a": {}, "b": {}}, "quantities": FID, "evaluate": {"passes": [1, 2]}}


def with_passes(arm: dict[str, Any], seed: int) -> dict[str, Any]:
    """FID a seed's number above 10 after the first pass (30 for b), 20 (40) after the second, 1 (2) at the end."""
    b = 20 * (arm["arm"] == "b")
    passes = {f"epoch_000{epoch}": {"fid": {"value": 10.0 * epoch + b + seed}} for epoch in (1, 2)}
    return {"evaluation": {"fid": {"value": 1.0 + b / 20 + seed}}, "passes": passes, "max_epochs": 5}


@pytest.mark.parametrize(
    ("of", "difference"),
    [({}, -1), ({"epoch": 1}, -20), ({"epoch": "first"}, -20), ({"epoch": "last"}, -1), ({"epoch": 2}, -20)],
)
def test_what_is_not_said_of_the_epoch_means_the_end(weigh_part: Weigh, of: Any, difference: float) -> None:
    part = {"lower": "fid", "of": {"arm": "a", **of}, "than": {"arm": "b"}}
    assert only(weigh_part(part, WITH_PASSES, with_passes)).estimate == pytest.approx(difference)


def test_along_the_epochs(weigh_part: Weigh) -> None:
    part = {"lower": "fid", "of": {"arm": "a"}, "than": {"arm": "b"}, "within": "epoch"}
    assert [each.case for each in weigh_part(part, WITH_PASSES, with_passes).evidence] == [
        "epoch 1",
        "epoch 2",
        "epoch 5",
    ]
    falls = only(weigh_part({"falls": "fid", "along": "epoch", "of": {"arm": "a"}}, WITH_PASSES, with_passes))
    assert falls.figures.startswith("at 1 11.00 ± 2.48; at 2 21.00")


def reaching(times: dict[str, list[int]], ends: dict[str, int]) -> Any:
    """Runs whose loss falls to 0 at iteration 100 times so many; those of ``ends`` are logged so often."""

    def results(arm: dict[str, Any], seed: int) -> dict[str, Any]:
        name = arm["arm"]
        loss = [0.0 if step >= times[name][seed] else 1.0 for step in range(1, ends[name] + 1)]
        return {"evaluation": {}, "metrics": {"loss": loss}}

    return results


FIRST = {"there": {"logged": "loss", "take": "first_at_most", "threshold": 0.0, "digits": 0}}


def test_what_was_given_up_early_is_not_taken_for_quick(weigh_part: Weigh) -> None:
    """Arm a was given up at 300 in one run: all that can be said is who got there by then."""
    definition = {"arms": {"a": {}, "b": {}}, "quantities": FIRST}
    results = reaching({"a": [2, 1, 99], "b": [5, 4, 6]}, {"a": 3, "b": 10})
    evidence = only(weigh_part({"lower": "there", "of": {"arm": "a"}, "than": {"arm": "b"}}, definition, results))
    assert evidence.estimate == pytest.approx(np.mean([200, 100, 300]) - 300)
    assert "a 200 ± 248 (1 of 3 not reached by the end)" in evidence.figures
    assert not evidence.missing


@pytest.mark.parametrize(("kind", "margin"), [("higher", {"times": 3}), ("higher", {"by": 500}), ("lower", {"by": 50})])
def test_with_a_margin_lower_bounds_speak_one_way(weigh_part: Weigh, kind: str, margin: Any) -> None:
    """Arm a was given up at 300 in all runs: it may take for ever, and nothing says that it is not three times b."""
    definition = {"arms": {"a": {}, "b": {}}, "quantities": FIRST}
    results = reaching({"a": [99, 99, 98], "b": [2, 2, 3]}, {"a": 3, "b": 10})
    there = only(weigh_part({kind: "there", "of": {"arm": "a"}, "than": {"arm": "b"}, **margin}, definition, results))
    back = only(weigh_part({kind: "there", "of": {"arm": "b"}, "than": {"arm": "a"}, **margin}, definition, results))
    below, above = (there.p_against, back.p_for) if kind == "higher" else (there.p_for, back.p_against)
    assert (below, above) == (1.0, 1.0)
    a = 300 - (1 if kind == "higher" else -1) * margin.get("by", 0)
    b = margin.get("times", 1) * np.array([200, 200, 300])
    greater = stats.ttest_1samp(b, a, alternative="less").pvalue  # a has no spread
    assert (there.p_for if kind == "higher" else there.p_against) == pytest.approx(greater)


def test_what_was_given_up_never_speaks_for_a_low_mean(weigh_part: Weigh) -> None:
    definition = {"arms": {"a": {}, "b": {}}, "quantities": FIRST}
    results = reaching({"a": [1, 2, 99], "b": [1, 2, 3]}, {"a": 3, "b": 3})
    near = {"near": "there", "high": 5000}
    assert only(weigh_part({**near, "of": {"arm": "b"}}, definition, results)).p_for < 0.001
    assert only(weigh_part({**near, "of": {"arm": "a"}}, definition, results)).p_for == 1.0
    low = only(weigh_part({"near": "there", "low": 5000, "of": {"arm": "a"}}, definition, results))
    assert (low.p_for, low.p_against) == (pytest.approx(1, abs=1e-3), 1.0)


# --- bounds ------------------------------------------------------------------------------------------------------


def test_a_range_is_two_one_sided_tests(weigh_part: Weigh) -> None:
    values = np.array([[1.8, 2.1, 2.0]])
    definition, results = {"arms": {"a": {}}, "quantities": FID}, from_table(values, "arm")
    evidence = only(weigh_part({"near": "fid", "low": 1.5, "high": 2.4}, definition, results))
    above = stats.ttest_1samp(values[0], 1.5, alternative="greater").pvalue
    below = stats.ttest_1samp(values[0], 2.4, alternative="less").pvalue
    assert evidence.p_for == pytest.approx(max(above, below))
    assert evidence.p_against == pytest.approx(min(1 - above, 1 - below))
    assert evidence.text == "1.97 ± 0.38; mean over 3 runs 1.97 [1.59, 2.35]"
    high = only(weigh_part({"near": "fid", "high": 2.4}, definition, results))
    assert (high.p_for, high.p_against) == (pytest.approx(below), pytest.approx(1 - below))


def test_a_range_is_refuted_where_the_interval_is_wholly_outside(weigh_part: Weigh) -> None:
    values = np.array([[3.0, 3.1, 3.2]])
    for high, refuted in ((2.8, True), (2.9, False)):  # the interval begins at 2.85
        part = {"near": "fid", "low": 1, "high": high}
        weighed = weigh_part(part, {"arms": {"a": {}}, "quantities": FID}, from_table(values, "arm"))
        assert (weighed.p <= 0.05) is refuted
        assert weighed.p_against < weighed.p_for


def test_a_mean_over_arms_counts_runs_and_within_counts_each(weigh_part: Weigh) -> None:
    values = table(7, 2, 3)
    definition, results = {"arms": {"a": {}, "b": {}}, "quantities": FID}, from_table(values, "arm")
    evidence = only(weigh_part({"near": "fid", "low": -1}, definition, results))
    assert evidence.p_for == pytest.approx(stats.ttest_1samp(values.ravel(), -1, alternative="greater").pvalue)
    assert evidence.effect.startswith("mean over 6 runs of 2 arms ")
    each = weigh_part({"near": "fid", "low": -1, "within": "arm"}, definition, results).evidence
    assert [one.case for one in each] == ["a", "b"]
    assert each[1].p_for == pytest.approx(stats.ttest_1samp(values[1], -1, alternative="greater").pvalue)


# --- arms beside each other --------------------------------------------------------------------------------------

TWO = {"fid": {"from": "fid"}, "loss": {"from": "loss", "label": "loss"}}


def two_quantities(values: Any) -> Any:
    """FID ``values[0, arm, seed]`` and loss ``values[1, arm, seed]``, arms by letter."""

    def results(arm: dict[str, Any], seed: int) -> dict[str, Any]:
        fid, loss = (float(each["abcdefgh".index(arm["arm"]), seed]) for each in values)
        return {"evaluation": {"fid": {"value": fid}, "loss": {"value": loss}}}

    return results


def arms(count: int) -> dict[str, Any]:
    return {"arms": {name: {} for name in "abcdefgh"[:count]}, "quantities": TWO}


def test_arms_rank_alike(weigh_part: Weigh) -> None:
    values = table(8, 2, 6, 3)
    for sign in ("positive", "negative"):
        part = {"correlates": ["fid", "loss"], "sign": sign}
        evidence = only(weigh_part(part, arms(6), two_quantities(values)))
        one, two = values.mean(axis=2)
        assert evidence.estimate == pytest.approx(stats.spearmanr(one, two).statistic)
        rhos = np.array([stats.spearmanr(one, way).statistic for way in itertools.permutations(two)])
        beyond = rhos >= evidence.estimate - 1e-9 if sign == "positive" else rhos <= evidence.estimate + 1e-9
        assert evidence.p_for == pytest.approx(beyond.mean())
        assert evidence.n_seeds == 3
    over_runs = only(weigh_part({**part, "over": "runs"}, arms(6), two_quantities(values)))
    flat = stats.spearmanr(values[0].ravel(), values[1].ravel()).statistic
    assert over_runs.estimate == pytest.approx(flat)
    assert over_runs.effect.startswith(f"rho over 18 runs {flat:.2f} [")


def test_arms_that_do_not_rank_alike(weigh_part: Weigh) -> None:
    """Confirmed where the interval lies wholly below ``least``, refuted where wholly above."""
    part = {"correlates": ["fid", "loss"], "sign": "negative", "against": True, "least": 0.6}
    steps = np.arange(8.0)[:, None] + np.zeros(3)
    alike = weigh_part(part, arms(8), two_quantities(np.stack([steps, steps])))
    assert only(alike).low > -0.6
    assert (alike.p < 0.05, alike.p_for < alike.p_against) == (True, True)
    mixed = only(weigh_part(part, arms(8), two_quantities(table(17, 2, 8, 3))))
    error = np.sqrt((1 + mixed.estimate**2 / 2) / 5)
    expected = stats.norm.sf((np.arctanh(mixed.estimate) - np.arctanh(-0.6)) / error)
    assert (mixed.p_for, mixed.p_against) == pytest.approx((expected, 1 - expected))
    contrary = weigh_part({**part, "least": 0.3}, arms(8), two_quantities(np.stack([steps, -steps])))
    assert only(contrary).high < -0.3
    assert (contrary.p < 0.05, contrary.p_for < contrary.p_against) == (True, False)


def test_ranks_that_there_are_not(weigh_part: Weigh) -> None:
    part = {"correlates": ["fid", "loss"], "sign": "positive"}
    few = only(weigh_part(part, arms(3), two_quantities(table(9, 2, 3, 3))))
    assert few.missing == "3 arms cannot be ranked: 4 are needed"
    values = table(9, 2, 5, 3)
    values[1] = 4.0
    assert only(weigh_part(part, arms(5), two_quantities(values))).missing == "loss is the same for all 5 arms"
    still = only(weigh_part(part, {**arms(5), "quantities": {**TWO, **FID}}, two_quantities(values[::-1])))
    assert still.missing == "FID is the same for all 5 arms"


def test_arms_that_cannot_be_told_apart(weigh_part: Weigh) -> None:
    values = np.abs(table(10, 2, 5, 3))
    part = {"indistinct": "fid", "fluctuation": "loss"}
    evidence = only(weigh_part(part, arms(5), two_quantities(values)))
    ratio = values[0].mean(axis=1).var(ddof=1) / values[1].mean()
    within = values[1].ravel()
    below = 2 * 15 * within.mean() ** 2 / within.var(ddof=1)
    assert evidence.estimate == pytest.approx(ratio)
    assert evidence.p_for == pytest.approx(stats.f.cdf(ratio, 4, below))
    assert evidence.p_against == pytest.approx(stats.f.sf(ratio, 4, below))
    assert (evidence.case, evidence.unit) == ("", "")
    still = only(weigh_part(part, arms(5), two_quantities(values * np.array([1, 0])[:, None, None])))
    assert still.missing == "no run fluctuates at all"
    alone = only(weigh_part(part, arms(1), two_quantities(values)))
    assert alone.missing == "a single arm has nothing to differ from"


def test_of_several_quantities_each_says_which_it_is_about(weigh_part: Weigh) -> None:
    parts = [{"correlates": ["fid", "loss"], "sign": "positive"}, {"near": "loss", "low": 0, "within": "arm"}]
    quantities = {"fid": {"from": "fid", "label": "FID"}, "loss": {"from": "loss", "label": "mean loss"}}
    weighed = weigh_part(parts, {**arms(4), "quantities": quantities}, two_quantities(table(12, 2, 4, 3)))
    cases = [evidence.case for evidence in weighed.evidence]
    assert cases == ["FID and mean loss", *(f"mean loss, {arm}" for arm in "abcd")]


# --- what cannot be tested ---------------------------------------------------------------------------------------

PARTS = [
    {"falls": "fid", "along": "seq_len", "of": {"hidden_size": 100}},
    {"lower": "fid", "of": {"seq_len": 50}, "than": {"seq_len": 20}, "within": "hidden_size"},
    {"near": "fid", "low": 0},
    {"correlates": ["fid", "fid"], "sign": "positive"},
    {"indistinct": "fid", "fluctuation": "fid"},
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_one_or_two_seeds_never_decide(weigh_part: Weigh, part: Any, seeds: list[int]) -> None:
    definition = {"grid": GRID, "quantities": FID, "seeds": seeds}
    weighed = weigh_part(part, definition, from_table(1 + table(11, 2, 3, 3) ** 2, "hidden_size", "seq_len"))
    assert not weighed.decides
    assert weighed.missing == f"3 seeds are needed in every cell; the smallest has {len(seeds)}"
    assert 0 <= weighed.p <= 1


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_value_that_is_missing_is_named(weigh_part: Weigh, part: Any, bad: float | None) -> None:
    good = from_table(1 + table(12, 2, 3, 4) ** 2, "hidden_size", "seq_len")

    def results(arm: dict[str, Any], seed: int) -> dict[str, Any]:
        broken = (arm["hidden_size"], arm["seq_len"], seed) == (100, 50, 3)
        return {"evaluation": {"fid": {"value": bad}}} if broken else dict(good(arm, seed))

    weighed = weigh_part(part, {"grid": GRID, "quantities": FID, "seeds": [0, 1, 2, 3]}, results)
    assert not weighed.decides
    assert "hidden_size=100,seq_len=50,seed=3 (not measured)" in weighed.missing
    assert weighed.n_seeds == 3


@pytest.mark.parametrize("part", PARTS)
def test_nothing_at_all_is_no_crash(weigh_part: Weigh, part: Any) -> None:
    weighed = weigh_part(part, {"grid": GRID, "quantities": FID}, lambda arm, seed: None)
    assert (weighed.decides, weighed.is_tested, weighed.p, weighed.n_seeds) == (False, False, 1.0, 0)
    assert "(waiting)" in weighed.missing


@pytest.mark.parametrize("part", PARTS)
def test_seeds_that_agree_to_the_last_digit(weigh_part: Weigh, part: Any) -> None:
    values = np.repeat(table(13, 2, 3, 1) ** 2 + 1, 3, axis=2)
    weighed = weigh_part(part, {"grid": GRID, "quantities": FID}, from_table(values, "hidden_size", "seq_len"))
    assert weighed.decides
    assert 0 < weighed.p <= 1


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ({"lower": "fid", "of": {"seq_len": 50}, "than": {"seq_len": 20}}, "leaves open which hidden size it means"),
        ({"falls": "fid", "along": "seq_len"}, "the claim leaves open which hidden size it means"),
        ({"falls": "fid", "along": "seq_len", "of": {"hidden_size": 99}}, "no run with hidden size 99 has fid"),
        ({"falls": "fid", "along": "seq_len", "of": {"hidden_size": 100, "seq_len": 20}}, "at one value of seq_len"),
        ({"lower": "fid", "of": {"seq_len": "last"}, "than": {"seq_len": 50}, "within": "hidden_size"}, "themselves"),
        ({"near": "fid", "low": 0, "within": "dropout"}, "not every run has a dropout"),
    ],
)
def test_what_the_runs_do_not_answer(weigh_part: Weigh, part: Any, missing: str) -> None:
    results = from_table(table(14, 2, 3, 3), "hidden_size", "seq_len")
    assert missing in weigh_part(part, {"grid": GRID, "quantities": FID}, results).missing


def test_a_side_that_one_group_lacks_is_named(weigh_part: Weigh) -> None:
    """Two named arms by hidden size, of which b was not run at 256."""
    definition = {"arms": {"a": {"h": 1}, "b": {"h": 1}, "c": {"h": 2}}, "quantities": FID}
    part = {"lower": "fid", "of": {"arm": ["a", "c"]}, "than": {"arm": "b"}, "within": "h"}
    weighed = weigh_part(part, definition, from_table(table(15, 3, 3), "arm"))
    assert [(each.case, each.missing) for each in weighed.evidence] == [
        ("h 1", ""),
        ("h 2", "only one side of the comparison has runs"),
        ("h 1", "only one side of the comparison has runs"),
    ]


def test_the_leading_part_is_the_one_that_decides(weigh_part: Weigh) -> None:
    values = np.array([[0.0, 0.1, 0.2], [1.0, 1.4, 1.2], [9.0, 9.3, 9.1], [0.1, 0.2, 0.0]])
    definition = {"arms": {name: {} for name in "abcd"}, "quantities": FID}
    towards = {"lower": "fid", "of": {"arm": "a"}, "than": {"arm": ["b", "c"]}}
    weighed = weigh_part(towards, definition, from_table(values, "arm"))
    assert weighed.leading == weighed.evidence[0]
    assert weighed.seeds_needed(1e-6) is not None
    against = [towards, {"lower": "fid", "of": {"arm": "c"}, "than": {"arm": "a"}}]
    weighed = weigh_part(against, definition, from_table(values, "arm"))
    assert weighed.leading == weighed.evidence[2]
    assert weighed.p_against == pytest.approx(3 * weighed.evidence[2].p_against)
    alone = weigh_part(against[1], definition, from_table(values, "arm"))
    levels = 10.0 ** -np.arange(7, 20)
    needed = [alone.seeds_needed(level) for level in levels]
    assert [weighed.seeds_needed(3 * level) for level in levels] == needed
    assert [alone.seeds_needed(3 * level) for level in levels] != needed
