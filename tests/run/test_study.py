"""Studies as commands: planned, run, gone on with, and what becomes of runs that fail or are stopped."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from tests.run.conftest import Genlab

from genlab.run import study_plan
from genlab.run.artifacts import RunFolder
from genlab.run.config_files import config_dir
from genlab.run.identity import finished_runs, identity, measured_by
from genlab.run.outcome import Interrupted
from genlab.run.study import run_study
from genlab.run.study_line import StudyLine
from genlab.run.study_plan import load_definition, make_plan
from genlab.run.study_words import as_word, split_words, values_of
from genlab.studies.claims import check_selections
from genlab.studies.measured import digest_of
from genlab.studies.quantities import check_measures
from genlab.studies.study import at_budget, read_definition

pytestmark = pytest.mark.minutes

STUDIES = sorted(path.stem for path in (config_dir() / "study").glob("*.yaml"))
LR = ("train", "-m", "study=rnn_lr", "budget=smoke")
QUICKEST = ("trainer.max_steps=20", "model.engine=torch", "data.windows_per_step=10")


def records(folder: Path) -> dict[str, str]:
    return {file.stem: json.loads(file.read_text())["state"] for file in sorted((folder / "jobs").glob("*.json"))}


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("budget", ["smoke", "quick", "full"])
def test_every_study_can_be_planned_at_every_budget(
    study: str, budget: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every arm, with the first of its seeds: the others' configs differ by a number."""
    monkeypatch.setenv("GENLAB_RUNS", str(tmp_path))
    seeds = read_definition(at_budget(load_definition(study), budget)).seeds
    plan = make_plan(split_words([f"study={study}", f"budget={budget}", f"seed={seeds[0]}"]))
    assert len({planned.identity for planned in plan.jobs}) == len(plan.jobs)
    assert len({planned.folder for planned in plan.all_jobs()}) == len(plan.all_jobs())
    assert budget == "smoke" or len(seeds) >= 3
    assert not list(tmp_path.iterdir())  # planning writes nothing
    for planned in plan.jobs:
        assert planned.config["run_dir"] == planned.config["trainer"]["default_root_dir"] == str(planned.folder)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_measures_what_it_reads_and_its_claims_select_what_it_has(study: str) -> None:
    definition = load_definition(study)
    check_measures(definition)
    check_selections(definition)


def test_the_grid_is_every_combination_with_every_seed() -> None:
    study = read_definition(at_budget(load_definition("rnn_capacity"), "quick"))
    jobs = study.jobs()
    assert len(jobs) == 3 * 4 * len(study.seeds)
    assert {(job.arm["hidden_size"], job.arm["seq_len"], job.seed) for job in jobs} == {
        (hidden, steps, seed) for hidden in (100, 256, 512) for steps in (20, 30, 40, 50) for seed in study.seeds
    }
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs)
    assert sum(job.first for job in jobs) == 12


def test_what_is_typed_wins_over_the_study() -> None:
    words = split_words(["study=rnn_lr", "seed=4,5", "model.hidden_size=7", "data.seq_len=5,6", "model.init=normal"])
    study = read_definition(words.applied_to(at_budget(load_definition("rnn_lr"), "smoke")))
    assert study.seeds == [4, 5]
    assert study.grid == {"optimizer.lr": [0.01, 0.001], "model.hidden_size": [7], "data.seq_len": [5, 6]}
    assert study.settings["model.init"] == "normal"
    arms = read_definition(
        split_words(["study=rnn_optimizer", "optimizer.lr=0.5"]).applied_to(
            at_budget(load_definition("rnn_optimizer"), "quick")
        )
    )
    assert {job.overrides["optimizer.lr"] for job in arms.jobs()} == {0.5}
    swept = read_definition(
        split_words(["study=rnn_optimizer", "optimizer.lr=0.5,0.1", "seed=0"]).applied_to(
            at_budget(load_definition("rnn_optimizer"), "quick")
        )
    )
    assert {overrides.get("optimizer.lr") for overrides in swept.arms.values()} == {None}
    assert [job.overrides["optimizer.lr"] for job in swept.jobs()] == [0.5, 0.1] * len(swept.arms)


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.1, 1e-5, "adam", "a b", "it's", 'say "x"', [0.4, 0.6], [], {"a": 1, "b": [None]}, "x=1,2"],
)
def test_a_value_comes_back_from_hydras_grammar_as_it_went_in(value: object) -> None:
    assert values_of(OverridesParser.create().parse_override(as_word("key", value))) == [value]


