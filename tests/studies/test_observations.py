"""From runs to observations and cells: passes, entries of a result, runs that have nothing, means over seeds."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from genlab.studies.folder import StudyRecord
from genlab.studies.observations import Cell, Observation, observe, rows, summarise

MakeStudy = Callable[..., StudyRecord]
GRID = {"model.hidden_size": [10, 20]}


def value(arm: dict[str, Any], seed: int) -> float:
    return arm["hidden_size"] + 0.5 * seed**2


def results(arm: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"evaluation": {"fid": {"value": value(arm, seed)}}, "metrics": {"train/loss": [3.0, 2.0, 1.0 + seed]}}


def by_place(observations: list[Observation]) -> dict[Any, dict[str, float | None]]:
    return {tuple(each.at.values()): each.values for each in observations}


def test_one_observation_a_job_with_its_values(make_study: MakeStudy) -> None:
    quantities = {
        "fid": {"from": "fid"},
        "loss": {"logged": "train/loss", "take": "last"},
        "there": {"logged": "train/loss", "take": "first_at_most", "threshold": 1.0},
    }
    observations = observe(make_study({"grid": GRID, "quantities": quantities}, results))
    assert [(each.arm["hidden_size"], each.seed) for each in observations[:3]] == [(10, 0), (20, 0), (10, 1)]
    second = observations[2]
    assert second.values == {"fid": 10.5, "loss": 2.0, "there": 300.0}
    assert (second.censored, second.final, second.at, second.state) == ({"there"}, True, {}, "done")
    assert observations[0].censored == frozenset()


def test_runs_that_are_not_done_have_no_values(make_study: MakeStudy) -> None:
    def some(arm: dict[str, Any], seed: int) -> dict[str, Any] | None:
        if seed == 0:
            return None
        return {**results(arm, seed), "state": "failed" if seed == 1 else "done"}

    definition = {"grid": GRID, "quantities": {"fid": {"from": "fid"}, "l": {"logged": "train/loss", "take": "last"}}}
    observations = observe(make_study(definition, some))
    assert [each.state for each in observations] == ["waiting"] * 2 + ["failed"] * 2 + ["done"] * 2
    assert [each.values["l"] for each in observations] == [None] * 4 + [3.0] * 2
    cell = summarise(observations, "fid")[0]
    assert (cell.n, cell.values, cell.seeds, cell.half) == (1, (12.0,), (2,), None)
    assert cell.missing == ("hidden_size=10,seed=0 (waiting)", "hidden_size=10,seed=1 (failed)")


PASSES = {
    "quantities": {
        "fid": {"from": "fid"},
        "loss": {"logged": "l", "take": "last"},
        "epochs": {"from": "fid", "take": "first_at_most", "threshold": 5},
    },
    "evaluate": {"passes": [1, 2, 4, 9]},
    "seeds": [0],
}


def with_passes(arm: dict[str, Any], seed: int) -> dict[str, Any]:
    passes = {f"epoch_000{epoch}": {"fid": {"value": 10.0 - epoch}} for epoch in (1, 2, 3)}
    return {"evaluation": {"fid": {"value": 5.0}}, "passes": passes, "metrics": {"l": [1.0]}, "max_epochs": 4}


def test_passes_are_places_and_the_end_of_training_is_the_last(make_study: MakeStudy) -> None:
    observations = observe(make_study(PASSES, with_passes))
    assert by_place(observations) == {
        (1,): {"fid": 9.0},
        (2,): {"fid": 8.0},
        (4,): {"fid": 5.0, "loss": 1.0, "epochs": 4.0},
    }
    assert [each.final for each in observations] == [False, False, True]


def test_what_the_end_was_not_measured_at_comes_from_its_pass(make_study: MakeStudy) -> None:
    passes = {"epoch_0004": {"fid": {"value": 6.0}, "recall": {"value": 0.5}}}
    quantities = {"fid": {"from": "fid"}, "recall": {"from": "recall"}}
    study = make_study(
        {**PASSES, "quantities": quantities}, lambda arm, seed: {**with_passes(arm, seed), "passes": passes}
    )
    assert by_place(observe(study))[4,] == {"fid": 5.0, "recall": 0.5}


def test_a_job_without_a_run_ends_where_the_others_do(make_study: MakeStudy) -> None:
    def first_alone(arm: dict[str, Any], seed: int) -> dict[str, Any] | None:
        return with_passes(arm, seed) if seed == 0 else None

    observations = observe(make_study({**PASSES, "seeds": [0, 1]}, first_alone))
    cells = summarise(observations, "fid")
    assert [(cell.at["epoch"], cell.n, len(cell.missing)) for cell in cells] == [(1, 1, 1), (2, 1, 1), (4, 1, 1)]
    assert [each.at for each in observe(make_study(PASSES, lambda arm, seed: None))][-1] == {"epoch": None}


def test_passes_need_a_run_that_counts_them(make_study: MakeStudy) -> None:
    study = make_study(PASSES, lambda arm, seed: {**with_passes(arm, seed), "max_epochs": -1})
    with pytest.raises(
        ValueError, match=r"`max_epochs` must be an integer >= 1; got -1 \(trainer.max_epochs in .*yaml"
    ):
        observe(study)


def test_a_pass_that_misses_the_threshold_is_censored_at_the_end(make_study: MakeStudy) -> None:
    quantities = {"epochs": {"from": "fid", "take": "first_at_most", "threshold": 1}}
    (found,) = [each for each in observe(make_study({**PASSES, "quantities": quantities}, with_passes)) if each.values]
    assert (found.values, found.censored) == ({"epochs": 4.0}, {"epochs"})


def test_entries_are_places_that_quantities_of_one_axis_share(make_study: MakeStudy) -> None:
    def by_temperature(arm: dict[str, Any], seed: int) -> dict[str, Any]:
        words = [{"temperature": t, "value": t + seed} for t in (0.4, 1.4)]
        others = [{"temperature": t, "value": -t} for t in (0.4, 0.8)]
        evaluation = {"words": {"value": 7.0, "list": words}, "distinct": {"value": 1.0, "list": others}}
        return {"evaluation": evaluation}

    quantities = {
        "plain": {"from": "words"},
        "words": {"from": "words", "each": "list.temperature"},
        "distinct": {"from": "distinct", "each": "list.temperature"},
    }
    definition = {"quantities": quantities, "seeds": [0, 1]}
    study = make_study(definition, lambda arm, seed: None if seed else by_temperature(arm, seed))
    observations = observe(study)
    assert by_place(observations[:4]) == {
        (): {"plain": 7.0},
        (0.4,): {"words": 0.4, "distinct": -0.4},
        (1.4,): {"words": 1.4},
        (0.8,): {"distinct": -0.8},
    }
    assert by_place(observations[4:])[0.4,] == {"words": None, "distinct": None}
    assert [cell.missing for cell in summarise(observations, "words")] == [("seed=1 (waiting)",)] * 2


def test_named_arms_carry_what_they_set(make_study: MakeStudy) -> None:
    arms = {"none": {"model.discriminator.dropout": 0.0}, "some": {"model.discriminator.dropout": 0.4}}
    definition = {"arms": arms, "quantities": {"fid": {"from": "fid"}}, "seeds": [0]}
    observations = observe(make_study(definition, lambda arm, seed: {"evaluation": {"fid": {"value": 1.0}}}))
    assert [each.coordinates for each in observations] == [
        {"dropout": 0.0, "arm": "none"},
        {"dropout": 0.4, "arm": "some"},
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"from": "fid.vaule"},
            r"`from` must name a field of fid.json \(value\); got 'vaule' \(study.quantities.x.from",
        ),
        (
            {"from": "fid", "each": "by_t.t"},
            r"`each` must name a list in fid.json; got 'by_t' \(study.quantities.x.each",
        ),
        (
            {"logged": "train/los", "take": "last"},
            r"must be one of train/loss; got 'train/los' .*did you mean train/loss",
        ),
    ],
)
def test_what_no_run_has_is_a_mistake(make_study: MakeStudy, content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        observe(make_study({"grid": GRID, "quantities": {"x": content}}, results))


def test_what_some_runs_lack_is_missing(make_study: MakeStudy) -> None:
    """A VAE has no discriminator, a GAN no bound: no mistake of the study."""

    def either(arm: dict[str, Any], seed: int) -> dict[str, Any]:
        if arm["hidden_size"] == 10:
            return {"evaluation": {"elbo": {"value": -90.0}}, "metrics": {"kl": [1.0]}}
        return {"evaluation": {"fid": {"value": 1.0}}, "metrics": {"loss": [2.0]}}

    quantities = {"elbo": {"from": "elbo"}, "kl": {"logged": "kl", "take": "last"}}
    observations = observe(make_study({"grid": GRID, "quantities": quantities, "seeds": [0]}, either))
    assert [each.values for each in observations] == [{"elbo": -90.0, "kl": 1.0}, {"elbo": None, "kl": None}]
    assert observe(make_study({"quantities": {"x": {"from": "not_measured"}}}, lambda arm, seed: None))


def test_cells_are_means_with_t_intervals(make_study: MakeStudy) -> None:
    definition = {"grid": GRID, "quantities": {"fid": {"from": "fid"}}, "seeds": [3, 0, 1]}
    cells = summarise(observe(make_study(definition, results)), "fid")
    assert [cell.arm for cell in cells] == [{"hidden_size": 10}, {"hidden_size": 20}]
    values = [value({"hidden_size": 20}, seed) for seed in (0, 1, 3)]
    cell = cells[1]
    assert (cell.n, cell.seeds, cell.values) == (3, (0, 1, 3), tuple(values))
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert (cell.mean, cell.sd) == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    assert cell.half == pytest.approx((high - low) / 2)


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        ([], (0, None, None, None)),
        ([0.3], (1, 0.3, None, None)),
        ([0.3, 0.3, 0.3], (3, 0.3, 0.0, 0.0)),  # exactly, though their sum is rounded
    ],
)
def test_small_and_even_cells(make_study: MakeStudy, values: list[float], cell: Any) -> None:
    def of(arm: dict[str, Any], seed: int) -> dict[str, Any] | None:
        return {"evaluation": {"fid": {"value": values[seed]}}} if seed < len(values) else None

    (found,) = summarise(observe(make_study({"quantities": {"fid": {"from": "fid"}}}, of)), "fid")
    assert (found.n, found.mean, found.sd, found.half) == cell
    assert len(found.missing) == 3 - len(values)


def test_a_cell_counts_what_was_never_reached(make_study: MakeStudy) -> None:
    quantities = {"there": {"logged": "train/loss", "take": "first_at_most", "threshold": 1.0}}
    (cell, _) = summarise(observe(make_study({"grid": GRID, "quantities": quantities}, results)), "there")
    assert (cell.values, cell.censored, cell.horizon) == ((300.0, 300.0, 300.0), 2, 300.0)


def test_rows_are_flat_and_all_alike(make_study: MakeStudy) -> None:
    definition = {**PASSES, "grid": {"optimizer.lr": [0.1]}}
    assert rows(observe(make_study(definition, with_passes))) == [
        {"lr": 0.1, "epoch": 1, "seed": 0, "fid": 9.0, "loss": None, "epochs": None},
        {"lr": 0.1, "epoch": 2, "seed": 0, "fid": 8.0, "loss": None, "epochs": None},
        {"lr": 0.1, "epoch": 4, "seed": 0, "fid": 5.0, "loss": 1.0, "epochs": 4.0},
    ]
    assert rows([]) == []


def test_nothing_is_no_cell() -> None:
    found: list[Cell] = summarise([], "fid")
    assert found == []
