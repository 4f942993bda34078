"""Two processes train one run: against one process, against a training by hand, stopped, killed and gone on with.

Followers are forked from the test, which has imported everything, but for one command in processes of its own.
"""

import copy
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn

from genlab.dcgan.designs import Design, Label, Latents
from genlab.processes import process_count, process_number
from genlab.run import fit
from genlab.run.cli import main
from genlab.run.several_processes import Place, is_lost

TOGETHER = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu"]
ALONE = ["trainer.devices=1", "trainer.accelerator=cpu"]
IMAGES = [
    *("data.dataset=digits", "data.val_size=600", "trainer.precision=64-true"),
    *("trainer.max_epochs=-1", "trainer.max_steps=4", "trainer.val_check_interval=100"),
    *("trainer.check_val_every_n_epoch=null", "trainer.log_every_n_steps=1"),
]
pytestmark = [pytest.mark.minutes, pytest.mark.usefixtures("forked")]


def train(folder: Path, *words: object) -> Path:
    with warnings.catch_warnings():
        assert main(["train", f"run_dir={folder}", *map(str, words)]) == 0
    return folder


def last(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return content


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{name: cell for name, cell in row.items() if "per_second" not in name} for row in csv.DictReader(file)]


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def assert_close(ours: Any, theirs: Any, tolerance: float, where: str = "") -> None:
    """Compare tensors, numbers and containers of them."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        for name in theirs:
            assert_close(ours[name], theirs[name], tolerance, f"{where}/{name}")
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs), where
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_close(one, other, tolerance, f"{where}/{number}")
    elif isinstance(theirs, Tensor):
        assert ours.shape == theirs.shape, where
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance, msg=lambda said: f"{where}: {said}")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=tolerance, abs=tolerance), where
    else:
        assert ours == theirs, where


def assert_same_figures(ours: Path, theirs: Path, tolerance: float = 1e-6) -> None:
    """All but rates, which ``rows`` leaves out; seven digits are written."""
    one, other = rows(ours), rows(theirs)
    assert [list(row) for row in one] == [list(row) for row in other]
    for row, expected in zip(one, other, strict=True):
        for name, cell in expected.items():
            assert (row[name] == "") == (cell == ""), (row["step"], name)
            if cell:
                assert float(row[name]) == pytest.approx(float(cell), rel=tolerance), (row["step"], name)


# --- against one process with the joined batch ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts(forked, tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A char-RNN of two processes with a stream each, and of one with two streams; over the end of a pass."""
    words = tiny(trainer__precision="64-true", model__num_layers=2, trainer__max_steps=440, model__clip_value=0.02)
    words += ["trainer.val_check_interval=5", "data.val_streams=3"]
    place = tmp_path_factory.mktemp("texts")
    two = train(place / "two", *words, *TOGETHER, "data.batch_size=1")
    return two, train(place / "one", *words, *ALONE, "data.batch_size=2")


def test_a_text_is_learned_as_by_one_process_with_all_streams(texts) -> None:
    two, one = texts
    windows = last(one)["genlab"]["facts"]["windows_per_pass"]
    assert windows < 440
    for part in ("state_dict", "genlab", "optimizer_states", "global_step"):
        assert_close(last(two)[part], last(one)[part], 1e-9, part)
    assert last(two)["genlab"]["h"].shape[1] == 2
    assert_same_figures(two, one)


def test_files_are_those_of_one_process_and_are_written_once(texts) -> None:
    two, one = texts
    assert names(two) == names(one)
    assert (two / "samples" / "training.txt").read_text() == (one / "samples" / "training.txt").read_text()
    assert json.loads((two / "status.json").read_text())["iterations"] == 440
    assert "resumed" not in json.loads((two / "provenance.json").read_text())
    steps = [int(row["step"]) for row in rows(two)]
    assert steps == [int(row["step"]) for row in rows(one)]
    assert steps == sorted({*range(20, 441, 20), *steps}), "each once, and where the pass ends one more"
    assert len(steps) == 23, "440 is past one end"


