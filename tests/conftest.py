"""What all tests share: hypothesis without a deadline, golden files written anew, and image models trained a little."""

import math
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Networks this small only wait for a second thread, above all where tests run side by side; said before torch is
# imported, so that the commands that tests start heed it too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The first example of a test may compile or load a library: time is no property here. Examples are new at every run
# on a developer's machine, and the same at every run of continuous integration, which is to judge the change alone.
settings.register_profile(
    "genlab",
    deadline=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    max_examples=25 if os.environ.get("CI") else 50,
)
settings.load_profile("genlab")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write the files in tests/golden anew; the commit says why they changed",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


@pytest.fixture
def regenerate_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--regenerate-golden"))


@pytest.fixture(scope="session")
def drawn_in_double() -> Callable[[Any], Any]:
    """A network in double precision with weights of its own, to the last digit the same on every processor.

    Single precision is drawn by vector instructions, whose last digits are not.
    """
    import torch

    def draw(net: Any) -> Any:
        generator = torch.Generator().manual_seed(0)
        for parameter in net.double().parameters():
            if parameter.ndim > 1:
                width = 1 / math.sqrt(parameter[0].numel())
                uniform = torch.rand(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.data.copy_((2 * uniform - 1) * width)
        return net

    return draw


# --- image models ------------------------------------------------------------------------------------------------

NOTICES = (
    ".*does not have many workers.*",
    ".*resuming from a checkpoint that ended before the epoch ended.*",
    ".*LeafSpec.*",
    ".*AMP with fp16 is not supported on CPU.*",
)
"""What Lightning says of itself, and commands keep off the screen."""


@pytest.fixture(scope="session")
def few_digits() -> Callable[..., Any]:
    """Make a room's datamodule on the first digits of scikit-learn: 48 to train on in six batches, 16 held out."""
    from genlab.datasets import image_datamodule

    whole = image_datamodule.load_images("digits", Path())
    few = replace(
        whole,
        train_images=whole.train_images[:64],
        train_labels=whole.train_labels[:64],
        test_images=whole.test_images[:20],
        test_labels=whole.test_labels[:20],
    )

    def make(kind: Callable[..., Any], **options: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(image_datamodule, "load_images", lambda *_: few)
            return kind(**({"dataset": "digits", "batch_size": 8, "val_size": 16} | options))

    return make


@dataclass
class Training:
    """A module after its training, the trainer, and what was logged: (step, figures)."""

    module: Any
    trainer: Any
    lines: list[tuple[int | None, dict[str, float]]]

    def of(self, name: str) -> dict[int | None, float]:
        """A figure by the step that it was logged at."""
        return {step: figures[name] for step, figures in self.lines if name in figures}


@pytest.fixture(scope="session")
def train() -> Callable[..., Training]:
    """Train a module in a real Trainer, on the CPU, and keep what it logs."""
    import pytorch_lightning as pl
    from pytorch_lightning.loggers.logger import DummyLogger

    class Recorder(DummyLogger):
        def __init__(self) -> None:
            super().__init__()
            self.lines: list[tuple[int | None, dict[str, float]]] = []

        def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:  # type: ignore[override]
            self.lines.append((step, dict(metrics)))

    def run(module: Any, data: Any, max_steps: int = -1, checkpoint: Path | None = None, **options: Any) -> Training:
        recorder = Recorder()
        settings: dict[str, Any] = {"max_epochs": -1, "val_check_interval": 1.0} | options
        switched_off = ("enable_checkpointing", "enable_model_summary", "enable_progress_bar")
        with warnings.catch_warnings():
            for notice in NOTICES:
                warnings.filterwarnings("ignore", notice)
            trainer = pl.Trainer(
                max_steps=max_steps,
                accelerator="cpu",
                logger=recorder,
                log_every_n_steps=1,
                num_sanity_val_steps=0,
                **dict.fromkeys(switched_off, False),
                **settings,
            )
            trainer.fit(module, data, ckpt_path=checkpoint, weights_only=True if checkpoint else None)
        return Training(module, trainer, recorder.lines)

    return run


@pytest.fixture(scope="session")
def train_in_two_parts(train: Callable[..., Training]) -> Callable[..., Training]:
    """Train to iteration ``stop``, and on from the checkpoint with another module, whose weights were others."""
    import pytorch_lightning as pl

    from genlab.run.random_state import RandomState

    class StopAt(pl.Callback):
        def __init__(self, iteration: int, path: Path) -> None:
            self.iteration, self.path = iteration, path

        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            if trainer.global_step == self.iteration:
                trainer.save_checkpoint(self.path)
                trainer.should_stop = True

    def run(make: Callable[[int], Any], data: Any, stop: int, max_steps: int, path: Path) -> Training:
        first = train(make(0), data, max_steps, callbacks=[RandomState(), StopAt(stop, path)])
        assert first.trainer.global_step == stop
        resumed = train(make(99), data, max_steps, path, callbacks=[RandomState()])
        assert resumed.trainer.global_step == max_steps
        return resumed

    return run


@pytest.fixture(scope="session")
def assert_bit_for_bit() -> Callable[[Training, Training, int], None]:
    """Weights, buffers, optimisers' moments, rates, and every figure logged after the interruption."""
    import torch

    def state(run: Training) -> dict[str, Any]:
        flat = dict(run.module.state_dict())
        for number, optimizer in enumerate(run.trainer.optimizers):
            flat[f"{number}.lr"] = [group["lr"] for group in optimizer.param_groups]
            for parameter, moments in enumerate(optimizer.state.values()):
                flat |= {f"{number}.{parameter}.{name}": value for name, value in moments.items()}
        return flat

    def compare(run: Training, straight: Training, since: int) -> None:
        own, other = state(run), state(straight)
        assert own.keys() == other.keys()
        for name, value in own.items():
            same = torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
            assert same, name
        names = set().union(*(figures for _, figures in straight.lines)) - {"epoch"}
        assert any(name.startswith("train/") for name in names)
        for name in names:
            expected = {step: value for step, value in straight.of(name).items() if step is not None and step > since}
            assert run.of(name) == expected, name

    return compare


Row = tuple[str, tuple[int, ...], int]
"""A layer's kind, the shape of what it gives for one input, and its parameters."""


@pytest.fixture(scope="session")
def assert_table() -> Callable[..., None]:
    """Compare a network with a table, row by row; ``leave_out`` names kinds of layers that the table has no row for."""
    from torch import Tensor, nn

    def rows(net: nn.Module, x: Tensor, running_statistics: bool) -> list[Row]:
        found: list[Row] = []

        def note(layer: nn.Module, _: Any, y: Tensor) -> None:
            count = sum(parameter.numel() for parameter in layer.parameters())
            if running_statistics:
                count += sum(buffer.numel() for buffer in layer.buffers() if buffer.ndim)
            found.append((type(layer).__name__, tuple(y.shape[1:]), count))

        leaves = [layer for layer in net.modules() if not list(layer.children())]
        handles = [layer.register_forward_hook(note) for layer in leaves]
        net(x)
        for handle in handles:
            handle.remove()
        return found

    def compare(
        title: str,
        net: nn.Module,
        x: Tensor,
        expected: list[Row],
        leave_out: tuple[str, ...] = (),
        running_statistics: bool = False,
    ) -> None:
        found = [row for row in rows(net, x, running_statistics) if row[0] not in leave_out]
        print(f"\n{title}")
        for kind, shape, count in found:
            print(f"  {kind:<18}{shape!s:<18}{count:>10,}")
        print(f"  {'in all':<36}{sum(count for *_, count in found):>10,}")
        for number, (row, other) in enumerate(zip_longest(found, expected), 1):
            assert row == other, f"row {number} of the {title} is {row} and must be {other}"

    return compare
