"""Sweeps with -m: a folder each, named by what varies, and no run takes the others with it."""

import json
import time
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.plugins.sweeper import Sweeper

from genlab.run import sweep, train
from genlab.run.outcome import Interrupted


def folders(place: Path) -> list[str]:
    return sorted(path.parent.name for path in place.rglob("status.json"))


def test_each_run_has_a_folder_named_by_what_varies(genlab, tiny, place: Path) -> None:
    answer = genlab("train", *tiny(trainer__max_steps=2, model__hidden_size="4,8", data__seq_len="5,10"), "-m")
    assert (answer.code, answer.err) == (0, "")
    names = [f"data.seq_len={length},model.hidden_size={size}" for length in (5, 10) for size in (4, 8)]
    assert folders(place) == sorted(names)
    lines = answer.out.splitlines()
    assert [line for line in lines if line.startswith("---")] == [
        *(f"--- run {number} of 4: {name}" for number, name in enumerate(run_order(lines), start=1)),
        "--- 4 of 4 runs done",
    ]
    assert sorted(run_order(lines)) == sorted(names)


def run_order(lines: list[str]) -> list[str]:
    return [line.partition(": ")[2] for line in lines if line.startswith("--- run ")]


def test_a_failed_run_does_not_stop_the_others(genlab, tiny, place: Path) -> None:
    answer = genlab("train", "-m", *tiny(trainer__max_steps=2, model__hidden_size="-1,4"))
    assert answer.code == 1
    assert folders(place) == ["model.hidden_size=4"]
    reason = "`hidden_size` must be an integer >= 1; got -1 (model.hidden_size)"
    assert answer.err == f"genlab train: {reason}\nfailed: model.hidden_size=-1: {reason}\n"
    assert answer.out.endswith("--- 1 of 2 runs done\n")


@pytest.mark.parametrize("swept", [{"seed": "range(4)"}, {"model__hidden_size": "4,8", "optimizer": "adam,sgd"}])
def test_a_config_is_composed_once_for_each_run(
    genlab, tiny, place: Path, monkeypatch: pytest.MonkeyPatch, swept: dict[str, str]
) -> None:
    """Hydra would compose all of them before the first run as well."""
    composed = []
    load = ConfigLoaderImpl.load_sweep_config
    validate = Sweeper.validate_batch_is_legal

    def counted(self, *args, **kwargs):
        composed.append(args or kwargs)
        return load(self, *args, **kwargs)

    monkeypatch.setattr(ConfigLoaderImpl, "load_sweep_config", counted)
    answer = genlab("train", "-m", *tiny(trainer__max_steps=2, **swept))
    assert (answer.code, len(composed)) == (0, 4), answer
    assert Sweeper.validate_batch_is_legal is validate


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["optimizer=adam,sgd", "experiment=char_rnn,char_rnn_reference", "optimizer.betas=[0.9,0.99]"], "betas"),
        (["optimizer={lr:0.1},{lr:0.1,bogus:1}", "seed=1,2"], "bogus"),
        (["seed=1,2", "optimizer.bogus=1,2"], "bogus"),
        (["~seed=0,1"], "seed"),
        (["hydra.job.num=range(100)"], "Hydra's configuration"),
    ],
)
def test_what_cannot_be_composed_is_refused_before_the_first_run(
    genlab, tiny, place: Path, words: list[str], key: str
) -> None:
    answer = genlab("train", "-m", *words, *[word for word in tiny() if not word.startswith("experiment=")])
    assert (answer.code, list(place.iterdir())) == (2, [])
    assert len(answer.err.splitlines()) == 1
    assert key in answer.err


def test_the_number_of_runs_is_hydras(genlab, tiny, place: Path) -> None:
    """A glob stands for the options of a group, and the last of two values for a key is the one that counts."""
    words = [*tiny(trainer__max_steps=2), "optimizer=glob(ad*,exclude=adam)", "seed=1,2,3", "seed=range(2)"]
    answer = genlab("train", "-m", *words)
    assert answer.code == 0, answer
    names = [f"optimizer={name},seed={seed}" for name in ("adagrad", "adamw") for seed in (0, 1)]
    assert folders(place) == names
    assert [line[:16] for line in answer.out.splitlines() if line.startswith("---")][-1] == "--- 4 of 4 runs "