def test_a_run_of_two_processes_is_evaluated_and_sampled_as_any_other(texts, genlab, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(texts[0], folder)
    assert genlab("evaluate", f"run={folder}", "only=[bits_per_char]", "checkpoint=last").code == 0
    found = json.loads((folder / "evaluation" / "bits_per_char.json").read_text())
    assert found["iteration"] == 440
    assert genlab("sample", f"run={folder}", "length=10").code == 0


def test_another_number_of_processes_is_another_run(texts, tiny, genlab) -> None:
    words = tiny(trainer__precision="64-true", model__num_layers=2, trainer__max_steps=500, model__clip_value=0.02)
    answer = genlab("train", *words, f"run_dir={texts[0]}", *ALONE, "data.val_streams=3", "data.batch_size=1")
    assert answer.code == 2
    assert "has trainer.devices=2, not 1" in answer.err


class PlainGenerator(nn.Sequential):
    """Without batch norm: an image depends on its own latent alone."""

    def __init__(self, latent_dim: int, init: str, num_layers: int) -> None:
        super().__init__(nn.Linear(latent_dim, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))


class PlainDiscriminator(nn.Module):
    """Without batch norm, too."""

    feature_dim = 12

    def __init__(self, dropout: float, init: str, in_channels: int, num_layers: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, self.feature_dim), nn.LeakyReLU(0.2))
        self.head = nn.Linear(self.feature_dim, 1)

    def features(self, x: Tensor) -> Tensor:
        found: Tensor = self.body(x)
        return found

    def logits(self, features: Tensor) -> Tensor:
        found: Tensor = self.head(features)
        return found[:, 0]

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(self.features(x))


class SharedNoise(Design):
    """The noise of each iteration is drawn for all processes together, and each takes its part."""

    drawn = 0

    def latents(self, noise: Tensor, labels: Label = None) -> Latents:
        self.drawn += 1
        together = len(noise) * process_count()
        generator = torch.Generator().manual_seed(self.drawn)
        z = torch.randn(together, self.latent_dim, generator=generator, dtype=noise.dtype)
        return Latents(z[process_number() * len(noise) :][: len(noise)], None)


def test_both_networks_of_a_gan_learn_as_in_one_process(tmp_path: Path, monkeypatch) -> None:
    nets = ModuleType("plain_nets")
    for each in (PlainGenerator, PlainDiscriminator, SharedNoise):
        setattr(nets, each.__name__, each)
    monkeypatch.setitem(sys.modules, "plain_nets", nets)
    words = ["experiment=dcgan", *IMAGES, "~callbacks.gan_collapse"]
    words += ["model.generator._target_=plain_nets.PlainGenerator", "model.r1_weight=0.5"]
    words += ["model.discriminator._target_=plain_nets.PlainDiscriminator"]
    words += ["model.design={_target_: plain_nets.SharedNoise, _partial_: true}", "model.ema_decay=0.5"]
    two = train(tmp_path / "two", *words, *TOGETHER, "data.batch_size=8")
    one = train(tmp_path / "one", *words, *ALONE, "data.batch_size=16")
    for part in ("state_dict", "optimizer_states"):
        assert_close(last(two)[part], last(one)[part], 1e-8, part)
    assert_same_figures(two, one)
    assert names(two) == names(one)


# --- against two processes played by hand: batch norms and noise ---------------------------------------------------


