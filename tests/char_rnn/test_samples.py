"""The samples that training writes: when, after which prompt, where to, and what a resumed run does with them."""

import logging
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genlab.char_rnn.module import CharRnnModule
from genlab.char_rnn.samples import TextSamples


@pytest.fixture
def module() -> CharRnnModule:
    return CharRnnModule(partial(torch.optim.SGD, lr=0.1), "\n HRaory", ["Har", "Ro"], hidden_size=4)


def follow(folder: Path, module: CharRnnModule, iterations: list[int], loggers: tuple[Any, ...] = ()) -> str:
    """Run the callback as a trainer would that starts at the first iteration and ends steps at the others."""
    trainer: Any = SimpleNamespace(default_root_dir=folder, global_step=iterations[0], loggers=loggers)
    samples = TextSamples(every=100, length=12)
    samples.on_train_start(trainer, module)
    for iteration in iterations[1:]:
        trainer.global_step = iteration
        samples.on_train_batch_end(trainer, module, None, None, 0)
    path = folder / "samples" / "training.txt"
    return path.read_text() if path.is_file() else ""


def headings(text: str) -> list[tuple[int, str]]:
    return [
        (int(i), p)
        for i, p in re.findall(r"^=== iteration (\d+) \| smoothed loss \d+\.\d+ \| prompt '(\w*)' ===$", text, re.M)
    ]


def test_a_sample_is_drawn_whenever_a_multiple_is_passed(
    tmp_path: Path, module: CharRnnModule, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "genlab.samples"):
        text = follow(tmp_path, module, [0, 60, 99, 130, 199, 200, 450])
    assert headings(text) == [(130, "Ro"), (200, "Har"), (450, "Har")]
    (expected,) = module.sample(1, 12, temperature=0.8, seed=130, prompts=["Ro"])
    assert f"===\nRo{expected}\n\n===" in text
    assert [record.getMessage()[:2] for record in caplog.records] == ["Ro", "Ha", "Ha"]


def test_a_resumed_run_writes_what_the_straight_one_would_have_written(tmp_path: Path, module: CharRnnModule) -> None:
    straight = follow(tmp_path / "straight", module, [0, 100, 200, 300, 400])
    follow(tmp_path / "resumed", module, [0, 100, 200, 300])
    assert follow(tmp_path / "resumed", module, [200, 300, 400]) == straight
    assert follow(tmp_path / "resumed", module, [0, 100]) == straight[: straight.index("=== iteration 200")]


def test_a_text_without_names_is_sampled_from_the_start_of_a_line(tmp_path: Path, module: CharRnnModule) -> None:
    module.prompts = []
    assert headings(follow(tmp_path, module, [0, 100])) == [(100, "")]


def test_every_logger_that_takes_text_gets_it(tmp_path: Path, module: CharRnnModule) -> None:
    texts: list[Any] = []
    board = SimpleNamespace(add_text=lambda name, text, step: texts.append((name, text, step)))
    follow(tmp_path, module, [0, 100, 200], (SimpleNamespace(experiment=board), SimpleNamespace()))
    (text,) = module.sample(1, 12, temperature=0.8, seed=100, prompts=["Ro"])
    assert texts[0] == ("samples", f"**Ro**{text}", 100)
    assert [step for _, _, step in texts] == [100, 200]


def test_tables_of_samples_are_few_and_the_last_has_them_all(tmp_path: Path, module: CharRnnModule) -> None:
    tables: list[Any] = []
    trainer: Any = SimpleNamespace(default_root_dir=tmp_path, global_step=0)
    trainer.loggers = [SimpleNamespace(log_text=lambda **table: tables.append(table))]
    samples = TextSamples(every=100, length=3)
    samples.on_train_start(trainer, module)
    for trainer.global_step in range(100, 1301, 100):
        samples.on_train_batch_end(trainer, module, None, None, 0)
    samples.on_train_end(trainer, module)
    assert [len(table["data"]) for table in tables] == [1, 2, 4, 8, 13]
    assert [table["step"] for table in tables] == [100, 200, 400, 800, 1300]
    assert (tables[0]["key"], tables[0]["columns"]) == ("samples", ["iteration", "prompt", "text"])
    (text,) = module.sample(1, 3, temperature=0.8, seed=100, prompts=["Ro"])
    assert tables[0]["data"] == [[100, "Ro", text]]


@pytest.mark.parametrize("name", ["every", "length", "temperature"])
def test_what_is_out_of_range_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^`{name}` must "):
        TextSamples(**{name: 0})


def test_the_share_of_words_that_are_words_is_logged_and_averaged(tmp_path: Path, module: CharRnnModule) -> None:
    logged: list[tuple[int, dict[str, float]]] = []
    data = SimpleNamespace(train_text="Harry a ha")
    logger = SimpleNamespace(log_metrics=lambda figures, step: logged.append((step, figures)))
    trainer: Any = SimpleNamespace(default_root_dir=tmp_path, global_step=0, loggers=[logger], datamodule=data)
    texts = iter([" Ha a. ", "rry ro ", "Hary Hary.", "..."])
    module.sample = lambda *_, **__: [next(texts)]  # type: ignore[method-assign]
    module.prompts = [""]
    module._trainer = trainer
    samples = TextSamples(every=10)
    samples.on_train_start(trainer, module)
    for iteration in (10, 20, 30, 40):
        trainer.global_step = iteration
        samples.on_train_batch_end(trainer, module, None, None, 0)
    assert [figures["train/valid_words"] for _, figures in logged] == [1, 0, 0], "no words, no share"
    assert [figures["train/smoothed_valid_words"] for _, figures in logged] == pytest.approx([0.1, 0.09, 0.081])
    assert [step for step, _ in logged] == [10, 20, 30]
    again = TextSamples(every=10)
    again.load_state_dict(samples.state_dict())
    assert again.smoothed_valid_words == pytest.approx(0.081)
