"""Char-RNN training: the command ``genlab train`` as it is, its engine alone, and the peers, on the same windows."""

import csv
import io
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from genlab.benchmarks.children import AS_IN_A_TERMINAL, environment
from genlab.benchmarks.clock import clock_words, read_clock
from genlab.benchmarks.peers import CLIP, LEARNING_RATE, MinCharRnn, RnnLoop
from genlab.benchmarks.rounds import Case, Measure, alternate, compare, thread_settings, with_threads
from genlab.char_rnn.data import CharRnnDataModule, Chunk, Streams
from genlab.char_rnn.engines import make_engine
from genlab.char_rnn.nets import CharRnn
from genlab.run.hydra_app import run_verb

Train = Callable[[Tensor, Tensor, Tensor], list[float]]

OURS, ENGINE, RNN, NUMPY = "genlab train", "engine alone", "nn.RNN loop", "NumPy min-char-rnn"

# Losses are compared over so many updates, in which float32 and float64 do not yet drift apart.
AGREEING_UPDATES = 20
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Setting:
    """One size and how long it is measured.

    ``genlab train`` runs ``warm_up + updates`` iterations, the first of them unmeasured; with 100 windows a step 5,000
    measured updates hold exactly one validation with its checkpoint, and fifty samples. A peer does nothing but
    train, so that its rate is the same over fewer updates: as many as fit into ``slice_seconds``.
    """

    hidden_size: int
    seq_len: int
    batch_size: int = 1
    windows_per_step: int = 100
    warm_up: int = 100
    updates: int = 5000
    slice_seconds: float = 0.4

    @property
    def size(self) -> str:
        """As tables name it: hidden units x time steps."""
        return f"{self.hidden_size}x{self.seq_len}"


def training_case(setting: Setting, rounds: int, folder: Path) -> Case:
    """Check that all contenders come to the same losses, and measure their updates a second."""
    streams = data_of(setting).streams
    weights, losses = first_losses(setting, folder / "agreement")
    loops = bare_loops(setting.batch_size, weights)
    difference = max(difference_from(losses, name, train, streams) for name, train in loops.items())
    contenders: dict[str, Measure] = {OURS: GenlabTrain(setting, folder).rate}
    for name, train in bare_loops(setting.batch_size, weights).items():
        at_once = setting.windows_per_step if name == ENGINE else 5
        contenders[name] = Slices(train, Reader(streams, at_once), setting.slice_seconds).rate
    rates = alternate(contenders, rounds)
    what = f"training, batch {setting.batch_size}"
    targets = {RNN: 4.0, NUMPY: 6.0, ENGINE: 0.9} if setting.batch_size == 1 else {RNN: 1.0, ENGINE: 0.9}
    comparisons = [compare(rates, OURS, peer, target) for peer, target in targets.items()]
    return Case(what, setting.size, "updates/s", rates, comparisons, difference)


def data_of(setting: Setting) -> CharRnnDataModule:
    """The datamodule that ``genlab train`` makes for this setting."""
    return CharRnnDataModule(seq_len=setting.seq_len, batch_size=setting.batch_size)


# --- genlab train ------------------------------------------------------------------------------------------------


def char_rnn_words(setting: Setting, folder: Path, max_steps: int, windows_per_step: int) -> list[str]:
    """The overrides of ``genlab train`` on the default corpus, with a ``Clock`` beside its callbacks."""
    return [
        "experiment=char_rnn",
        f"run_dir={folder}",
        "seed=0",
        "data.corpus=python_docs",
        f"data.seq_len={setting.seq_len}",
        f"data.batch_size={setting.batch_size}",
        f"data.windows_per_step={windows_per_step}",
        f"model.hidden_size={setting.hidden_size}",
        f"optimizer.lr={LEARNING_RATE}",
        f"trainer.max_steps={max_steps}",
        "trainer.accelerator=cpu",
        *clock_words(folder),
    ]


def genlab_train(
    setting: Setting, folder: Path, max_steps: int, windows_per_step: int, more: Sequence[str] = ()
) -> None:
    """Run the command, with ``more`` words, with its output, a terminal's, kept off the screen.

    Raises ``RuntimeError`` with the command's words where it fails.
    """
    words = [*char_rnn_words(setting, folder, max_steps, windows_per_step), *more]
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said), environment(AS_IN_A_TERMINAL):
        code = run_verb("train", words)
    if code != 0:
        raise RuntimeError(f"genlab train {' '.join(words)} ended with {code}: {said.getvalue()}")


