"""A study's definition: the budget over it, its fields checked one by one, and the jobs it asks for."""

import re
from typing import Any

import pytest

from genlab.studies.study import IN_A_BUDGET, Study, at_budget, read_definition, run_name

PLAIN: dict[str, Any] = {"question": "Which?", "experiment": "char_rnn"}


def refused(rule: str, path: str) -> str:
    """A pattern for the whole of an error's line."""
    return f"^`{re.escape(rule)}.*\\({re.escape(path)}\\)$"


def test_what_a_file_leaves_out_is_empty_and_three_seeds() -> None:
    empty: dict[str, Any] = {"samples": [], "figures": [], "table": []}
    fields = ("claims", "quantities", "settings", "grid", "arms", "judge", "reader", "witness", "evaluate", "search")
    expected = Study("Which?", "char_rnn", seeds=[0, 1, 2], **empty, **{name: {} for name in fields})
    assert read_definition(PLAIN) == expected
    assert read_definition({**PLAIN, **dict.fromkeys(empty), **dict.fromkeys(fields)}) == expected


def test_fields_are_kept_and_the_table_is_of_every_quantity_unless_named() -> None:
    given: dict[str, Any] = {
        "quantities": {
            "bits": {"from": "bits_per_char", "label": "bits/char"},
            "words": {"from": "valid_words", "label": "valid words"},
        },
        "settings": {"data.corpus": "tiny"},
        "arms": {"plain": {"optimizer": "sgd"}},
        "judge": {"experiment": "classifier"},
        "reader": {"experiment": "classifier_lenet"},
        "witness": {"experiment": "classifier_small"},
        "evaluate": {"measures": ["bits_per_char"]},
        "samples": [{"length": 10}],
        "figures": [{"lines": "bits", "along": "lr"}],
        "search": {"optimizer.lr": {"low": 0.1, "high": 1.0}},
        "seeds": [4, 2],
    }
    study = read_definition({**PLAIN, **given})
    for key, value in given.items():
        assert getattr(study, key) == value, key
    assert study.table == ["bits", "words"]
    assert read_definition({**PLAIN, **given, "table": ["words"]}).table == ["words"]


def test_jobs_are_every_arm_seed_by_seed() -> None:
    grid = {"data.seq_len": [20, 30], "optimizer.lr": [0.1]}
    arms = {"a": {"optimizer": "sgd"}, "b": {"optimizer": "adam"}}
    study = read_definition({**PLAIN, "settings": {"x": 1}, "grid": grid, "arms": arms, "seeds": [5, 3]})
    jobs = study.jobs()
    assert study.axes() == ["arm", "seq_len", "lr"]
    assert [job.number for job in jobs] == list(range(8))
    assert [job.seed for job in jobs] == [5] * 4 + [3] * 4
    assert [job.first for job in jobs] == [True] * 4 + [False] * 4
    assert [(job.arm["arm"], job.arm["seq_len"]) for job in jobs] == [("a", 20), ("a", 30), ("b", 20), ("b", 30)] * 2
    assert jobs[1].arm == {"arm": "a", "seq_len": 30, "lr": 0.1}
    assert jobs[1].name == "a,seq_len=30,lr=0.1,seed=5"
    changes = {"experiment": "char_rnn", "x": 1, "optimizer": "sgd", "data.seq_len": 30, "optimizer.lr": 0.1, "seed": 5}
    assert jobs[1].overrides == changes


def test_a_study_without_grid_or_arms_is_one_run_a_seed() -> None:
    study = read_definition(PLAIN)
    assert study.axes() == []
    assert [(job.name, job.arm) for job in study.jobs()] == [(f"seed={seed}", {}) for seed in range(3)]


def test_what_is_closer_to_the_run_wins() -> None:
    """An arm over the study's settings, and the grid over an arm."""
    definition = {**PLAIN, "settings": {"a": 1, "b": 1, "c": 1}, "arms": {"x": {"b": 2, "c": 2}}, "grid": {"c": [3]}}
    overrides = read_definition(definition).jobs()[0].overrides
    assert (overrides["a"], overrides["b"], overrides["c"]) == (1, 2, 3)


def test_a_name_is_fit_for_a_folder() -> None:
    assert run_name({"lr": 0.1, "seed": 0}) == "lr=0.1,seed=0"
    assert run_name({"arm": "two words", "text": "a/b:*c", "seed": 1}) == "two_words,text=a_b_c,seed=1"
    assert run_name({"keep": "Az_.=+-9"}) == "keep=Az_.=+-9"