def test_a_run_is_the_same_wherever_it_lies_and_however_its_numbers_are_written() -> None:
    config = {
        "run_dir": "a", "seed": 0, "model": {"dropout": 0.0, "lr": 1e-5},
        "trainer": {"max_epochs": 3, "default_root_dir": "a"}, "logger": {"csv": 1}, "data": {"root": "here", "n": 1},
    }  # fmt: skip
    moved = {
        "run_dir": "b", "seed": 0, "model": {"dropout": 0, "lr": "1e-05"},
        "trainer": {"max_epochs": 3, "default_root_dir": "b"}, "data": {"root": "there", "n": 1}, "budget": "quick",
    }  # fmt: skip
    assert identity(config) == identity(moved)
    for other in ({"seed": 1}, {"trainer": {"max_epochs": 4}}, {"model": {"dropout": True, "lr": 1e-5}}):
        assert identity({**config, **other}) != identity(config)


def test_a_failed_run_leaves_the_others_and_is_alone_tried_again(genlab: Genlab, place: Path) -> None:
    answer = genlab(*LR, *QUICKEST, "model.dropout=0,2", "seed=0", "optimizer.lr=0.01")
    assert answer.code == 1
    assert "1 of 2 runs done" in answer.out
    assert "failed: lr=0.01,hidden_size=8,dropout=2,seed=0: `dropout` must be a number in [0, 1)" in answer.err
    folder = place / "runs/rnn_lr/smoke"
    assert records(folder) == {"0000": "done", "0001": "failed"}
    assert (folder / "report.html").is_file()
    before = (folder / "jobs/0000.json").read_bytes()
    again = genlab(*LR, *QUICKEST, "model.dropout=0,2", "seed=0", "optimizer.lr=0.01")
    assert "2 runs, 1 of them done before" in again.out
    assert (folder / "jobs/0000.json").read_bytes() == before
    assert "Traceback" in (folder / "jobs/0001.log").read_text()


def test_a_run_that_is_to_be_measured_otherwise_is_measured_again_and_not_trained(genlab: Genlab, place: Path) -> None:
    words = [*LR, *QUICKEST, "seed=0", "optimizer.lr=0.01"]
    assert genlab(*words).code == 0
    (run,) = (place / "runs/rnn_lr/smoke").glob("lr=*")
    weights, result = run / "checkpoints/last.ckpt", run / "evaluation/valid_words.json"
    before = weights.stat().st_mtime_ns, json.loads(result.read_text())
    assert "1 of them done before" in genlab(*words).out
    dry = genlab(*words, "evaluators.valid_words.temperature=0.5", "dry_run=true")
    assert "1 of 1 runs to do: about 0.0 s of training" in dry.out
    again = genlab(*words, "evaluators.valid_words.temperature=0.5")
    assert again.code == 0
    assert "0 of them done before" in again.out
    after = weights.stat().st_mtime_ns, json.loads(result.read_text())
    assert after[0] == before[0]
    assert after[1]["settings"] == {**before[1]["settings"], "temperature": 0.5}
    assert (before[1]["checkpoint"], after[1]["checkpoint"]) == ("last", "last")


