"""The NumPy twin trains by itself: no torch, no Lightning, no config.

``python -m genlab.char_rnn.numpy_trainer TEXT`` trains on a file, folder or glob (without TEXT: on the documentation
that ships inside CPython) and shows the smoothed loss and a sample every 100 iterations, as Karpathy's min-char-rnn
does. One iteration is one window of one stream and one update; the state is carried from window to window and zeroed
at the text's start.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genlab.char_rnn.numpy_optimizers import RULES, Hyper, Moments
from genlab.char_rnn.numpy_sampling import sample
from genlab.char_rnn.numpy_twin import (
    Array,
    Indices,
    Parameters,
    count_parameters,
    forward,
    train_windows,
    view_parameters,
)
from genlab.char_rnn.text import Vocabulary, to_ascii
from genlab.checks import at_least, in_range, one_of, positive, refuse
from genlab.datasets.corpora import load_text

SMOOTHING = 0.999  # the weight of the past in the smoothed loss, as in min-char-rnn
REPORT_EVERY = 100
SAMPLE_LENGTH = 200


class Rule(NamedTuple):
    """An optimiser's name among the update rules, and the constants that torch and the configs give it."""

    name: str
    lr: float
    decay: float = 0.0
    decay2: float = 0.0
    eps: float = 0.0
    weight_decay: float = 0.0


OPTIMIZERS = {
    "sgd": Rule("SGD", 1e-1),
    "rmsprop": Rule("RMSprop", 1e-3, decay=0.99, eps=1e-8),
    "adagrad": Rule("Adagrad", 1e-1, eps=1e-10),
    "adam": Rule("Adam", 1e-3, decay=0.9, decay2=0.999, eps=1e-8),
    "adamw": Rule("AdamW", 1e-3, decay=0.9, decay2=0.999, eps=1e-8, weight_decay=1e-2),
}


@dataclass(frozen=True)
class Settings:
    """How to train. ``lr`` None is the optimiser's usual rate; ``momentum`` is SGD's alone.

    ``clip`` bounds every gradient's elements; ``carry_state`` False zeroes the state before every window, which
    shows what carrying it is worth. Raises ``ValueError`` for a value out of range, with the option that sets it.
    """

    hidden_size: int = 100
    num_layers: int = 1
    seq_len: int = 25
    optimizer: str = "adagrad"
    lr: float | None = None
    momentum: float = 0.0
    iterations: int = 10_000
    seed: int = 0
    dtype: str = "float32"
    clip: float = 5.0
    carry_state: bool = True

    def __post_init__(self) -> None:
        at_least("hidden_size", self.hidden_size, 1, "--hidden")
        at_least("num_layers", self.num_layers, 1, "--layers")
        at_least("seq_len", self.seq_len, 1, "--steps")
        one_of("optimizer", self.optimizer, OPTIMIZERS, "--optimizer")
        if self.lr is not None:
            positive("lr", self.lr, "--lr")
        in_range("momentum", self.momentum, 0, 1, "--momentum", high_open=True)
        if self.momentum and self.optimizer != "sgd":
            raise refuse("momentum", f"be 0 with {self.optimizer}: only sgd has it", self.momentum, "--momentum")
        at_least("iterations", self.iterations, 1, "--iterations")
        at_least("seed", self.seed, 0, "--seed")
        one_of("dtype", self.dtype, ("float32", "float64"), "--dtype")
        positive("clip", self.clip, "--clip")

    def constants(self, first: int, count: int) -> Array:
        """The rows of ``Hyper`` (count, 7) for the updates after the first ``first``."""
        rule = OPTIMIZERS[self.optimizer]
        decay = self.momentum if self.optimizer == "sgd" else rule.decay
        steps = np.arange(first + 1, first + 1 + count, dtype=np.float64)
        columns = Hyper(
            lr=rule.lr if self.lr is None else self.lr,
            decay=decay,
            decay2=rule.decay2,
            eps=rule.eps,
            weight_decay=rule.weight_decay,
            debias1=1 - decay**steps,
            debias2=1 - rule.decay2**steps,
        )
        rows = [np.broadcast_to(np.asarray(column), steps.shape) for column in columns]
        return np.stack(rows, axis=1).astype(self.dtype)


