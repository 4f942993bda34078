"""A run folder as the run room writes it, made up: nothing is trained here."""

import copy
import csv
import itertools
import json
import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from genlab.reporting.sheets import contact_sheet, save_png
from genlab.studies.folder import StudyRecord, read_study

SENTENCE = "Harry went down the long corridor and Ron said that the stone was gone ."

CONFIG: dict[str, Any] = {
    "name": "char_rnn",
    "seed": 0,
    "data": {"corpus": "tiny_shakespeare", "text": None, "seq_len": 20, "batch_size": 1, "val_fraction": 0.1},
    "model": {"hidden_size": 256, "num_layers": 1, "init": "xavier", "dropout": 0.0, "engine": "auto"},
    "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.001},
    "trainer": {"max_steps": 30000, "precision": "32-true"},
}
PROVENANCE: dict[str, Any] = {
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "dirty": True,
    "command": "genlab train experiment=char_rnn seed=0",
    "versions": {"python": "3.11.2", "torch": "2.14.1", "numpy": "2.4.6"},
    "machine": {"cpu": "a made-up CPU", "cores": 2, "memory_gb": 8},
    "seed": 0,
    "engine": "numba",
    "data": {"name": "tiny_shakespeare", "sha256": "ab" * 32},
    "started": "2026-01-02T03:04:05+00:00",
}
EVALUATION: dict[str, dict[str, Any]] = {
    "bits_per_char": {
        "value": 2.4131,
        "unit": "bits per character",
        "count": 111539,
        "seed": None,
        "bits_standard_error": 0.0123,
        "block_length": 1000,
    },
    "valid_words": {
        "value": 0.7123,
        "unit": "share of generated words",
        "interval": [0.7012, 0.7234],
        "count": 3500,
        "seed": 0,
        "temperature": 0.8,
        "held_out_in_train": {"value": 0.9421, "interval": [0.93, 0.95]},
        "unknown_words": ["corridorn"],
        "by_temperature": [{"temperature": 0.4, "value": 0.91}, {"temperature": 1.4, "value": 0.31}],
    },
    "copied_run": {
        "value": 42,
        "unit": "characters",
        "count": 20,
        "seed": 0,
        "held_out": {"value": 31},
        "longest_run": "and the " * 60,
    },
    "ngram_floor": {
        "value": 2.408,
        "unit": "bits per character",
        "count": 111539,
        "seed": None,
        "by_order": [
            {"order": 1, "nats": 3.347, "bits": 4.829},
            {"order": 2, "nats": 2.486, "bits": 3.587},
            {"order": 3, "nats": 2.049, "bits": 2.956},
            {"order": 5, "nats": 1.669, "bits": 2.408},
        ],
    },
}


def _text(length: int, seed: int) -> str:
    draw = random.Random(seed)
    words: list[str] = []
    while sum(len(word) + 1 for word in words) < length:
        words.append(draw.choice(SENTENCE.split()) + ("\n" if draw.random() < 0.06 else ""))
    return " ".join(words)[:length]


