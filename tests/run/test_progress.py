"""The progress line: whole at any width, and plain lines where there is no terminal."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from genlab.run.progress import SAMPLES, Progress, iterations_in_all


def a_trainer(**changes: Any) -> Any:
    settings = {
        "global_step": 1200,
        "max_steps": 30000,
        "max_epochs": -1,
        "num_training_batches": 10,
        "datamodule": SimpleNamespace(iterations_per_pass=700),
        "callback_metrics": {"train/smoothed_loss": 2.34567, "train/bits_per_char": 3.2, "val/bits_per_char": 3.3},
    }
    return SimpleNamespace(**{**settings, **changes})


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_the_line_fits_any_terminal_with_count_and_speed(width: int) -> None:
    progress, trainer = Progress(), a_trainer()
    progress.console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    progress.on_train_start(trainer, None)
    SAMPLES.info("%s", "a sample\nof two lines " * 20)
    progress.on_train_batch_end(trainer, None, None, None, 0)
    shown = Console(file=io.StringIO(), width=width, record=True)
    shown.print(progress._render())
    progress.on_train_end(trainer, None)
    lines = shown.export_text().splitlines()
    assert len(lines) == 2, "the figures and the sample below them"
    assert all(len(line) <= width for line in lines)
    assert "1,200/30,000" in lines[0]
    assert "it/s" in lines[0]
    assert "…" not in lines[0]
    assert ("bits/char 3.200" in lines[0]) == (width >= 60)
    assert lines[1].startswith("a sample of two lines")
    assert progress._handler not in SAMPLES.handlers


def test_without_a_terminal_lines_are_plain() -> None:
    progress, trainer = Progress(plain_seconds=1e-9), a_trainer()
    output = io.StringIO()
    progress.console = Console(file=output, width=20, highlight=False)
    progress.on_train_start(trainer, None)
    progress.on_train_batch_end(trainer, None, None, None, 0)
    progress.on_train_end(trainer, None)
    first, last = output.getvalue().splitlines()
    assert first.startswith("iteration 1,200 of 30,000  loss 2.346  bits/char 3.200  held out 3.300  ")
    assert "\x1b" not in output.getvalue()
    assert last.startswith("iteration 1,200")


def test_huge_figures_stay_short() -> None:
    figures = Progress()._figures(a_trainer(callback_metrics={"train/smoothed_loss": 1.7e29}))
    assert figures == ["loss 1.7e+29"]


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({}, 30000),
        ({"max_epochs": 2}, 1400),
        ({"max_steps": -1, "max_epochs": 3}, 2100),
        ({"max_steps": -1, "max_epochs": 3, "datamodule": object()}, 30),
        ({"max_steps": -1}, None),
        ({"max_steps": -1, "max_epochs": 3, "datamodule": object(), "num_training_batches": float("inf")}, None),
    ],
)
def test_iterations_in_all(changes: dict[str, Any], total: int | None) -> None:
    assert iterations_in_all(a_trainer(**changes)) == total