class Report(NamedTuple):
    """What is said while training: the iteration, the smoothed loss (nats a character), a sample's indices (T,)."""

    iteration: int
    smoothed_loss: float
    sample_T: Indices


class Trained(NamedTuple):
    """The parameters, views of ``flat_P``; the loss of every window before its update, and its average (N,)."""

    params: Parameters
    flat_P: Array
    losses_N: NDArray[np.float64]
    smoothed_N: NDArray[np.float64]


def initial_parameters(vocab_size: int, settings: Settings) -> Array:
    """A flat vector (P,) drawn uniformly from +-1/sqrt(hidden_size), weights and biases alike, by the seed."""
    bound = 1 / np.sqrt(settings.hidden_size)
    size = count_parameters(vocab_size, settings.hidden_size, settings.num_layers)
    return np.random.default_rng(settings.seed).uniform(-bound, bound, size).astype(settings.dtype)


def train(
    indices_T: Indices, vocab_size: int, settings: Settings, on_report: Callable[[Report], None] | None = None
) -> Trained:
    """Train on an encoded text; ``on_report`` is called every 100 iterations and at the last.

    Raises ``ValueError`` for a text that is shorter than one window or has indices outside the vocabulary,
    ``FloatingPointError`` when the loss is no number any more.
    """
    _check_text(indices_T, vocab_size, settings.seq_len)
    sizes = vocab_size, settings.hidden_size, settings.num_layers
    p = initial_parameters(vocab_size, settings)
    flat = Moments(p, np.zeros_like(p), np.zeros_like(p), np.zeros_like(p))
    params, grads = view_parameters(flat.p, *sizes), view_parameters(flat.g, *sizes)
    h_LBH = np.zeros((settings.num_layers, 1, settings.hidden_size), p.dtype)
    rule, limit = RULES[OPTIMIZERS[settings.optimizer].name], p.dtype.type(settings.clip)
    losses_N = np.empty(settings.iterations)
    smoothed_N = np.empty(settings.iterations)
    average = float(np.log(vocab_size))
    for start, stop, x_NTB, y_NTB, resets_N in _chunks(indices_T, settings):
        hyper_N7 = settings.constants(start, stop - start)
        with np.errstate(over="ignore", invalid="ignore"):  # a run that diverges is told so below
            losses, _ = train_windows(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit)
        _refuse_non_finite(losses, start)
        losses_N[start:stop] = losses
        for n, loss in enumerate(losses, start):
            average = smoothed_N[n] = SMOOTHING * average + (1 - SMOOTHING) * loss
        if on_report and (stop % REPORT_EVERY == 0 or stop == settings.iterations):
            drawn = continue_text(params, y_NTB[-1, -1:], h_LBH, SAMPLE_LENGTH, seed=[settings.seed, stop])
            on_report(Report(stop, average, drawn))
    return Trained(params, flat.p, losses_N, smoothed_N)


def continue_text(
    params: Parameters, x_TB: Indices, h_LBH: Array, length: int, temperature: float = 1.0, seed: Any = 0
) -> Indices:
    """Read ``x_TB`` (T, 1) from the state ``h_LBH``, which stays as it is, and draw what follows (length,)."""
    logits, h_all = forward(x_TB, h_LBH, params)
    uniforms = np.random.default_rng(seed).random((length, 1))
    return sample(logits[-1:], h_all[:, -1].copy(), uniforms, params, temperature, 0, 1.0)[:, 0]


_Chunk = tuple[int, int, Indices, Indices, NDArray[np.bool_]]


def _chunks(indices_T: Indices, settings: Settings) -> Iterator[_Chunk]:
    """Windows (N, T, 1) from one report, or one start of the text, to the next."""
    length = settings.seq_len
    per_pass = (len(indices_T) - 1) // length
    start = 0
    while start < settings.iterations:
        first = start % per_pass
        to_report = REPORT_EVERY - start % REPORT_EVERY
        count = min(to_report, per_pass - first, settings.iterations - start)
        begin, end = first * length, (first + count) * length
        resets_N = np.full(count, not settings.carry_state)
        resets_N[0] |= first == 0
        x_NTB = indices_T[begin:end].reshape(count, length, 1)
        y_NTB = indices_T[begin + 1 : end + 1].reshape(count, length, 1)
        yield start, start + count, x_NTB, y_NTB, resets_N
        start += count