@pytest.mark.parametrize(
    "way",
    [
        "--config-dir=own",
        "--config-dir own",
        "hydra.searchpath=[file://{place}/own]",
        "--config-dir . hydra.searchpath=[file://{place}/own]",
    ],
)
def test_configs_from_elsewhere_may_be_swept_over(genlab, tiny, place: Path, way: str) -> None:
    (place / "own" / "experiment").mkdir(parents=True)
    for name, size in (("small", 4), ("smaller", 2)):
        content = f"# @package _global_\ndefaults: [char_rnn]\nmodel: {{hidden_size: {size}}}\n"
        (place / "own" / "experiment" / f"{name}.yaml").write_text(content)
    words = [word for word in tiny(trainer__max_steps=2) if not word.startswith("model.hidden_size=")]
    words = ["-m", *way.format(place=place).split(), *words]
    answer = genlab("train", *words, "experiment=small,smaller,char_rnn_reference")
    assert answer.code == 0, answer
    assert folders(place) == ["experiment=char_rnn_reference", "experiment=small", "experiment=smaller"]
    answer = genlab("train", *words, "experiment=small,tiny")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("genlab train: experiment=tiny: no such option")


def test_a_clock_that_stands_still_stops_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra divides by the time that its look at the configs took."""
    ticks = iter([1.0, 1.0, 1.0, 2.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    with sweep.composed_beforehand():
        Sweeper.validate_batch_is_legal(None, [])
    assert next(ticks, None) is None


def test_a_swept_experiment_gives_each_its_own_folder(genlab, tiny, place: Path) -> None:
    words = tiny(trainer__max_steps=2, experiment="char_rnn,char_rnn_reference", data__batch_size=1)
    answer = genlab("train", "-m", *words)
    assert answer.code == 0, answer
    assert folders(place) == ["experiment=char_rnn", "experiment=char_rnn_reference"]


def test_the_same_sweep_in_the_same_folder_goes_on(genlab, tiny, place: Path) -> None:
    def sweep(max_steps: int) -> tuple:
        words = tiny(trainer__max_steps=max_steps, model__hidden_size="4,8")
        return genlab("train", "-m", "hydra.sweep.dir=sweep", *words)

    assert sweep(20).code == 0
    assert sweep(20).out.count("is finished (20 iterations): nothing to do") == 2
    assert sweep(40).out.count("going on from iteration 20") == 2


def test_a_stop_by_the_user_stops_the_sweep(genlab, tiny, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def main(cfg):
        seen.append(cfg.model.hidden_size)
        raise Interrupted("interrupted after 1 iterations; to go on: ...")

    monkeypatch.setattr(train, "main", main)
    answer = genlab("train", "-m", *tiny(model__hidden_size="4,8"))
    assert (answer.code, seen) == (130, [4])
    assert answer.err == "interrupted after 1 iterations; to go on: ...\n"


def test_single_runs_write_no_sweep(genlab, trained, place: Path) -> None:
    assert genlab("sample", f"run={trained}", "length=3").code == 0
    assert [path.name for path in place.iterdir()] == ["trained"]


def test_samples_may_be_swept_without_litter(genlab, trained, place: Path) -> None:
    answer = genlab("sample", "-m", f"run={trained}", "length=3", "seed=1,2")
    assert (answer.code, answer.err) == (0, "")
    assert [path.name for path in place.iterdir()] == ["trained"]


def test_the_sweeps_provenance_is_the_command_that_was_typed(genlab, tiny, place: Path) -> None:
    assert genlab("train", "-m", *tiny(trainer__max_steps=1, seed="0,1")).code == 0
    for path in place.rglob("provenance.json"):
        command = json.loads(path.read_text())["command"]
        assert command.startswith("genlab train -m data.text=")
        assert "exclude_keys" not in command