def by_hand(folder: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """What the run in ``folder`` must have come to: a copy of the module for each process, one after the other."""
    cfg = OmegaConf.load(folder / "config.yaml")
    assert OmegaConf.is_dict(cfg)
    pl.seed_everything(cfg.seed, verbose=False)
    data = instantiate(cfg.data, processes=2)
    first = fit.make_module(cfg, data).double()
    trainer = SimpleNamespace(global_step=0, max_steps=steps, max_epochs=-1, datamodule=data)
    copies, states, batches, optimizers = [first, copy.deepcopy(first)], [], [], []
    data.trainer = trainer
    for number, module in enumerate(copies):
        module._trainer, module.log_dict = trainer, lambda *_, **__: None
        made = module.configure_optimizers()
        optimizers.append(made["optimizer"] if isinstance(made, dict) else made)
        pl.seed_everything(Place(number, 2, 0).seed(cfg.seed), verbose=False)
        states.append(torch.get_rng_state())
        monkeypatch.setattr("genlab.datasets.image_batches.place_among", lambda _, number=number: number)
        batches.append([next_ for _, next_ in zip(range(steps), data.train_dataloader(), strict=False)])
    for step in range(steps):
        for number, module in enumerate(copies):
            torch.set_rng_state(states[number])
            batch = batches[number][step]
            optimizers[number].zero_grad()
            module.training_step(type(batch)(batch.images.double(), batch.labels), step).backward()
            states[number] = torch.get_rng_state()
        _join(copies)
        for optimizer in optimizers:
            optimizer.step()
    return first


def _join(copies: list[nn.Module]) -> None:
    """Give both copies the mean gradients and the mean running statistics."""
    for one, other in zip(*(module.parameters() for module in copies), strict=True):
        mean = (one.grad + other.grad) / 2
        one.grad, other.grad = mean, mean.clone()
    for (name, one), (_, other) in zip(*(module.named_buffers() for module in copies), strict=True):
        if "running" in name:
            mean = (one + other) / 2
            one.copy_(mean)
            other.copy_(mean)


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("classifier", ["model.lr_schedule=constant", "model.dropout=0.2"]),
        ("vae", ["callbacks.posterior_collapse.patience=1"]),
    ],
)
def test_images_are_learned_as_by_hand(model, more, tmp_path: Path, monkeypatch) -> None:
    folder = train(tmp_path / model, f"experiment={model}", *IMAGES, *more, *TOGETHER, "data.batch_size=6")
    expected = by_hand(folder, 4, monkeypatch)
    assert_close(last(folder)["state_dict"], dict(expected.state_dict()), 1e-9, model)
    assert float(rows(folder)[-1]["val/loss"]) == pytest.approx(held_out(folder, monkeypatch), rel=1e-6)
    best = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["global_step"] == 4
    assert names(folder).count("metrics.csv") == 1


def held_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """``val/loss`` of the last checkpoint as one process finds it, over every held-out image once."""
    cfg = OmegaConf.load(folder / "config.yaml")
    assert OmegaConf.is_dict(cfg)
    data = instantiate(cfg.data)
    assert len(data.val_set.labels) == 600
    assert len(data.val_dataloader()) == 2  # a batch for each process
    module = fit.make_module(cfg, data).double().eval()
    module.load_state_dict(last(folder)["state_dict"])
    said: dict[str, Tensor] = {}
    module._trainer, module.log_dict = SimpleNamespace(global_step=4), lambda figures, **_: said.update(figures)
    monkeypatch.setattr(torch, "randn", partial(torch.randn, dtype=torch.float64))  # as Lightning's double precision
    with torch.no_grad():
        module.on_validation_epoch_start()
        for number, batch in enumerate(data.val_dataloader()):
            module.validation_step(type(batch)(batch.images.double(), batch.labels), number)
        module.on_validation_epoch_end()
    return float(said["val/loss"])


# --- gone on with, stopped, killed ---------------------------------------------------------------------------------


def test_a_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    words = ["experiment=vae", *IMAGES, *TOGETHER, "data.batch_size=6", "trainer.val_check_interval=1"]
    words += ["data.val_size=32", "trainer.precision=32-true"]
    straight = train(tmp_path / "straight", *words)
    halved = train(tmp_path / "halved", *words, "trainer.max_steps=2")
    others = last(halved)["callbacks"]["RandomState"]
    assert len(others["others"]) == 1
    assert not torch.equal(others["torch"], others["others"][0]["torch"])
    train(halved, *words)
    for part in ("state_dict", "optimizer_states"):
        assert_close(last(halved)[part], last(straight)[part], 0.0, part)
    assert_close(last(halved)["callbacks"]["RandomState"], last(straight)["callbacks"]["RandomState"], 0.0)
    assert rows(halved) == rows(straight)


