"""What comes from elsewhere runs no code, what people type writes nowhere else, and no secret is written down."""

import ast
import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml

import genlab as package
from genlab.run.secrets import redacted

SECRET = "feedbeef" * 5
SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))


# --- the sources ------------------------------------------------------------------------------------------------


def calls(source: str) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    """Each call's name, dotted as it is written, with its named arguments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {each.arg: each.value for each in node.keywords if each.arg}


def is_true(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is True


def unsafe(source: str) -> list[str]:
    """Calls that would unpickle whatever is in a file, or hand a text to a shell."""
    shells = ("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput")
    others = ("pickle.load", "pickle.loads", "eval", "exec", "yaml.unsafe_load", "yaml.full_load")
    found = []
    for name, arguments in calls(source):
        loads = name in ("torch.load", "load_from_checkpoint") or name.endswith(".load_from_checkpoint")
        unpacks = name.endswith((".extractall", ".extract", ".unpack_archive"))
        if name in shells + others or unpacks or (loads and not is_true(arguments.get("weights_only"))):
            found.append(name)
        elif "shell" in arguments:
            found.append(f"{name} with a shell")
        elif name in ("np.load", "numpy.load") and "allow_pickle" in arguments:
            found.append(name)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "Module.load_from_checkpoint(path)",
        "os.system(word)",
        "subprocess.run(word, shell=True)",
        "archive.extractall(folder)",
        "pickle.loads(content)",
    ],
)
def test_what_is_unsafe_is_found(source: str) -> None:
    assert unsafe(source)


def test_no_source_unpickles_unpacks_or_starts_a_shell() -> None:
    assert len(SOURCES) > 100
    loads = 0
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        loads += sum(name == "torch.load" for name, _ in calls(source))
        assert unsafe(source) == [], path
    assert loads > 5


# --- what comes from elsewhere ----------------------------------------------------------------------------------


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


READERS = {
    "evaluate": "evaluate run={bad}",
    "sample": "sample run={bad}",
    "train": "train experiment=char_rnn run_dir={bad}",
    "reader": "train experiment=dcgan_means data.dataset=digits data.val_size=100 model.reader={bad}",
}


@pytest.fixture
def classifier(trained: Path) -> Path:
    """A folder that says it is a classifier's run of the digits; its checkpoint is all that is bad about it."""
    from genlab.datasets.images import load_images

    folder = trained.parent / "classifier"
    shutil.copytree(trained, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["_target_"] = "genlab.classifier.module.ClassifierModule"
    config["data"]["_target_"] = "genlab.classifier.data.ClassifierDataModule"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    record = json.loads((folder / "provenance.json").read_text())
    record["data"]["sha256"] = load_images("digits", Path()).sha256
    (folder / "provenance.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("name", ["best", "last"])
@pytest.mark.parametrize("in_torchs_format", [False, True])
@pytest.mark.parametrize("verb", ["evaluate", "sample", "train", "reader"])
def test_a_malicious_checkpoint_is_not_run(verb, in_torchs_format, name, genlab, tiny, trained, classifier, place):
    trap = place / "trap"
    run = classifier if verb == "reader" else trained
    for each in ("best", "last"):
        path = run / "checkpoints" / f"{each}.ckpt"
        if in_torchs_format:
            content = torch.load(path, weights_only=True)
            torch.save({**content, "genlab": Trap(trap)}, path)
        else:
            path.write_bytes(pickle.dumps(Trap(trap)))
    words = READERS[verb].format(bad=run, good=trained).split()
    if verb in ("evaluate", "sample"):
        words.append(f"checkpoint={name}")
    answer = genlab(*words, *(tiny(trainer__max_steps=80) if verb == "train" else []))
    assert (answer.code, answer.err.count("\n")) == (2, 1), answer
    assert "ckpt" in answer.err
    assert not trap.exists()
    pickle.loads(pickle.dumps(Trap(trap)))
    assert trap.exists()  # it would have been seen


FOREIGN = (
    "pathlib.Path.touch",
    "genlab.run.provenance.subprocess.Popen",
    "genlab.run.provenance.commit",
    "genlab.run.pruning.Pruning",
    "genlab.torture.disks.Disk",
    "genlab.__main__.main",
    "os.system",
)


@pytest.mark.parametrize("part", ["model", "data", "optimizer", "evaluators.bits_per_char"])
@pytest.mark.parametrize("target", FOREIGN)
def test_a_runs_config_makes_nothing_but_our_own_classes(part: str, target: str, genlab, trained: Path, place) -> None:
    path = trained / "config.yaml"
    config = yaml.safe_load(path.read_text())
    node = config
    for key in part.split("."):
        node = node[key]
    node.clear()
    node |= {"_target_": target, "_args_": [str(place / "trap")]}
    path.write_text(yaml.safe_dump(config))
    for verb in ("evaluate", "sample"):
        answer = genlab(verb, f"run={trained}")
        assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
        assert f"{part}._target_ is another; got" in answer.err
    assert not (place / "trap").exists()


@pytest.mark.parametrize("name", ["../../out", "/tmp/genlab-out", "a/b", "..", "a.b"])
def test_a_measure_in_a_runs_config_is_called_by_a_name(name: str, genlab, trained: Path, place: Path) -> None:
    path = trained / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["evaluators"] = {name: config["evaluators"]["bits_per_char"]}
    path.write_text(yaml.safe_dump(config))
    answer = genlab("evaluate", f"run={trained}")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert f"call measures by names alone in its config.yaml; {name!r} is none" in answer.err
    assert not list(place.parent.rglob("out.json"))
    assert not Path("/tmp/genlab-out.json").exists()


def test_a_runs_config_does_not_read_the_environment(genlab, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    path = trained / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["evaluators"]["bits_per_char"]["other"] = "${oc.env:SOME_API_KEY}"
    path.write_text(yaml.safe_dump(config))
    answer = genlab("evaluate", f"run={trained}")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "hold no reference in its config.yaml; evaluators.bits_per_char.other is one" in answer.err
    assert SECRET not in answer.err


# --- what people type -------------------------------------------------------------------------------------------

ESCAPES = (
    "train name=../../out",
    "train name=..",
    "train name=/tmp/out",
    "train -m name=../../out seed=0,1",
    "train -m study=../../out",
    "train -m study=rnn_lr budget=../../out",
    "train -m study=rnn_lr name=../../out",
    "search study=../../out",
    "sample run={trained} checkpoint=../../out",
    "sample run={trained} kind=../../out",
    "evaluate run={trained} checkpoint=../checkpoints/best",
    "evaluate run={trained} only=[../../out]",
    "studies budget=../../out",
    "fetch corpus=../../out",
    "fetch corpus=null dataset=../../out",
)


@pytest.mark.parametrize("line", ESCAPES)
def test_no_name_leads_out_of_the_folder_of_runs(line: str, genlab, trained: Path, place, monkeypatch) -> None:
    inner = place / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    before = sorted(place.rglob("*"))
    answer = genlab(*line.format(trained=trained).split())
    assert answer.code == 2, answer
    assert sorted(place.rglob("*")) == before


# --- secrets ----------------------------------------------------------------------------------------------------

GIVEN = (
    f"+logger.wandb.settings.api_key={SECRET}",
    f"++logger.wandb.settings.api_key={SECRET}",
    f"logger.wandb.settings={{api_key:{SECRET}}}",
    f"logger.wandb.project={SECRET}",
    "logger.wandb.project='${oc.env:WANDB_API_KEY}'",
    f"+WANDB_API_KEY={SECRET}",
    f"+api_key={SECRET}",
)


@pytest.mark.parametrize("word", GIVEN)
@pytest.mark.parametrize("sweep", [False, True])
def test_a_key_on_the_command_line_is_refused_and_not_shown(word, sweep, genlab, tiny, offline, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    words = ["-m", "seed=0,1"] if sweep else ["run_dir=run"]
    answer = genlab("train", *tiny(), "logger=wandb", *words, word)
    assert answer.code == (1 if sweep and "oc.env" in word else 2), answer
    assert "be left out: a config is written down with every run" in answer.err
    assert SECRET not in answer.out + answer.err
    for path in offline.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert not (offline / "run").exists()


def test_a_secret_that_is_not_in_the_environment_is_known_by_its_name(genlab, tiny, place: Path) -> None:
    answer = genlab("train", *tiny(), "logger=wandb", f"+logger.wandb.settings.api_key={SECRET}")
    assert answer.code == 2
    assert "(logger.wandb.settings.api_key)" in answer.err
    assert SECRET not in answer.err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ["token", "hub_token", "secret_key", "private-key", "aws_secret_access_key", "KEY"])
def test_other_names_of_secrets_are_known(name: str, genlab, tiny, place: Path) -> None:
    answer = genlab("train", *tiny(), "logger=wandb", f"+logger.wandb.{name}={SECRET}")
    assert answer.code == 2
    assert f"(logger.wandb.{name})" in answer.err
    assert SECRET not in answer.err
    assert list(place.iterdir()) == []


def test_the_reason_of_a_failed_run_in_a_sweep_is_redacted(genlab, tiny, place: Path, monkeypatch) -> None:
    from genlab.run import train

    def fails(cfg: object) -> None:
        raise RuntimeError(f"the server refuses api_key={SECRET}")

    monkeypatch.setattr(train, "main", fails)
    answer = genlab("train", "-m", *tiny(), "seed=0,1", "hydra.sweep.dir=sweep")
    assert answer.code == 1
    assert "the server refuses api_key=***" in answer.err
    assert SECRET not in answer.out + answer.err


def test_secrets_are_taken_out_of_what_is_written_about_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_TOKEN", "abcdefghij")
    diff = f"+  settings:\n+    api_key: {SECRET}\n+    quiet: true\n+# abcdefghij\n"
    assert redacted(diff) == "+  settings:\n+    api_key: ***\n+    quiet: true\n+# ***\n"
    assert redacted("temperature=0.8 model.keys=[1] tokens: 5") == "temperature=0.8 model.keys=[1] tokens: 5"


def test_a_diff_with_a_key_is_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    from genlab.run import provenance

    monkeypatch.setattr(provenance, "_git", lambda folder, *words: f"api_key: {SECRET}")
    assert provenance.commit()["diff"] == "api_key: ***"
