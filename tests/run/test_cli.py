"""Help that answers at once and says what it must, and tab completion in a real shell."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genlab.run.cli import VERBS, main
from genlab.run.config_files import experiments, groups


def test_the_overview_has_every_verb_and_experiment(genlab) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        answer = genlab(*words)
        assert (answer.code, answer.err) == (0, "")
        assert all(f"  {verb} " in answer.out for verb in VERBS)
        assert all(f"  {name} " in answer.out for name in experiments())
        assert "GENLAB_DATA" in answer.out
        assert "GENLAB_RUNS" in answer.out
    assert genlab("--version").out.startswith("genlab ")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_has_its_overrides_and_examples(verb: str, genlab) -> None:
    answer = genlab(verb, "--help")
    assert (answer.code, answer.err) == (0, "")
    for override in VERBS[verb].overrides:
        assert override in answer.out
    assert f"  genlab {verb}" in answer.out
    assert "HYDRA_FULL_ERROR=1" in answer.out
    lines = [line for line in answer.out.splitlines() if not line.endswith(f"{verb}.yaml")]
    assert max(map(len, lines)) <= 120
    assert genlab(verb, "a=1", "-h").out == answer.out


def test_help_of_train_lists_experiments_and_groups(genlab) -> None:
    out = genlab("train", "--help").out
    assert all(f"  {name} " in out for name in experiments())
    assert groups()["optimizer"] == ["adagrad", "adam", "adamw", "rmsprop", "sgd"]
    assert "adagrad, adam, adamw, rmsprop, sgd" in out


def test_help_answers_within_a_second() -> None:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "genlab", "train", "--help"], check=True, capture_output=True)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("flags", [["--cfg", "job"], ["-c", "job"]])
def test_the_config_is_shown_wherever_the_flag_stands(flags: list[str], genlab) -> None:
    answer = genlab("train", "model.hidden_size=7", *flags, "seed=3")
    assert (answer.code, answer.err) == (0, "")
    assert "hidden_size: 7" in answer.out
    assert "seed: 3" in answer.out


def test_values_of_texts_are_taken_as_they_stand(genlab) -> None:
    answer = genlab("sample", "run=a b, c=(d)", 'prompt=It\'s 1, 2 "or" é: [x', "--cfg", "job")
    assert answer.code == 0
    import yaml

    shown = yaml.safe_load(answer.out)
    assert (shown["run"], shown["prompt"]) == ("a b, c=(d)", 'It\'s 1, 2 "or" é: [x')
    assert yaml.safe_load(genlab("sample", "prompt='quoted'", "run=null", "--cfg", "job").out)["prompt"] == "quoted"


@pytest.fixture
def complete(place: Path):
    """What bash offers for a line, the completion having been installed as the help says."""

    def ask(line: str) -> set[str]:
        words = line.split(" ")
        script = (
            'eval "$(genlab -sc install=bash)"\n'
            f"COMP_LINE={line!r} COMP_POINT={len(line)} COMP_WORDS=({' '.join(map(repr, words))}) "
            f"COMP_CWORD={len(words) - 1}\n_genlab_complete genlab\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        )
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=environment, check=True)
        return set(done.stdout.split())

    return ask


@pytest.mark.parametrize(
    ("line", "offers"),
    [
        ("genlab ", set(VERBS)),
        ("genlab tr", {"train"}),
        ("genlab train experiment=", {f"experiment={name}" for name in experiments()}),
        ("genlab train optimizer=ad", {"optimizer=adagrad", "optimizer=adam", "optimizer=adamw"}),
        ("genlab train seed=1 model.hid", {"model.hidden_size="}),
        ("genlab sample temp", {"temperature="}),
    ],
)
def test_tab_completes(line: str, offers: set[str], complete) -> None:
    assert complete(line) == offers


def test_completion_asks_for_what_it_takes(genlab) -> None:
    assert genlab("-sc").code == 2
    assert "compopt" in genlab("-sc", "install=bash").out


def test_main_takes_the_process_own_words(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["genlab", "--version"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("genlab ")


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]])
def test_whoever_reads_the_help_may_stop_at_any_line(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "genlab", *words], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