def test_a_budget_adds_to_settings_and_evaluation_and_replaces_the_rest() -> None:
    definition = {
        **PLAIN,
        "settings": {"a": 1, "b": 1},
        "evaluate": {"measures": ["x"], "settings": {"x.count": 5, "x.length": 9}},
        "grid": {"lr": [1, 2]},
        "budgets": {
            "quick": {"settings": {"b": 2}, "evaluate": {"settings": {"x.count": 2}}, "grid": {"size": [3]}},
            "full": None,
        },
    }
    quick = at_budget(definition, "quick")
    assert quick["settings"] == {"a": 1, "b": 2}
    assert quick["evaluate"] == {"measures": ["x"], "settings": {"x.count": 2, "x.length": 9}}
    assert quick["grid"] == {"size": [3]}
    assert definition["settings"] == {"a": 1, "b": 1}
    left = {key: value for key, value in definition.items() if key != "budgets"}
    assert at_budget(definition, "full") == left


def test_a_budget_may_name_what_the_study_lacks_and_leave_empty_what_it_names() -> None:
    definition = {**PLAIN, "evaluate": {"a": 1}, "budgets": {"quick": {"settings": {"b": 2}, "evaluate": None}}}
    assert at_budget(definition, "quick") == {**PLAIN, "settings": {"b": 2}, "evaluate": {"a": 1}}


def test_a_mapping_takes_the_place_of_a_value_and_a_value_that_of_a_mapping() -> None:
    definition = {"settings": {"a": 1, "b": {"c": 2}}, "budgets": {"quick": {"settings": {"a": {"d": 3}, "b": 4}}}}
    assert at_budget(definition, "quick") == {"settings": {"a": {"d": 3}, "b": 4}}


def test_budgets_and_their_fields_are_checked() -> None:
    definition = {**PLAIN, "budgets": {"quick": {"setings": {}}, "smoke": {}}}
    with pytest.raises(ValueError, match=r"^`budget` must be one of quick, smoke; got 'fast' \(budget\)$"):
        at_budget(definition, "fast")
    rule = f"budgets` must hold {', '.join(IN_A_BUDGET)}; got 'setings'"
    with pytest.raises(ValueError, match=refused(rule, "study.budgets.quick; did you mean settings?")):
        at_budget(definition, "quick")
    with pytest.raises(ValueError, match=r"^`budget` must be one of"):
        at_budget(PLAIN, "quick")


@pytest.mark.parametrize(
    ("change", "rule", "path"),
    [
        ({"grids": {}}, "study` must hold question, experiment, claims, ", "study; did you mean grid?"),
        ({"question": None}, "question` must be a text; got None", "study.question"),
        ({"experiment": 3}, "experiment` must be a text; got 3", "study.experiment"),
        ({"seeds": []}, "seeds` must be a list of seeds; got []", "study.seeds"),
        ({"seeds": "12"}, "seeds` must be a list of seeds; got '12'", "study.seeds"),
        ({"seeds": 3}, "seeds` must be a list of seeds; got 3", "study.seeds"),
        ({"seeds": [0, -1]}, "seeds` must be an integer >= 0; got -1", "study.seeds"),
        ({"seeds": [1, 1]}, "seeds` must differ from each other; got [1, 1]", "study.seeds"),
        ({"grid": {"lr": []}}, "grid` must be a list of values for every key; got []", "study.grid.lr"),
        ({"grid": {"lr": 3}}, "grid` must be a list of values for every key; got 3", "study.grid.lr"),
        ({"grid": {"lr": [1, 1]}}, "grid` must have axes and values that differ", "study.grid"),
        ({"grid": {"a.lr": [1], "b.lr": [2]}}, "grid` must have axes and values that differ", "study.grid"),
    ],
)
def test_a_field_that_cannot_be_so_is_refused_in_one_line(change: dict[str, Any], rule: str, path: str) -> None:
    with pytest.raises(ValueError, match=refused(rule, path)):
        read_definition({**PLAIN, **change})


def test_a_missing_question_and_wrong_quantities_and_claims_are_refused() -> None:
    with pytest.raises(ValueError, match=refused("question` must be a text; got None", "study.question")):
        read_definition({"experiment": "char_rnn"})
    with pytest.raises(ValueError, match=r"study\.quantities"):
        read_definition({**PLAIN, "quantities": {"bits": {"form": "bits_per_char"}}})
    with pytest.raises(ValueError, match=r"study\.claims"):
        read_definition({**PLAIN, "claims": {"R1": {}}})
