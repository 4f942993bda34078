"""A search: what it is of, what it refuses, and how it is gone on with."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from tests.run.conftest import Genlab

from genlab.run import search as searching
from genlab.run import study_plan
from genlab.run.search_plan import planned_trial, read_search
from genlab.run.study_job import Ended
from genlab.run.study_plan import PlannedJob, load_definition

pytestmark = pytest.mark.minutes

LR = ("search", "study=rnn_lr", "budget=smoke")
QUICKEST = ("trainer.max_steps=20", "model.engine=torch", "data.windows_per_step=10", "model.hidden_size=8")
MONITORED = {
    "classifier": ("val/loss", "minimize", "minimum"),
    "rnn_capacity": ("val/bits_per_char", "minimize", "last"),
    "rnn_lr": ("val/bits_per_char", "minimize", "last"),
    "rnn_optimizer": ("val/bits_per_char", "minimize", "last"),
    "vae_latent": ("val/elbo", "maximize", "maximum"),
}
"""Of each study with ranges, but the GAN's: what a search is of, which way, and which value of a run counts."""

Defined = Callable[..., None]


@pytest.fixture
def defined(monkeypatch: pytest.MonkeyPatch) -> Defined:
    """Have every study's file say something else of a search."""

    def define(**ranges: Any) -> None:
        monkeypatch.setattr(study_plan, "load_definition", lambda name: {**load_definition(name), "search": ranges})

    return define


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """Trials without runs, whose value is their learning rate; the states of those that do not end well, by number."""
    states: dict[int, str] = {}

    def value(folder: Path, planned: PlannedJob, objective: str) -> float:
        return float(planned.config["optimizer"]["lr"])

    monkeypatch.setattr(searching, "run_job", lambda folder, key: Ended(states.get(int(key), "done"), "so", 0.1))
    monkeypatch.setattr(searching, "_value", value)
    return states


def trials(place: Path, study: str = "rnn_lr") -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{place}/runs/{study}/search-smoke/search.db"
    return optuna.load_study(study_name="search", storage=storage).trials


def rates(place: Path, state: str = "COMPLETE") -> list[float]:
    return [trial.params["optimizer.lr"] for trial in trials(place) if trial.state.name == state]


# --- what is looked for ------------------------------------------------------------------------------------------


def test_a_search_is_of_what_runs_monitor_on_held_out_data(place: Path) -> None:
    asked = {
        file.stem for file in study_plan.config_dir().glob("study/*.yaml") if load_definition(file.stem).get("search")
    }
    assert asked == {*MONITORED, "gan_lr"}
    for study, (objective, direction, take) in MONITORED.items():
        search = read_search([f"study={study}", "budget=smoke"])
        assert (search.objective, search.direction, search.on_test_images) == (objective, direction, False)
        assert search.plan.definition["quantities"][objective]["take"] == take
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("study", "objective"), [("classifier", "accuracy"), ("vae_latent", "elbo"), ("vae_latent", "fid")]
)
def test_nothing_is_tuned_on_the_test_set(study: str, objective: str, genlab: Genlab, place: Path) -> None:
    answer = genlab("search", f"study={study}", "budget=smoke", f"objective={objective}")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "`objective` must be a figure on held-out data, such as val/" in answer.err
    assert f"nothing is tuned on the test set; got '{objective}' (objective)" in answer.err
    assert not list(place.iterdir())


def test_a_studys_file_cannot_tune_on_the_test_set_either(defined: Defined, genlab: Genlab) -> None:
    defined(**{"optimizer.lr": {"low": 0.001, "high": 0.01}, "objective": "accuracy"})
    assert "got 'accuracy' (study.search.objective)" in genlab("search", "study=classifier", "budget=smoke").err


def test_the_held_out_text_is_no_test_set(place: Path) -> None:
    search = read_search(["study=rnn_lr", "budget=smoke", "objective=valid_words"])
    assert (search.objective, search.direction, search.on_test_images) == ("valid_words", "maximize", False)


def test_a_gan_is_searched_by_test_images_only_if_that_is_typed(genlab: Genlab, place: Path) -> None:
    answer = genlab("search", "study=gan_lr", "budget=smoke")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "dcgan monitors nothing on held-out data, and objective=fid or" in answer.err
    assert not list(place.iterdir())
    search = read_search(["study=gan_lr", "budget=smoke", "objective=fid"])
    assert (search.objective, search.direction, search.on_test_images) == ("fid", "minimize", True)