def _check_text(indices_T: Indices, vocab_size: int, seq_len: int) -> None:
    if len(indices_T) <= seq_len:
        raise refuse("text", f"have more than --steps = {seq_len} characters", f"{len(indices_T)} characters", "TEXT")
    if indices_T.min() < 0 or indices_T.max() >= vocab_size:
        got = f"{indices_T.min()} to {indices_T.max()}"
        raise refuse("indices", f"lie in [0, {vocab_size})", got, "vocab_size")


def _refuse_non_finite(losses: Array, first: int) -> None:
    wrong = np.flatnonzero(~np.isfinite(losses))
    if len(wrong):
        raise FloatingPointError(f"the loss is {losses[wrong[0]]} at iteration {first + wrong[0] + 1}: lower --lr")


# --- the command ----------------------------------------------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code: 0 done, 1 diverged, 2 refused, 130 interrupted."""
    args = vars(_parser().parse_args(argv))
    source = args.pop("text")
    last: list[Report] = []
    try:
        settings = Settings(**args)
        text = to_ascii(load_text(text=source, corpus="python_docs", root=Path()).text)
        if not text.strip():
            raise refuse("text", "hold printable characters", source, "TEXT")
        vocabulary = Vocabulary.from_text(text)
        print(f"{len(text):,} characters, {len(vocabulary)} symbols; Ctrl-C ends the training")
        train(vocabulary.encode(text), len(vocabulary), settings, lambda report: _show(report, vocabulary, last))
    except (ValueError, FloatingPointError) as error:
        print(f"numpy_trainer: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    except KeyboardInterrupt:
        done = last[-1].iteration if last else 0
        print(f"\ninterrupted after iteration {done:,}", file=sys.stderr)
        return 130
    print(f"done: {settings.iterations:,} iterations, smoothed loss {last[-1].smoothed_loss:.3f} nats a character")
    return 0


def _show(report: Report, vocabulary: Vocabulary, last: list[Report]) -> None:
    """Print a report and keep it as the last one."""
    last[:] = [report]
    heading = f"=== iteration {report.iteration:,} | smoothed loss {report.smoothed_loss:.3f} nats a character ==="
    print(f"{heading}\n{vocabulary.decode(report.sample_T)}\n", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m genlab.char_rnn.numpy_trainer",
        description="Train a character RNN on a text with NumPy alone; Ctrl-C ends it.",
    )
    parser.add_argument("text", nargs="?", help="a file, folder or glob; none: the documentation inside CPython")
    parser.add_argument(
        "--hidden", type=int, default=100, dest="hidden_size", metavar="H", help="hidden units (%(default)s)"
    )
    parser.add_argument(
        "--layers", type=int, default=1, dest="num_layers", metavar="L", help="recurrent layers (%(default)s)"
    )
    parser.add_argument(
        "--steps", type=int, default=25, dest="seq_len", metavar="T", help="characters a window (%(default)s)"
    )
    parser.add_argument("--optimizer", default="adagrad", metavar="NAME", help=", ".join(OPTIMIZERS) + " (%(default)s)")
    parser.add_argument("--lr", type=float, help="learning rate; none: 0.1 for sgd and adagrad, 0.001 for the others")
    parser.add_argument("--momentum", type=float, default=0.0, metavar="M", help="momentum of sgd (%(default)s)")
    parser.add_argument(
        "--iterations", type=int, default=10_000, metavar="N", help="windows, an update each (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the initial weights and the samples (%(default)s)")
    parser.add_argument("--dtype", default="float32", help="float32 or float64 (%(default)s)")
    parser.add_argument(
        "--clip", type=float, default=5.0, metavar="C", help="bound of every gradient's elements (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