@pytest.mark.parametrize("name", ["it's [one], a=b", 'a "b" {c}', "back\\"])
def test_runs_may_lie_in_a_folder_of_any_name(
    name: str, genlab: Genlab, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENLAB_RUNS", str(place / name))
    answer = genlab(*LR, *QUICKEST, "seed=0", "optimizer.lr=0.01")
    assert (answer.code, answer.err) == (0, "")
    folder = place / name / "rnn_lr/smoke"
    assert records(folder) == {"0000": "done"}
    assert (folder / "launcher/multirun.yaml").is_file()
    assert [path.name for path in place.iterdir()] == [name]


def test_fail_fast_leaves_the_rest_out(genlab: Genlab, place: Path) -> None:
    answer = genlab(*LR, *QUICKEST, "model.dropout=3,2,0", "seed=0", "optimizer.lr=0.01", "fail_fast=2")
    assert answer.code == 1
    assert records(place / "runs/rnn_lr/smoke") == {"0000": "failed", "0001": "failed", "0002": "skipped"}
    assert "left out after 2 failed: 1 runs" in answer.err


def test_a_run_that_was_done_elsewhere_is_used_where_it_lies(genlab: Genlab, place: Path) -> None:
    words = ("experiment=char_rnn", "data.corpus=python_docs", "model.hidden_size=8", "optimizer.lr=0.01", *QUICKEST)
    assert genlab("train", *words, "run_dir=runs/mine").code == 0
    weights = (place / "runs/mine/checkpoints/best.ckpt").read_bytes()
    assert genlab(*LR, *QUICKEST, "optimizer.lr=0.01", "seed=0").code == 0
    plan = json.loads((place / "runs/rnn_lr/smoke/study.json").read_text())
    assert (place / "runs/rnn_lr/smoke" / plan["jobs"][0]["folder"]).resolve() == (place / "runs/mine").resolve()
    assert (place / "runs/mine/checkpoints/best.ckpt").read_bytes() == weights
    assert (place / "runs/mine/evaluation/valid_words.json").is_file()


def test_a_run_that_another_study_measured_otherwise_is_left_to_it(genlab: Genlab, place: Path) -> None:
    one = (*LR, *QUICKEST, "optimizer.lr=0.01", "seed=0")
    assert genlab(*one).code == 0
    folder = place / "runs/rnn_lr/smoke"
    first = folder / json.loads((folder / "study.json").read_text())["jobs"][0]["folder"]
    first.rename(place / "runs/elsewhere")
    before = (place / "runs/elsewhere/evaluation/valid_words.json").read_bytes()
    assert genlab(*one).code == 0  # measured alike: used where it lies
    assert not first.exists()
    changed = json.loads(before) | {"settings": {"length": 50}}
    (place / "runs/elsewhere/evaluation/valid_words.json").write_text(json.dumps(changed))
    (place / "runs/rnn_lr/smoke/jobs/0000.json").unlink()
    assert genlab(*one).code == 0
    assert first.is_dir()
    assert json.loads((place / "runs/elsewhere/evaluation/valid_words.json").read_text()) == changed


def test_a_folder_that_holds_another_run_is_left_to_it(genlab: Genlab, place: Path) -> None:
    one = (*LR, *QUICKEST, "optimizer.lr=0.01", "seed=0")
    assert genlab(*one).code == 0
    assert genlab(*one, "model.init=normal").code == 0
    folder = place / "runs/rnn_lr/smoke"
    inits = {yaml.safe_load((run / "config.yaml").read_text())["model"]["init"] for run in folder.glob("lr=*")}
    assert inits == {"uniform", "normal"}
    assert len(finished_runs(place / "runs")) == 2


def test_a_run_on_data_that_have_changed_since_stands_for_none(genlab: Genlab, place: Path) -> None:
    text = place / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog. " * 200)
    one = (*LR, *QUICKEST, f"data.text={text}", "optimizer.lr=0.01", "seed=0")
    assert genlab(*one).code == 0
    assert "1 of them done before" in genlab(*one).out
    text.write_text("sphinx of black quartz, judge my vow. " * 200)
    again = genlab(*one)
    assert again.code == 0
    assert "0 of them done before" in again.out
    folders = sorted((place / "runs/rnn_lr/smoke").glob("lr=*"))
    first, second = (json.loads((run / "provenance.json").read_text())["data"]["sha256"] for run in folders)
    assert first != second
    assert folders[1].name == f"{folders[0].name}-{second[:8]}"
    assert "1 of them done before" in genlab(*one).out
    text.unlink()  # nobody could train on it: what there is stands
    assert find_done(place / "runs", folders[0])


def find_done(runs: Path, run: Path) -> bool:
    return any(run in folders for folders in finished_runs(runs).values())


def test_a_result_that_was_replaced_since_is_measured_again(genlab: Genlab, place: Path) -> None:
    one = (*LR, *QUICKEST, "optimizer.lr=0.01", "seed=0")
    assert genlab(*one).code == 0
    (run,) = (place / "runs/rnn_lr/smoke").glob("lr=*")
    result = run / "evaluation/bits_per_char.json"
    before = json.loads(result.read_text())
    assert genlab("evaluate", f"run={run}", "checkpoint=best", "only=[bits_per_char]").code == 0
    assert json.loads(result.read_text())["checkpoint"] == "best"
    again = genlab(*one)
    assert (again.code, "0 of them done before" in again.out) == (0, True)
    after = json.loads(result.read_text())
    assert (after["checkpoint"], after["value"]) == ("last", before["value"])


def test_another_judge_judges_anew_and_leaves_the_runs_of_another_study_alone(genlab: Genlab, place: Path) -> None:
    def judges(study: str) -> dict[str, str]:
        folder = place / "runs" / study / "smoke"
        jobs = json.loads((folder / "study.json").read_text())["jobs"]
        results = {job["name"]: folder / job["folder"] / "evaluation/fid_mnist_cnn.json" for job in jobs}
        return {name: json.loads(result.read_text())["judge_sha256"] for name, result in results.items()}

    one = ("train", "-m", "study=gan_init", "budget=smoke", "seed=0", "model.init=normal")
    digits = ("data.dataset=digits", "data.val_size=1000", "trainer.max_epochs=1")
    assert genlab("train", "experiment=classifier", *digits, "seed=7", "run_dir=other").code == 0
    assert genlab(*one).code == 0
    (before,) = judges("gan_init").values()
    again = genlab(*one, "judge=other")
    assert (again.code, "0 of them done before" in again.out) == (0, True)
    (after,) = judges("gan_init").values()
    assert (before, after) == (
        digest_of(place / "runs/judge" / os.listdir(place / "runs/judge")[0]),
        digest_of(place / "other"),
    )
    shared = ("train", "-m", "study=gan_generator", "budget=smoke", "seed=0", "model.generator.num_layers=3")
    assert genlab(*shared).code == 0
    assert set(judges("gan_generator").values()) == {before}
    assert set(judges("gan_init").values()) == {after}


def test_another_studys_damaged_folder_keeps_no_study_from_its_results(genlab: Genlab, place: Path) -> None:
    damaged = place / "runs/gan_lr/smoke/study.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    one = (*LR, *QUICKEST, "optimizer.lr=0.01", "seed=0")
    answer = genlab(*one)
    assert answer.code == 0
    assert (
        "warning: the verdicts are corrected for the claims of rnn_lr alone: `study` must be" in answer.err + answer.out
    )
    assert (place / "runs/rnn_lr/smoke/claims.json").is_file()
    damaged.unlink()
    shutil.copytree(place / "runs/rnn_lr", place / "runs/rnn_lr_before")
    assert "warning" not in genlab(*one).err
    assert genlab("studies", "budget=smoke").code == 0


@pytest.mark.parametrize("target", ["pytorch_lightning.callbacks.EarlyStopping", "genlab.run.progress.Progress"])
def test_a_callback_of_another_house_makes_another_run(target: str) -> None:
    config = {"seed": 0, "callbacks": {"last": {"_target_": "genlab.run.last_checkpoint.LastCheckpoint", "every": 3}}}
    more = {**config, "callbacks": {**config["callbacks"], "mine": {"_target_": target}}}  # type: ignore[dict-item]
    assert (identity(more) == identity(config)) == target.startswith("genlab.")


def test_a_judge_is_part_of_how_a_run_is_measured() -> None:
    definition, config = {"evaluate": {"measures": ["fid"]}}, {"evaluators": {"fid": {"count": 3}}}
    by = [measured_by(definition, config, {"judge": judge, "witness": None}) for judge in (None, "a", "b")]
    assert len(set(by)) == 3
    assert by[0] == measured_by(definition, config, {})


def test_a_dry_run_lists_and_writes_nothing(genlab: Genlab, place: Path) -> None:
    answer = genlab(*LR, *QUICKEST, "dry_run=true")
    assert answer.code == 0
    assert "lr=0.001,hidden_size=8,seed=1" in answer.out
    assert "4 of 4 runs to do: about" in answer.out
    assert not (place / "runs").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["study=rnn_capcity"], "did you mean rnn_capacity?"),
        (["study=rnn_lr", "budget=huge"], "`budget` must be one of smoke, quick, full"),
        (["study=rnn_lr", "run_dir=here"], "`run_dir` must be left out"),
        (["study=rnn_lr", "fail_fast=0"], "`fail_fast` must be a number of failed runs >= 1"),
        (["study=rnn_lr", "model.hiden_size=3"], "model.hiden_size: no such key"),
        (["study=rnn_lr", "optimizer.lr=-1"], "`lr` must be a finite number > 0"),
        (["study=rnn_lr", "seed=-1"], "`seeds` must be an integer >= 0"),
        (["study=rnn_lr", "seed=1,1"], "`seeds` must differ"),
        (["study=gan_lr", "budget=smoke", "judge=nowhere"], "`judge` must be a run's folder"),
        (["study=rnn_lr", "model.hidden_size=interval(1,2)"], "must be set to values"),
        (
            ["study=precision", "trainer.precision=32-true"],
            "nothing else tells the arms 'classifier' and 'classifier in bfloat16' apart; got '32-true' (trainer.",
        ),
        (
            ["study=gan_discriminator", "model.dropout=0.1,0.3"],
            "the arms '4 layers, dropout 0' and '4 layers, dropout 0.2' apart; got [0.1, 0.3] (model.dropout)",
        ),
    ],
)
def test_a_wrong_command_is_refused_in_one_line(words: list[str], said: str, genlab: Genlab, place: Path) -> None:
    answer = genlab("train", "-m", *words)
    assert answer.code == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert not list(place.rglob("study.json"))