def test_a_trials_value_is_the_last_on_the_held_out_text(genlab: Genlab, place: Path) -> None:
    answer = genlab(*LR, *QUICKEST, "trials=1")
    assert answer.code == 0, answer
    (trial,) = trials(place)
    with (place / "runs/rnn_lr/search-smoke/trial-0000/metrics.csv").open() as file:
        logged = [row["val/bits_per_char"] for row in csv.DictReader(file) if row["val/bits_per_char"]]
    assert trial.value == float(logged[-1])
    assert f"best val/bits_per_char: {trial.value:.4g} with optimizer.lr=" in answer.out


# --- classifiers -------------------------------------------------------------------------------------------------


def test_the_judge_is_trained_before_the_trials(genlab: Genlab, place: Path) -> None:
    words = ("search", "study=gan_lr", "budget=smoke", "objective=fid")
    answer = genlab(*words, "trials=1")
    assert answer.code == 0, answer
    assert "before all trials: the classifier that judges" in answer.out
    assert "fid is measured on test images, which these values were chosen by: it is no test figure" in answer.out
    (judge,) = (place / "runs/judge").iterdir()
    assert json.loads((judge / "status.json").read_text())["state"] == "done"
    assert [trial.state.name for trial in trials(place, "gan_lr")] == ["COMPLETE"]
    again = genlab(*words, "trials=2")
    assert again.code == 0
    assert "before all trials" not in again.out
    assert [trial.state.name for trial in trials(place, "gan_lr")] == ["COMPLETE"] * 2


def test_no_trial_is_begun_without_its_judge(genlab: Genlab, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "run_job", lambda folder, key: Ended("failed", f"{key} is not to be had", 0.1))
    answer = genlab("search", "study=gan_lr", "budget=smoke", "objective=fid", "trials=1")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "the classifier that judges: judge is not to be had" in answer.err
    assert trials(place, "gan_lr") == []


# --- gone on with ------------------------------------------------------------------------------------------------


def test_a_search_that_was_stopped_tries_other_values_than_before(
    genlab: Genlab, place: Path, monkeypatch: pytest.MonkeyPatch, untrained: dict[int, str]
) -> None:
    untrained[3] = "interrupted"
    assert genlab(*LR, "trials=24").code == 130
    (stopped,) = rates(place, "RUNNING")
    first = rates(place)
    assert len(first) == 3
    assert genlab(*LR, "trials=8").code == 0
    found = rates(place)
    assert found[:4] == [*first, stopped]  # what was stopped is tried again, and nothing else
    assert len(set(found)) == len(found) == 8


def test_a_search_in_two_parts_is_that_of_one(
    genlab: Genlab, place: Path, monkeypatch: pytest.MonkeyPatch, untrained: dict[int, str]
) -> None:
    found = []
    for parts in (("trials=6",), ("trials=4", "trials=6")):
        monkeypatch.setenv("GENLAB_RUNS", str(place / parts[0] / "runs"))
        assert {genlab(*LR, part).code for part in parts} == {0}
        found.append(rates(place / parts[0]))
    assert found[0] == found[1]


def test_failures_of_an_earlier_session_are_not_counted(genlab: Genlab, place: Path, untrained: dict[int, str]) -> None:
    untrained |= dict.fromkeys(range(6), "failed")
    answer = genlab(*LR, "trials=2")
    assert (answer.code, answer.out.count(": failed: so")) == (1, 6)
    assert "6 trials failed" in answer.err
    assert genlab(*LR, "trials=2").code == 0
    assert len(rates(place)) == 2
    untrained |= dict.fromkeys(range(8, 99), "failed")
    answer = genlab(*LR, "trials=3")
    assert (answer.code, answer.out.count(": failed: so")) == (1, 6)
    assert len({*rates(place, "FAIL"), *rates(place)}) == len(trials(place)) == 14


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            ["model.dropout=0.1"],
            "`model.dropout` must be left out as in the trials that are there (to search otherwise",
        ),
        (["trainer.max_steps=7"], "`trainer.max_steps` must be 200 as in the trials"),
        (["objective=valid_words"], "`objective` must be 'val/bits_per_char' as in the trials"),
        (["objective=entropy_falls"], "`objective` must be one of"),
    ],
)
def test_trials_of_another_search_are_not_mixed_in(
    changed: list[str], said: str, genlab: Genlab, place: Path, untrained: dict[int, str]
) -> None:
    assert genlab(*LR, "trials=2").code == 0
    answer = genlab(*LR, "trials=3", *changed)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err
    assert len(trials(place)) == 2
    assert genlab(*LR, "trials=3", "seed=1").code == 0
    assert len(trials(place)) == 3


