"""Whatever is wrong, people get one line with argument, rule, value and where it is set, and lose nothing."""

import os
import pickle
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

REFUSED = {
    # the command line itself
    "trian": "no verb 'trian'; did you mean train?",
    "train --multirn": "--multirn: no such flag; did you mean --multirun?",
    "train --cfg foo": "--cfg/-c: invalid choice: 'foo'",
    "train foo": "cannot read the override 'foo': write foo=VALUE",
    "train model.hidden_size": "cannot read the override 'model.hidden_size': write model.hidden_size=VALUE",
    "train name=a~b@": "cannot read the override 'name=a~b@': quote its value for Hydra too, name='\"a~b@\"'",
    # keys
    "train model.hiden_size=3": "model.hiden_size: no such key; did you mean model.hidden_size?",
    "train modle.hidden_size=3": "modle.hidden_size: no such key; did you mean model.hidden_size?",
    "train callbacks.bests.monitor=a": "callbacks.bests.monitor: no such key; did you mean callbacks.best.monitor?",
    "train optimzer=adam": "optimzer: no such key; did you mean optimizer?",
    "train -m model.hiden_size=1,2": "model.hiden_size: no such key; did you mean model.hidden_size?",
    "train +typo=1": "typo: no such key",
    "train -m +model.drpout=0.1,0.2": "model.drpout: no such key; did you mean model.dropout?",
    "train ++model.hiddensize=3": "model.hiddensize: no such key; did you mean model.hidden_size?",
    "train +model.hidden_size=3": "model.hidden_size is there already: write model.hidden_size=..., without the +",
    "train ~model.foo": "model.foo: no such key",
    "train optimizer={lr:0.1,beats:1}": "optimizer.beats: no such key; did you mean optimizer.betas?",
    "train hydra.job.num=first": "hydra.job.num: Value 'first' of type 'str' could not be converted to Integer",
    "train callbacks.progress.plain_seconds=1": "no such key; to add it: +callbacks.progress.plain_seconds=...",
    # options of groups
    "train optimizer=adamm": "optimizer=adamm: no such option; did you mean adam? (there are: adagrad, adam,",
    "train experiment=char_rn": "experiment=char_rn: no such option; did you mean char_rnn?",
    "train -m experiment=char_rnn,char_rn": "experiment=char_rn: no such option; did you mean char_rnn?",
    "train logger=csvv": "logger=csvv: no such option; did you mean csv?",
    # what is missing
    "train data.text=???": "data.text is missing: genlab train data.text=...",
    "tiny monitor=???": "monitor is missing: genlab train monitor=...",
    "tiny callbacks.progress=3": "`progress` must be a callback's settings, or null; got 3 (callbacks.progress)",
    "dcgan data.root=null": "`root` must be a text; got None (data.root)",
    "evaluate": "run is missing: genlab evaluate run=...",
    "sample": "run is missing: genlab sample run=...",
    "report": "runs is missing: genlab report runs=...",
    # what refers to nothing
    "train seed='${nothing}'": (
        "`seed` must refer to a value that there is (Interpolation key 'nothing' not found); got '${nothing}' (seed)"
    ),
    "compare runs='${seed}'": "got '${seed}' (runs)",
    "studies output='${seed}'": "got '${seed}' (output)",
    "dashboard panels=vae logger.wandb.offline='${seed}'": "got '${seed}' (logger.wandb.offline)",
    "tiny data.text=['${seeds}']": "Interpolation key 'seeds' not found); got ['${seeds}'] (data.text)",
    # callbacks
    "tiny callbacks.best.mode='${seed}'": "`mode` must be one of min, max; got 0 (callbacks.best.mode",
    "tiny mode=mix": "got 'mix' (callbacks.best.mode",
    "tiny callbacks.best.save_top_k={}": "`save_top_k` must be an integer >= -1; got {} (callbacks.best.save_top_k)",
    "tiny callbacks.best.save_top_k=-1e9": "got -1000000000.0 (callbacks.best.save_top_k)",
    "tiny callbacks.best.monitor=0x10": "got '0x10' (callbacks.best.monitor",
    "tiny callbacks.best.monitor=[1,a]": "got [1, 'a'] (callbacks.best.monitor",
    # texts
    "train data.text=absent.txt": "`text` must be a file, a folder or a glob that exists; got",
    "train data.text=empty.txt": "`text` must not be empty; got",
    "train data.text=binary.txt": "a NUL byte stands at byte offset 3",
    "train data.text=latin.txt": "`text` must be UTF-8 text",
    "train data.text=short.txt": "`text` must have more than data.seq_len * data.batch_size = 20 characters",
    "train data.corpus=tiny_shakespear": "(data.corpus; did you mean tiny_shakespeare?)",
    "train data.corpus=tiny_shakespeare data.download=false": "run `genlab fetch corpus=tiny_shakespeare`",
    # sizes and rates
    "tiny data.seq_len=0": "`seq_len` must be an integer >= 1; got 0 (data.seq_len)",
    "tiny data.seq_len=1.5": "`seq_len` must be an integer >= 1; got 1.5 (data.seq_len)",
    "tiny data.batch_size=0": "`batch_size` must be an integer >= 1; got 0 (data.batch_size)",
    "tiny data.windows_per_step=0": "`windows_per_step` must be an integer >= 1; got 0 (data.windows_per_step)",
    "tiny data.val_fraction=1": "`val_fraction` must be a number in (0, 1); got 1 (data.val_fraction)",
    "tiny model.hidden_size=abc": "`hidden_size` must be an integer >= 1; got 'abc' (model.hidden_size)",
    "tiny model.hidden_size=0": "`hidden_size` must be an integer >= 1; got 0 (model.hidden_size)",
    "tiny model.num_layers=-1": "`num_layers` must be an integer >= 1; got -1 (model.num_layers)",
    "tiny model.dropout=1": "`dropout` must be a number in [0, 1); got 1 (model.dropout)",
    "tiny model.init=xaver": "got 'xaver' (model.init; did you mean xavier?)",
    "tiny model.engine=numba": "`engine` must be one of auto, compiled, torch, numpy; got 'numba' (model.engine",
    "tiny model.clip_value=0": "`clip_value` must be a finite number > 0; got 0 (model.clip_value)",
    "tiny optimizer.lr=-1": "`lr` must be a finite number > 0; got -1 (optimizer.lr)",
    "tiny optimizer.lr=nan": "`lr` must be a finite number > 0; got nan (optimizer.lr)",
    "tiny optimizer.lr=abc": "`lr` must be a finite number > 0; got 'abc' (optimizer.lr)",
    "tiny optimizer.betas=[0.9,1]": "`betas` must be a number in [0, 1); got 1 (optimizer.betas[1])",
    "tiny optimizer.betas=1": "`betas` must be two numbers in [0, 1); got 1 (optimizer.betas)",
    "tiny optimizer=sgd optimizer.momentum=2": "`momentum` must be a number in [0, 1); got 2 (optimizer.momentum)",
    "tiny optimizer=sgd +optimizer.nesterov=true": "`optimizer` must be what torch.optim.SGD takes; it says:",
    "tiny optimizer._target_=torch.optim.Foo": "optimizer: Error loading 'torch.optim.Foo'",
    "tiny logger.csv._target_=[]": "`_target_` must be the dotted name of a class; got [] (logger.csv._target_)",
    "tiny callbacks.best._target_=3": "`_target_` must be the dotted name of a class; got 3 (callbacks.best._target_)",
    "tiny callbacks.best.filename={a:1}": "`filename` must be a text; got {'a': 1} (callbacks.best.filename)",
    "tiny callbacks.last.path=[]": "`path` must be a text; got [] (callbacks.last.path)",
    "tiny optimizer._partial_=1": "`_partial_` must be true or false; got 1 (optimizer._partial_)",
    "tiny optimizer._partial_={a:1}": "`_partial_` must be true or false; got {'a': 1} (optimizer._partial_)",
    "tiny trainer.default_root_dir=[]": "`default_root_dir` must be a text; got [] (trainer.default_root_dir)",
    "tiny trainer.enable_progress_bar=3": "must be true or false; got 3 (trainer.enable_progress_bar)",
    "tiny trainer.check_val_every_n_epoch=0x10": (
        "`check_val_every_n_epoch` must be an integer >= 1; got '0x10' (trainer.check_val_every_n_epoch)"
    ),
    "tiny trainer.max_steps=0": "`max_steps` must be an integer >= 1; got 0 (trainer.max_steps)",
    "tiny trainer.max_steps=-5": "`max_steps` must be an integer >= 1; got -5 (trainer.max_steps)",
    "tiny trainer.max_steps=abc": "`max_steps` must be an integer >= 1; got 'abc' (trainer.max_steps)",
    "tiny trainer.max_steps=-1": "`max_steps` must be an integer >= 1 where trainer.max_epochs is -1; got -1",
    "tiny trainer.precision=foo": "`precision` must be one of 32-true, 64-true,",
    "tiny trainer.precision=bf16-mixed": "got 'bf16-mixed' (trainer.precision",
    "tiny trainer.accelerator=foo": "`accelerator` must be one of auto, cpu,",
    "tiny trainer.accelerator=tpu": "`trainer` must be what this machine can do; accelerator=tpu",
    "tiny trainer.devices=0": "`devices` must be an integer >= 1; got 0 (trainer.devices)",
    "tiny trainer.devices=auto": "`devices` must be an integer >= 1; got 'auto' (trainer.devices)",
    "tiny trainer.strategy=dpp": "`strategy` must be one of auto, ddp; got 'dpp' (trainer.strategy; did you mean ddp?)",
    "tiny trainer.devices=2 +trainer.num_nodes=2": "`num_nodes` must be 1: a run trains on one machine; got 2",
    "tiny trainer.devices=2 model.engine=compiled": "`engine` must be torch or auto where several processes train",
    "tiny trainer.devices=2 data.batch_size=500": "data.seq_len * data.batch_size * trainer.devices = 5,000 characters",
    "tiny +trainer.limit_train_batches=5": "`limit_train_batches` must be left out: places in the data, passes and",
    "vae +trainer.accumulate_grad_batches=4": "got 4 (trainer.accumulate_grad_batches)",
    "tiny +trainer.gradient_clip_val=1": "`gradient_clip_val` must be left out for this model, which makes its updates",
    "dcgan +trainer.gradient_clip_val=1": "got 1 (trainer.gradient_clip_val)",
    "tiny callbacks.best.filename=../../x": "`filename` must stay below the run's folder; got '../../x'",
    "tiny logger=tensorboard logger.tensorboard.name=../../x": "got '../../x' (logger.tensorboard.name)",
    "tiny logger=tensorboard logger.tensorboard.version=/tmp/x": "got '/tmp/x' (logger.tensorboard.version)",
    "classifier monitor=val/acuracy": "one of val/loss, val/accuracy; got 'val/acuracy' (monitor; did you mean",
    "vae monitor=val/los": "one of val/elbo, val/log_likelihood, val/kl, val/loss; got 'val/los' (monitor",
    "dcgan monitor=val/loss": "one of val/loss_discriminator_real, val/accuracy_real; got 'val/loss' (monitor",
    "tiny trainer.val_check_interval=0": "`val_check_interval` must be an integer >= 1; got 0",
    "tiny seed=-1": "`seed` must be an integer >= 0; got -1 (seed)",
    "tiny seed=5000000000": "`seed` must be at most 4294967295; got 5000000000 (seed)",
    "tiny name=a/b": "`name` must be a folder's name:",
    "tiny callbacks.text_samples.every=0": "`every` must be an integer >= 1; got 0 (callbacks.text_samples.every)",
    "tiny callbacks.text_samples.temperature=0": "got 0 (callbacks.text_samples.temperature)",
    "tiny run_dir=short.txt": "`run_dir` must be a folder; got 'short.txt' (run_dir)",
    "tiny run_dir=.": "`run_dir` must be new, empty or a run's folder; got '.' (run_dir)",
    # image models
    "dcgan model.latent_dim=0": "`latent_dim` must be an integer >= 1; got 0 (model.latent_dim)",
    "dcgan model.reader=1.5": "`reader` must be a text; got 1.5 (model.reader)",
    "dcgan model.dropout=1": "`dropout` must be a number in [0, 1); got 1 (model.dropout)",
    "dcgan model.init=xaver": "got 'xaver' (model.init; did you mean xavier?)",
    "dcgan model.generator.num_layers=2": "`num_layers` must be 3 or 4; got 2 (model.generator.num_layers)",
    "dcgan model.discriminator.num_layers=5": "`num_layers` must be 3 or 4; got 5 (model.discriminator.num_layers)",
    "dcgan model.discriminator.nm_layers=3": "no such key; did you mean model.discriminator.num_layers?",
    "dcgan model.loss=hing": "(model.loss; did you mean hinge?)",
    "dcgan trainer.precision=16-mixed": "`precision` must be one of 32-true, 64-true, bf16-mixed; got '16-mixed'",
    "dcgan callbacks.image_grids.epochs=[0]": "`epochs` must be an integer >= 1; got 0 (callbacks.image_grids.epochs)",
    "dcgan data.dataset=MNITS": "(data.dataset; did you mean MNIST?)",
    "dcgan data.dataset=MNIST data.download=false": "`dataset` must be present; 'MNIST' lacks train-images-idx3-ubyte",
    "dcgan data.batch_size=2000": "`batch_size` must be at most the 1,338 images to train on; got 2000",
    "dcgan data.batch_size=700 trainer.devices=2": "shared by 2 processes (trainer.devices); got 700",
    "dcgan data.val_size=5000": "`val_size` must leave some of the 1,438 training images; got 5000 (data.val_size)",
    "dcgan keep_memory=3": "`keep_memory` must be true or false; got 3 (keep_memory)",
    "dcgan emulate_bfloat16=null": "`emulate_bfloat16` must be true or false; got None (emulate_bfloat16)",
    "vae model.latent_dim=0": "`latent_dim` must be an integer >= 1; got 0 (model.latent_dim)",
    "vae model.likelihood=bernouli": "(model.likelihood; did you mean bernoulli?)",
    "vae model.binarize=dynamc": "(model.binarize; did you mean dynamic?)",
    "vae model.likelihood=gaussian": "`binarize` must be none where the likelihood is gaussian; got 'dynamic'",
    "vae model.beta=-1": "got -1 (model.beta)",
    "classifier model.dropout=1": "`dropout` must be a number in [0, 1); got 1 (model.dropout)",
    "classifier model.lr_schedule=onecycle": "(model.lr_schedule; did you mean one_cycle?)",
    "classifier data.degrees=-1": "`degrees` must be a number in [0, 180]; got -1 (data.degrees)",
    "classifier data.batch_size=1": "`batch_size` must be an integer >= 2; got 1 (data.batch_size)",
    # reading runs
    "evaluate run=absent": "`run` must be a run's folder; got 'absent', which has no config.yaml (run)",
    "evaluate run=TRAINED only=bits": "`only` must be one of bits_per_char,",
    "evaluate run=TRAINED keep_memory=3": "`keep_memory` must be true, false or null; got 3 (keep_memory)",
    "evaluate run=TRAINED checkpoint=first": "`checkpoint` must be one of best, last; got 'first' (checkpoint)",
    "sample run=TRAINED temperature=0": "`temperature` must be a finite number > 0; got 0 (temperature)",
    "sample run=TRAINED temperature=[0.5,abc]": "`temperature` must be a finite number > 0; got 'abc' (temperature)",
    "sample run=TRAINED temperature=[]": "`temperature` must be a number or a list of at least one; got [] (temp",
    "sample run=TRAINED length=0": "`length` must be an integer >= 1; got 0 (length)",
    "sample run=TRAINED count=abc": "`count` must be an integer >= 1; got 'abc' (count)",
    "sample run=TRAINED top_k=-1": "`top_k` must be an integer >= 0; got -1 (top_k)",
    "sample run=TRAINED top_p=0": "`top_p` must be a number in (0, 1]; got 0 (top_p)",
    "sample run=TRAINED prompt=~": "`prompt` must hold only the",
    "sample run=TRAINED output=short.txt/x": "`output` must be a file that can be written",
    "report runs=absent": "`runs` must name run folders; got 'absent', which is no folder (runs)",
    "report runs=TRAINED output=short.txt/x": "`output` must be a file that can be written",
    "fetch corpus=foo": "`corpus` must be one of python_docs, tiny_shakespeare; got 'foo' (corpus)",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_wrong_gets_one_line_and_leaves_nothing(line, genlab, tiny, trained, place: Path) -> None:
    (place / "empty.txt").touch()
    (place / "binary.txt").write_bytes(b"abc\0\1\2")
    (place / "latin.txt").write_bytes("caf\u00e9 ".encode("latin-1") * 50)
    (place / "short.txt").write_text("only twenty letters.")
    before = sorted(place.rglob("*"))
    words = shlex.split(line.replace("TRAINED", str(trained)))
    if words[0] == "tiny":
        words = ["train", *tiny(), *words[1:]]
    elif words[0] in ("classifier", "dcgan", "vae"):
        words = ["train", f"experiment={words[0]}", "data.dataset=digits", "data.val_size=100", *words[1:]]
    answer = genlab(*words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert REFUSED[line] in answer.err
    assert sorted(place.rglob("*")) == before


def test_a_run_folder_of_another_config_is_refused_and_left_alone(genlab, tiny, trained, files) -> None:
    before = files(trained)
    answer = genlab("train", *tiny(model__hidden_size=9), f"run_dir={trained}")
    assert answer.code == 2
    assert answer.err.endswith("has model.hidden_size=8, not 9 (run_dir)\n")
    assert files(trained) == before


def test_a_text_that_has_changed_is_refused(genlab, tiny, trained, files, place: Path) -> None:
    other = place / "other.txt"
    other.write_text("Harry went down, and down again.\n" * 100)
    before = files(trained)
    words = ["train", *tiny(data__text=other, trainer__max_steps=80), f"run_dir={trained}"]
    answer = genlab(*words)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "`data` must be what the run was trained on, with SHA-256" in answer.err
    assert files(trained) == before


class Malicious:
    """Would make a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("verb", ["evaluate", "sample", "train"])
@pytest.mark.parametrize("damage", ["cut", "pickle", "empty"])
def test_a_damaged_or_malicious_checkpoint_is_refused(verb, damage, genlab, tiny, trained, place: Path) -> None:
    trap = place / "trap"
    for name in ("best", "last"):
        checkpoint = trained / "checkpoints" / f"{name}.ckpt"
        if damage == "cut":
            checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
        elif damage == "pickle":
            checkpoint.write_bytes(pickle.dumps(Malicious(trap)))
        else:
            checkpoint.write_bytes(b"")
    run = f"{'run_dir' if verb == 'train' else 'run'}={trained}"
    answer = genlab(verb, run, *(tiny(trainer__max_steps=80) if verb == "train" else []))
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert "checkpoint" in answer.err
    assert not trap.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda content: content["genlab"].update(model="dcgan"), "`checkpoint` must be of the run's model, char_rnn;"),
        (lambda content: content.pop("genlab"), "`checkpoint` must be of the run's model, char_rnn;"),
        (lambda content: content["genlab"]["facts"].update(symbols="ab"), "`checkpoint` must fit the run's config;"),
        (lambda content: content.pop("state_dict"), "`checkpoint` must fit the run's config;"),
        (lambda content: content["genlab"].pop("facts"), "`checkpoint` must fit the run's config;"),
    ],
    ids=["model", "foreign", "vocabulary", "no weights", "no facts"],
)
def test_a_checkpoint_of_something_else_is_refused(change, says, genlab, trained) -> None:
    path = trained / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    answer = genlab("sample", f"run={trained}")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert says in answer.err


@pytest.mark.parametrize("content", ["", "a: [", "model: 3\n", "just words"])
def test_a_damaged_config_is_refused(content, genlab, trained) -> None:
    (trained / "config.yaml").write_text(content)
    answer = genlab("sample", f"run={trained}")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert "`run` must be a run's folder" in answer.err


def test_a_text_without_the_checkpoints_vocabulary_cannot_be_judged(genlab, trained, text: Path) -> None:
    config = trained / "config.yaml"
    other = trained.parent / "other.txt"
    other.write_text(text.read_text().upper())
    config.write_text(config.read_text().replace(str(text), str(other)))
    answer = genlab("evaluate", f"run={trained}")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert "`data` must be what the run was trained on, with SHA-256" in answer.err


def test_in_a_process_of_its_own_too_there_is_one_line(place: Path) -> None:
    words = [sys.executable, "-m", "genlab", "train", "optimizer.lr=-1", "trainer.max_steps=3"]
    done = subprocess.run(words, capture_output=True, text=True)
    line = "genlab train: `lr` must be a finite number > 0; got -1 (optimizer.lr)\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)
    with_traceback = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "HYDRA_FULL_ERROR": "1"})
    assert with_traceback.returncode != 0
    assert "Traceback" in with_traceback.stderr
    assert line.removeprefix("genlab train: ") in with_traceback.stderr
    assert list(place.iterdir()) == []


def test_full_error_raises_the_error_itself(genlab, tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ValueError, match=r"optimizer\.lr"):
        genlab("train", *tiny(optimizer__lr=-1))