@pytest.mark.parametrize(
    ("quantity", "of", "said"),
    [
        ("fid_mnist_cn", 0.0002, "got 'fid_mnist_cn' (study.quantities.fid.from; did you mean fid_mnist_cnn?)"),
        ("fid_mnist_cnn", 0.0003, "got 0.0003 (study.claims.G5.all[0].of.lr"),
        ("fid_mnist_cnn", 0.01, None),  # an arm of other budgets
    ],
)
@pytest.mark.parametrize("budget", ["smoke", "quick"])
def test_a_wrong_field_of_the_file_is_refused_before_anything_is_written(
    quantity: str, of: float, said: str | None, budget: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = deepcopy(load_definition("gan_lr"))
    definition["quantities"]["fid"]["from"] = quantity
    definition["claims"]["G5"]["all"][0]["of"] = {"lr": of}
    monkeypatch.setattr(study_plan, "load_definition", lambda name: definition)
    words = split_words(["study=gan_lr", f"budget={budget}", "seed=0"])
    if said is None:
        make_plan(words)
    else:
        with pytest.raises(ValueError, match=re.escape(said)):
            make_plan(words)
    assert not list(place.iterdir())


JUDGED = ["study=gan_lr", "budget=smoke", "seed=0"]


@contextmanager
def in_use(folder: Path, until: threading.Event, at_the_end: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A block in which another command, here another thread, trains in ``folder`` until it is told to end."""
    there = threading.Event()

    def train() -> None:
        with RunFolder(folder).locked():
            there.set()
            until.wait(60)
            at_the_end()

    other = threading.Thread(target=train)
    other.start()
    assert there.wait(60)
    try:
        yield
    finally:
        until.set()
        other.join()


def test_a_judge_that_another_command_trains_is_waited_for(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_study(JUDGED, lambda words, task: None) == 0
    (judge,) = (place / "runs/judge").iterdir()
    trained = judge.rename(place / "trained")
    (place / "runs/gan_lr/smoke/jobs/judge.json").unlink()
    before, end, say = (trained / "checkpoints/best.ckpt").stat().st_mtime_ns, threading.Event(), StudyLine.say
    monkeypatch.setattr(StudyLine, "say", lambda line, words: (say(line, words), end.set()))
    with in_use(judge, end, lambda: [part.rename(judge / part.name) for part in list(trained.iterdir())] and None):
        assert run_study(JUDGED, lambda words, task: None) == 0
    said = "the classifier that judges is being trained by another command: waiting for its end"
    assert capsys.readouterr().out.count(said) == 1
    assert (judge / "checkpoints/best.ckpt").stat().st_mtime_ns == before
    assert records(place / "runs/gan_lr/smoke") == {"judge": "done"}


def test_a_study_that_waits_for_a_judge_can_be_stopped(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = make_plan(split_words(JUDGED)).judge
    assert judge is not None

    def press(line: StudyLine, words: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StudyLine, "say", press)
    with (
        in_use(judge.folder, threading.Event()),
        pytest.raises(Interrupted, match="interrupted: 2 of 2 runs are left to do; to go on: genlab train -m study="),
    ):
        run_study(JUDGED, lambda words, task: None)


def test_killed_and_started_again_a_study_ends_as_one_left_alone(place: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "genlab", *LR, "seed=0", "trainer.max_steps=400", "model.engine=torch"]
    alone, killed = ({**os.environ, "GENLAB_RUNS": str(tmp_path / name)} for name in ("alone", "killed"))
    subprocess.run(words, env=alone, check=True, capture_output=True, timeout=300)
    folder = tmp_path / "killed/rnn_lr/smoke"
    kills = 0
    while kills < 2:
        process = subprocess.Popen(words, env=killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        count = len(list(folder.glob("jobs/*.json")))
        until = time.monotonic() + 120
        while len(list(folder.glob("jobs/*.json"))) <= count and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3 * kills)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    assert "running" in records(folder).values() or "done" in records(folder).values()
    subprocess.run(words, env=killed, check=True, capture_output=True, timeout=300)
    for name in ("claims.json", "results.csv"):
        assert (folder / name).read_text() == (tmp_path / "alone/rnn_lr/smoke" / name).read_text()


def test_an_interrupted_study_says_how_to_go_on(place: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "genlab", *LR, "trainer.max_steps=2000000", "model.engine=torch"]
    environment = {**os.environ, "GENLAB_RUNS": str(tmp_path / "runs")}
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "runs/rnn_lr/smoke/jobs/0000.log"
    until = time.monotonic() + 120
    while not (log.is_file() and "iteration" in log.read_text()) and time.monotonic() < until:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "to go on: genlab train -m study=rnn_lr budget=smoke" in err
    assert records(tmp_path / "runs/rnn_lr/smoke")["0000"] == "interrupted"
