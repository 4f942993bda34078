"""A run folder as the run room writes it, made up: nothing is trained here."""

import csv
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

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


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """``make_run("demo/a", state="failed", reason="...", rows=300)`` gives the folder of a whole run."""

    def make(name: str = "run", *, state: str = "done", reason: str | None = None, rows: int = 300) -> Path:
        folder = tmp_path / name
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