def test_trials_within_another_range_are_not_mixed_in(
    genlab: Genlab, place: Path, untrained: dict[int, str], defined: Defined
) -> None:
    assert genlab(*LR, "trials=2").code == 0
    defined(**{"optimizer.lr": {"low": 1.0e-4, "high": 1.0, "log": True}})
    answer = genlab(*LR, "trials=3")
    assert answer.code == 2
    assert "`optimizer.lr` must be {'low': 0.0001, 'high': 0.1, 'log': True} as in the trials that are" in answer.err
    assert "(study.search.optimizer.lr)" in answer.err
    assert f"move {place / 'runs/rnn_lr/search-smoke'} away or set GENLAB_RUNS" in answer.err
    assert len(trials(place)) == 2


def test_trials_of_an_unknown_search_are_left_alone(genlab: Genlab, place: Path, untrained: dict[int, str]) -> None:
    folder = place / "runs/rnn_lr/search-smoke"
    folder.mkdir(parents=True)
    study = optuna.create_study(storage=f"sqlite:///{folder}/search.db", study_name="search")
    study.add_trial(optuna.trial.create_trial(value=1.0))
    answer = genlab(*LR, "trials=3")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "`study` must have trials that say what they have in common" in answer.err
    assert len(trials(place)) == 1


# --- what is typed, and what the file says -----------------------------------------------------------------------


def test_what_is_typed_is_of_every_trial_also_where_the_study_has_a_grid_of_it(place: Path) -> None:
    search = read_search(["study=rnn_lr", "budget=smoke", "model.hidden_size=7", "model.init=normal"])
    config = planned_trial(search.plan, 0, {"optimizer.lr": 0.5}).config
    assert (config["model"]["hidden_size"], config["model"]["init"]) == (7, "normal")
    assert (config["optimizer"]["lr"], config["seed"]) == (0.5, search.plan.study.seeds[0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer.lr=0.1"], "`optimizer.lr` must be left to the search"),
        (["model.hidden_size=7,8"], "`model.hidden_size` must have one value"),
        (["dry_run=true"], "`dry_run` must be left out"),
        (["hydra/launcher=joblib"], "`hydra/launcher` must be left out"),
        (["trials=none"], "`trials` must be an integer >= 1"),
        (["model.hiden_size=7"], "model.hiden_size: no such key; did you mean model.hidden_size?"),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(words: list[str], said: str, genlab: Genlab, place: Path) -> None:
    answer = genlab(*LR, *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    ("key", "given", "said"),
    [
        ("optimizer.lr", {"low": "a", "high": 2}, "`low` must be a finite number"),
        ("optimizer.lr", {"low": 1.0e-4, "high": "1e-2"}, "got '1e-2' (study.search.optimizer.lr.high)"),
        ("optimizer.lr", {"low": True, "high": 2}, "`low` must be a finite number"),
        ("optimizer.lr", {"low": 0.1, "high": float("inf")}, "`high` must be a finite number"),
        ("optimizer.lr", {"low": 0.2, "high": 0.1}, "`optimizer.lr` must have low < high"),
        ("optimizer.lr", {"low": 0, "high": 1, "log": True}, "and low > 0 with log"),
        ("optimizer.lr", {"low": 0.1, "high": 0.2, "log": "yes"}, "`log` must be true or false"),
        ("optimizer.lr", {"low": 0.1, "high": 0.2, "log": True, "step": 0.1}, "`step` must be left out with log"),
        ("optimizer.lr", {"low": 0.1, "high": 0.2, "step": -1}, "`step` must be a finite number > 0"),
        ("data.seq_len", {"low": 5, "high": 20, "step": 0.5}, "`step` must be an integer >= 1"),
        ("optimizer.lr", {"low": 0.1}, "`optimizer.lr` must be a range {low, high, log, step} or"),
        ("optimizer", {"choices": []}, "`choices` must be a list of texts or numbers that differ"),
        ("optimizer", {"choices": ["adam", "adam"]}, "`choices` must be a list of texts or numbers that differ"),
        ("optimizer", {"choices": ["adam", "adm"]}, "optimizer=adm: no such option; did you mean adam?"),
        ("optimizer.lr", {"low": -0.1, "high": 0.1}, "`lr` must be a finite number > 0; got -0.1 (optimizer.lr)"),
        ("model.hiden_size", {"low": 4, "high": 8}, "(study.search.model.hiden_size; did you mean model.hidden_size?)"),
    ],
)  # fmt: skip
def test_a_range_that_cannot_be_is_refused_in_one_line(
    key: str, given: dict[str, Any], said: str, genlab: Genlab, place: Path, defined: Defined
) -> None:
    defined(**{"data.batch_size": {"low": 1, "high": 4}, key: given})
    answer = genlab(*LR)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err
    assert not list(place.iterdir())