class Dies(pl.Callback):
    """Ends the second process in its third step: from outside, by an error of its own, or by a weight that is none."""

    def __init__(self, how: str) -> None:
        self.how = how

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 2 and process_number() == 1:
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "raise":
                raise OSError("out of paper")
            module.net.head.bias.data[0] = torch.nan


@pytest.fixture
def dies(monkeypatch) -> Callable[[str], str]:
    """The override that has the second process die."""
    deaths = ModuleType("deaths")
    deaths.Dies = Dies  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "deaths", deaths)
    return lambda how: f"+callbacks.dies={{_target_: deaths.Dies, how: {how}}}"


@pytest.mark.parametrize(
    ("how", "said"), [("kill", "has ended by signal 9"), ("raise", "has ended with exit code 1: OSError: out of paper")]
)
def test_a_process_that_is_lost_ends_the_run_in_one_line(how, said, tiny, genlab, place: Path, dies) -> None:
    answer = genlab("train", *tiny(), *TOGETHER, "run_dir=run", dies(how))
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert f"failed after 40 iterations: process 1 of 2 {said}" in answer.err
    assert json.loads((place / "run" / "status.json").read_text())["state"] == "failed"
    assert not torch.distributed.is_initialized()


def test_a_number_that_is_none_in_one_is_found_by_both(tiny, genlab, place: Path, dies) -> None:
    answer = genlab("train", *tiny(), *TOGETHER, "run_dir=run", dies("none"))
    assert answer.code == 1
    assert "FloatingPointError: the loss is nan at iteration 41" in answer.err
    kept = {path.name for path in (place / "run" / "failure").iterdir()}
    assert kept == {"batch_41.pt", "batch_41_process_1.pt"}


def test_a_signal_to_the_command_stops_both(tiny, genlab, place: Path) -> None:
    words = [*tiny(trainer__max_steps=100000, callbacks__last__every_seconds=0.1), *TOGETHER, "run_dir=run"]
    ready = place / "run" / "checkpoints" / "last.ckpt"
    process = subprocess.Popen(
        [sys.executable, "-m", "genlab", "train", *words],
        **{"cwd": place, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
    )
    until = time.monotonic() + 120
    while not ready.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    follower_of = children(process.pid)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out.count("training in run") == 1
    assert [line.partition(";")[0] for line in err.strip().splitlines()] == [
        "stopping at the end of this step (again: at once)",
        f"interrupted after {last(place / 'run')['global_step']:,} iterations",
    ]
    assert len(follower_of) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in follower_of)
    more = last(place / "run")["global_step"] + 20
    assert genlab("train", *words, f"trainer.max_steps={more}").code == 0
    assert rows(place / "run")[-1]["step"] == str(more)


def children(pid: int) -> list[int]:
    """The followers among the child processes of ``pid``, where the system tells."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    if not found.is_file():
        pytest.skip("the system does not tell of child processes")
    of_all = [int(word) for word in found.read_text().split()]
    return [each for each in of_all if b"genlab.run.follower" in Path(f"/proc/{each}/cmdline").read_bytes()]


def test_under_torchrun_several_processes_are_refused(tiny, genlab, place: Path, monkeypatch) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    answer = genlab("train", *tiny(), *TOGETHER, "run_dir=run")
    assert answer.code == 2
    assert "`devices` must be 1 under torchrun: genlab starts its processes itself" in answer.err
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[../gloo/transport/tcp/pair.cc:547] Connection closed by peer"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (FloatingPointError("the loss is nan"), False),
    ],
)
def test_errors_of_a_lost_process_are_told_from_others(error: Exception, lost: bool) -> None:
    assert is_lost(error) is lost