def _write_metrics(path: Path, rows: int) -> None:
    draw = random.Random(0)
    names = [
        "train/loss",
        "train/smoothed_loss",
        "train/bits_per_char",
        "train/accuracy",
        "train/smoothed_accuracy",
    ]
    names += ["train/iterations_per_second", "val/loss", "val/bits_per_char"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", *names])
        for row in range(1, rows + 1):
            smooth = 1.7 + 2.5 * math.exp(-row / (0.12 * rows))
            loss = smooth + draw.gauss(0, 0.25)
            right = 0.52 - 0.45 * math.exp(-row / (0.12 * rows))
            held_out: list[object] = ["", ""]
            if row % max(1, rows // 10) == 0:
                held_out = [smooth + 0.03, (smooth + 0.03) / math.log(2)]
            train = [loss, smooth, loss / math.log(2), right + draw.gauss(0, 0.07), right, 2900.5]
            writer.writerow([row * 100, *train, *held_out])


def _write_samples(folder: Path) -> None:
    folder.mkdir()
    temperatures = (0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
    by_temperature = [f"=== temperature {t} ===\n\n{_text(500, int(10 * t))}\n\n" for t in temperatures]
    (folder / "temperature.txt").write_text("".join(by_temperature), encoding="utf-8")
    (folder / "generated_text.txt").write_text(_text(1000, 1) + "\n", encoding="utf-8")
    training = [
        f"=== iteration {100 * n} | smoothed loss {4.2 - n / 20:.3f} | prompt 'Har' ===\n{text}\n\n"
        for n, text in ((n, f"Har{_text(200, n)}") for n in range(1, 31))
    ]
    (folder / "training.txt").write_text("".join(training), encoding="utf-8")


def runs_in(root: Path) -> Callable[..., Path]:
    """What makes run folders below ``root``: see the fixture ``make_run``."""

    def make(name: str = "run", *, state: str = "done", reason: str | None = None, rows: int = 300) -> Path:
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
        status = {
            "state": state,
            "reason": reason,
            "started": PROVENANCE["started"],
            "ended": "2026-01-02T03:05:15+00:00",
            "seconds": 70.4,
            "iterations": rows * 100,
            "metrics": {"val/bits_per_char": 2.5},
        }
        (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
        (folder / "provenance.json").write_text(json.dumps(PROVENANCE), encoding="utf-8")
        _write_metrics(folder / "metrics.csv", rows)
        _write_samples(folder / "samples")
        (folder / "evaluation").mkdir()
        for measure, result in EVALUATION.items():
            content = {**result, "checkpoint_sha256": "cd" * 32}
            (folder / "evaluation" / f"{measure}.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """``make_run("demo/a", state="failed", reason="...", rows=300)`` gives the folder of a whole run."""
    return runs_in(tmp_path)


# --- studies -----------------------------------------------------------------------------------------------------

Measure = Callable[[Mapping[str, Any], int, int], dict[str, dict[str, Any]]]
"""The results of a run, by name, from its arm, its seed and the pass (the last one of training, or one before)."""

CAPACITY: dict[str, Any] = {
    "question": "Does the loss fall with more time steps & with more hidden units?",
    "experiment": "char_rnn",
    "grid": {"model.hidden_size": [100, 256], "data.seq_len": [20, 30, 50]},
    "seeds": [0, 1, 2],
    "evaluate": {"measures": ["bits_per_char", "valid_words"]},
    "quantities": {
        "bits": {"from": "bits_per_char", "label": "held-out text", "unit": "bits/char", "better": "lower"},
        "words": {"from": "valid_words", "label": "valid words", "better": "higher", "digits": 2},
        "by_temperature": {"from": "valid_words", "each": "by_temperature.temperature", "label": "valid words"},
    },
    "figures": [
        {"lines": "bits", "along": "seq_len", "by": "hidden_size"},
        {"points": ["bits", "words"], "along": "arm"},
        {"heat": "bits", "along": ["hidden_size", "seq_len"]},
        {"scatter": ["bits", "words"], "by": "hidden_size"},
        {"curves": "train/loss", "by": "hidden_size", "of": {"seq_len": 20}},
        {"lines": "by_temperature", "along": "temperature", "by": "arm"},
        {"grids": True},
    ],
    "claims": {
        "R1": {
            "statement": "loss falls as time steps go from 20 to 50, at any hidden size",
            "all": [{"falls": "bits", "along": "seq_len", "within": "hidden_size"}],
        },
        "R2": {
            "statement": "loss falls as hidden size goes from 100 to 256",
            "all": [{"lower": "bits", "of": {"hidden_size": 256}, "than": {"hidden_size": 100}, "within": "seq_len"}],
        },
    },
}

DROPOUT: dict[str, Any] = {
    "question": "What does dropout in the discriminator cost?",
    "experiment": "dcgan",
    "arms": {
        "3 layers": {"model.discriminator.num_layers": 3},
        "4 layers, dropout 0": {"model.dropout": 0.0},
        "4 layers, dropout 0.4": {"model.dropout": 0.4},
    },
    "seeds": [0, 1, 2],
    "evaluate": {"measures": ["fid_mnist_cnn"], "passes": [1, 2]},
    "quantities": {
        "fid": {"from": "fid_mnist_cnn", "label": "FID (mnist_cnn)", "better": "lower", "digits": 2},
        "reached": {
            "logged": "train/loss",
            "take": "first_at_most",
            "threshold": 1.75,
            "unit": "iterations",
            "digits": 0,
        },
    },
    "figures": [
        {"lines": "fid", "along": "epoch", "by": "arm", "log": "y"},
        {"points": ["fid", "reached"]},
        {"lines": "fid", "along": "dropout", "name": "fid_by_dropout"},
        {"grids": True},
    ],
    "claims": {},
}


def measure_text(arm: Mapping[str, Any], seed: int, epoch: int) -> dict[str, dict[str, Any]]:
    """Fewer bits the more there is of anything, and a different noise for each seed."""
    draw = random.Random(f"{sorted(arm.items())} {seed}")
    bits = 2.6 - 0.002 * arm.get("hidden_size", 100) - 0.004 * arm.get("seq_len", 20) + draw.gauss(0, 0.02)
    by_temperature = [{"temperature": t, "value": 1.1 - 0.4 * t + draw.gauss(0, 0.02)} for t in (0.4, 0.8, 1.2)]
    words = {"value": 1.2 - 0.25 * bits + draw.gauss(0, 0.01), "count": 100, "by_temperature": by_temperature}
    return {"bits_per_char": {"value": bits, "unit": "bits per character", "count": 1000}, "valid_words": words}


def measure_images(arm: Mapping[str, Any], seed: int, epoch: int) -> dict[str, dict[str, Any]]:
    """A distance that falls with the passes and rises with what stands last in the arm's name."""
    draw = random.Random(f"{sorted(arm.items())} {seed} {epoch}")
    worse = {"3 layers": 1.3, "4 layers, dropout 0.4": 1.8}.get(arm["arm"], 1.0)
    return {"fid_mnist_cnn": {"value": 40 * worse / epoch + draw.gauss(0, 0.6), "unit": "", "count": 1000}}


def _write_job(folder: Path, definition: Mapping[str, Any], arm: dict[str, Any], seed: int, measure: Measure) -> None:
    (folder / "samples").mkdir(parents=True)
    passes = (definition.get("evaluate") or {}).get("passes") or []
    last = (definition.get("settings") or {}).get("trainer.max_epochs", 4)
    config = {"name": definition["experiment"], "seed": seed, "trainer": {"max_epochs": last}, **arm}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    provenance = {"commit": "0123456789abcdef", "seed": seed, "data": {"name": "made up"}}
    (folder / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    status = {"state": "done", "reason": None, "seconds": 61.0 + seed, "iterations": 3000}
    (folder / "status.json").write_text(json.dumps(status), encoding="utf-8")
    draw = random.Random(seed)
    losses = [1.7 + 2 * math.exp(-row / 40) + draw.gauss(0, 0.05) for row in range(300)]
    lines = [f"{10 * row},{loss}" for row, loss in enumerate(losses, 1)]
    (folder / "metrics.csv").write_text("step,train/loss\n" + "\n".join(lines) + "\n", encoding="utf-8")
    for epoch in [*passes, last]:
        place = folder / "evaluation" / ("" if epoch == last else f"epoch_{epoch:04d}")
        place.mkdir(parents=True, exist_ok=True)
        for name, result in measure(arm, seed, epoch).items():
            (place / f"{name}.json").write_text(json.dumps({"seed": 0, **result}), encoding="utf-8")
    if passes:
        for epoch in passes:
            images = np.random.default_rng(epoch).integers(0, 255, (64, 8, 8), dtype=np.uint8)
            save_png(contact_sheet(images, 8), folder / "samples" / f"epoch_{epoch:04d}.png")
    else:
        texts = [f"=== temperature {t} ===\n\n{_text(200, seed)}\n\n" for t in (0.4, 0.8)]
        (folder / "samples" / "temperature.txt").write_text("".join(texts), encoding="utf-8")


def studies_in(root: Path) -> Callable[..., StudyRecord]:
    """What makes studies below ``root``: see the fixture ``make_study``."""

    def make(
        name: str,
        definition: Mapping[str, Any],
        measure: Measure,
        *,
        budget: str = "quick",
        ended: Mapping[str, tuple[str, str]] | None = None,
    ) -> StudyRecord:
        folder = root / name / budget
        axes = {key.rpartition(".")[2]: values for key, values in (definition.get("grid") or {}).items()}
        axes = {**({"arm": list(definition["arms"])} if definition.get("arms") else {}), **axes}
        jobs = []
        for seed, values in itertools.product(definition["seeds"], itertools.product(*axes.values())):
            arm = dict(zip(axes, values, strict=True))
            words = ",".join(f"{axis}={value}" for axis, value in {**arm, "seed": seed}.items())
            state, reason = (ended or {}).get(words, ("", ""))
            jobs.append({"number": len(jobs), "name": words, "arm": arm, "seed": seed, "folder": words})
            jobs[-1].update(state=state, reason=reason)
            if state != "waiting":
                _write_job(folder / words, definition, arm, seed, measure)
                if state:
                    (folder / words / "status.json").write_text(json.dumps({"state": state, "reason": reason}))
        plan = {"name": name, "budget": budget, "definition": dict(definition), "jobs": jobs}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.json").write_text(json.dumps(plan), encoding="utf-8")
        return read_study(folder)

    return make


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., StudyRecord]:
    """``make_study("rnn_capacity", CAPACITY, measure_text, ended={"hidden_size=100,seed=0": ("failed", "nan")})``.

    Every job that is not in ``ended`` is done; a job that has ended as ``waiting`` has no run.
    """
    return studies_in(tmp_path)


@pytest.fixture
def capacity_definition() -> dict[str, Any]:
    """A study of a text model over two axes, with every kind of figure and two claims."""
    return copy.deepcopy(CAPACITY)


@pytest.fixture
def dropout_definition() -> dict[str, Any]:
    """A study of an image model with named arms, measured after passes."""
    return copy.deepcopy(DROPOUT)


@pytest.fixture(name="measure_text")
def measure_text_fixture() -> Measure:
    return measure_text


@pytest.fixture(name="measure_images")
def measure_images_fixture() -> Measure:
    return measure_images


def capacity_in(root: Path) -> StudyRecord:
    """Eighteen runs of a text model, one of which has failed."""
    failed = {"hidden_size=256,seq_len=50,seed=2": ("failed", "FloatingPointError: the loss is nan")}
    return studies_in(root)("capacity", CAPACITY, measure_text, ended=failed)


def dropout_in(root: Path) -> StudyRecord:
    """Nine runs of an image model; two have not begun."""
    waiting = {f"arm=3 layers,seed={seed}": ("waiting", "") for seed in (1, 2)}
    return studies_in(root)("dropout", DROPOUT, measure_images, ended=waiting)


@pytest.fixture
def capacity(tmp_path: Path) -> StudyRecord:
    return capacity_in(tmp_path)


@pytest.fixture
def dropout(tmp_path: Path) -> StudyRecord:
    return dropout_in(tmp_path)


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[StudyRecord], Callable[..., Path]]:
    """Both studies, and what makes runs beside them, for tests that change nothing of them."""
    root = tmp_path_factory.mktemp("made_up")
    return [capacity_in(root), dropout_in(root)], runs_in(root)