@dataclass
class GenlabTrain:
    """A whole run a round, in a new folder; what is timed is the loop between two ends of a step."""

    setting: Setting
    folder: Path

    def rate(self) -> float:
        """Updates a second after the warm-up."""
        run, setting = self.folder / "run", self.setting
        genlab_train(setting, run, setting.warm_up + setting.updates, setting.windows_per_step)
        _, times = read_clock(run)
        shutil.rmtree(run)
        return setting.updates / (times[setting.warm_up + setting.updates] - times[setting.warm_up])


def first_losses(setting: Setting, run: Path) -> tuple[dict[str, Tensor], list[float]]:
    """The weights that ``genlab train`` starts from, and its first losses as ``metrics.csv`` has them."""
    genlab_train(setting, run, AGREEING_UPDATES, windows_per_step=1)
    weights, losses = initial_weights(run), logged_losses(run / "metrics.csv")
    shutil.rmtree(run)
    return weights, losses


def initial_weights(run: Path) -> dict[str, Tensor]:
    """The network's weights that a ``Clock`` has kept."""
    content = torch.load(run / "initial_weights.pt", weights_only=True)
    return {name.removeprefix("net."): value for name, value in content.items()}


def logged_losses(file: Path) -> list[float]:
    """The training losses in a ``metrics.csv``, in their order."""
    with file.open(newline="", encoding="utf-8") as lines:
        return [float(row["train/loss"]) for row in csv.DictReader(lines) if row["train/loss"]]


# --- bare loops --------------------------------------------------------------------------------------------------


class EngineLoop:
    """The engine that ``genlab train`` would choose, without Lightning around it."""

    def __init__(self, weights: Mapping[str, Tensor], streams: int) -> None:
        vocab_size, hidden_size = weights["head.weight"].shape
        net = CharRnn(vocab_size, hidden_size)
        net.load_state_dict(weights)
        self.net = net
        optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
        self.engine = make_engine("auto", net, optimizer, CLIP, streams)
        self.h_LBH = net.initial_state(streams)

    def train(self, x_NTB: Tensor, y_NTB: Tensor, resets_N: Tensor) -> list[float]:
        """One update a window; the losses (nats a character) before each."""
        lrs = [LEARNING_RATE] * len(x_NTB)
        losses, _, self.h_LBH = self.engine.train(x_NTB, y_NTB, resets_N, self.h_LBH, lrs)
        return [float(loss) for loss in losses]


def bare_loops(batch_size: int, weights: Mapping[str, Tensor]) -> dict[str, Train]:
    """Everybody who trains outside Lightning, starting from ``weights``; the NumPy way knows one stream only."""
    loops: dict[str, Train] = {ENGINE: EngineLoop(weights, batch_size).train}
    for words, number in thread_settings().items():
        loops[f"{RNN}, {words}"] = with_threads(number, RnnLoop(weights).train)
    if batch_size == 1:
        loops[NUMPY] = MinCharRnn(weights).train
    return loops


def difference_from(losses: Sequence[float], name: str, train: Train, streams: Streams) -> float:
    """The largest difference from ``losses`` in the first updates; raises ``RuntimeError`` beyond the tolerance."""
    found = train(*streams.chunk(0, len(losses)))
    difference = max(abs(a - b) for a, b in zip(found, losses, strict=True))
    if difference > TOLERANCE:
        raise RuntimeError(f"{name} differs from {OURS} by {difference:.3g} nats: they do not do the same")
    return difference


class Reader:
    """Hands out the endless stream of windows in order, at most ``most`` in a chunk."""

    def __init__(self, streams: Streams, most: int) -> None:
        self.streams, self.most, self.at = streams, most, 0

    def take(self, count: int) -> list[Chunk]:
        """The next ``count`` windows."""
        chunks, end = [], self.at + count
        while self.at < end:
            left_in_pass = self.streams.windows_per_pass - self.at % self.streams.windows_per_pass
            stop = min(self.at + self.most, self.at + left_in_pass, end)
            chunks.append(self.streams.chunk(self.at, stop))
            self.at = stop
        return chunks


class Slices:
    """A bare loop that trains on through the text, a slice of it a round; cutting the windows is not timed.

    A slice is as many of the reader's chunks as take ``seconds``, at least one.
    """

    def __init__(self, train: Train, reader: Reader, seconds: float) -> None:
        self.train, self.reader = train, reader
        self._time(reader.most)
        self.chunks = max(1, round(seconds / self._time(reader.most)))

    def rate(self) -> float:
        """Updates a second over the next slice, after some that are not timed."""
        self._time(-(-self.chunks // 10) * self.reader.most)
        count = self.chunks * self.reader.most
        return count / self._time(count)

    def _time(self, count: int) -> float:
        chunks = self.reader.take(count)
        began = time.perf_counter()
        for chunk in chunks:
            self.train(*chunk)
        return time.perf_counter() - began
