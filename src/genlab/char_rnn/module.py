"""The character RNN as a LightningModule: windows in, hand-made gradients and updates, figures out."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from genlab.char_rnn.data import Chunk
from genlab.char_rnn.engines import Engine, make_engine
from genlab.char_rnn.nets import CharRnn, cross_entropy
from genlab.char_rnn.sampling import Draw, log_probs, sample_texts
from genlab.char_rnn.text import Vocabulary
from genlab.checks import one_of, positive, refuse
from genlab.own_record import read_record, record_of
from genlab.processes import average, gathered, process_count, process_number
from genlab.training_length import iterations_in_all

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]

# The weight of the past in the exponential averages of loss and accuracy, as in Karpathy's min-char-rnn.
MODEL = "char_rnn"
SMOOTHING = 0.999


class CharRnnModule(pl.LightningModule):
    """Trains a ``CharRnn``: each iteration is one window, its gradients by hand, clipped by value, and one update.

    ``symbols``, ``prompts`` and ``windows_per_pass`` come from the datamodule's ``facts()``. ``optimizer`` makes a
    torch optimiser from parameters. ``engine`` is one of ``engines.ENGINES``; ``lr_schedule`` is ``constant`` or
    ``cosine`` (zero is reached after the last iteration). Logged, all means per character: ``train/loss`` and
    ``train/accuracy`` (over the windows of a step), their ``smoothed_`` exponential averages,
    ``train/bits_per_char``, ``train/iterations_per_second``; ``val/loss`` and ``val/bits_per_char`` on the held-out
    text. Losses are in nats. ``trainer.global_step`` counts iterations. Of several processes each carries the state of
    its own streams, and figures are means over all.

    Raises ``ValueError`` for a size, rate or name out of range.
    """

    # The trainer's precisions that gradients by hand can be made in: autocasting would mix the types of a product.
    precisions = ("32-true", "64-true", "bf16-true", "16-true")
    # What may say which weights are best: the figures of the held-out text.
    monitors = ("val/loss", "val/bits_per_char")

    def __init__(
        self,
        optimizer: MakeOptimizer,
        symbols: str,
        prompts: Sequence[str] = (),
        windows_per_pass: int = 1,
        hidden_size: int = 256,
        num_layers: int = 1,
        init: str = "uniform",
        dropout: float = 0.0,
        cell: str = "tanh",
        engine: str = "auto",
        clip_value: float = 5.0,
        lr_schedule: str = "constant",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.vocabulary, self.prompts = Vocabulary(symbols), list(prompts)
        self.windows_per_pass = windows_per_pass
        self.net = CharRnn(len(self.vocabulary), hidden_size, num_layers, init, dropout, cell)
        self.make_optimizer = optimizer
        self.clip_value = positive("clip_value", clip_value, "model.clip_value")
        self.lr_schedule = one_of("lr_schedule", lr_schedule, ("constant", "cosine"), "model.lr_schedule")
        self.engine_name = engine
        make_engine(engine, self.net, optimizer(self.net.parameters()), self.clip_value, 1)
        self.engine: Engine | None = None
        self.h_LBH = torch.empty(0)
        self.smoothed_loss = math.log(len(self.vocabulary))
        self.smoothed_accuracy = 1 / len(self.vocabulary)

    # --- training ----------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Optimizer:
        """The optimiser over all parameters; a fit makes a new one, and with it a new engine."""
        self.engine = None
        return self.make_optimizer(self.net.parameters())

    def training_step(self, batch: Chunk, batch_idx: int) -> None:
        """Train the chunk's windows, one iteration each, and log their figures."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, Optimizer)
        count, _, streams = batch.x_NTB.shape
        if self.engine is None:
            self.engine = make_engine(self.engine_name, self.net, optimizer, self.clip_value, streams)
            self.base_lr = float(optimizer.defaults["lr"])
        if self.h_LBH.shape[1:2] != (streams,):
            self.h_LBH = self.net.initial_state(streams)
        first = self.trainer.global_step
        lrs = [self.base_lr * self._lr_factor(first + i) for i in range(count)]
        windows = self.engine.train(*batch, self.h_LBH, lrs)
        self.h_LBH = windows.h_LBH
        losses, accuracies = self._of_all(windows.losses, windows.correct / batch.y_NTB[0].numel())
        self._refuse_non_finite(losses, first)
        self._count_iterations(count)
        self._log_windows(losses, accuracies)

    def refuse_several_processes(self) -> None:
        """Raise ``ValueError`` for an engine that makes gradient and update in one: nothing can be averaged between."""
        if self.engine_name not in ("auto", "torch"):
            rule = "be torch or auto where several processes train, for it averages no gradients"
            raise refuse("engine", rule, self.engine_name, "model.engine")

    def _of_all(self, *figures: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
        """Figures (N,) of this process's windows as means over all processes."""
        if process_count() == 1:
            return list(figures)
        both = torch.from_numpy(np.stack(figures)).to(self.device)
        average([both])
        return list(both.cpu().numpy())

    def on_train_start(self) -> None:
        """Bring a state that was taken up to the network's device and precision; start the clock."""
        self.h_LBH = self.h_LBH.to(self.net.head.weight)
        self._last_time = time.perf_counter()

    def _lr_factor(self, iteration: int) -> float:
        if self.lr_schedule == "constant":
            return 1.0
        in_all = iterations_in_all(self.trainer, self.windows_per_pass)
        return 0.5 * (1 + math.cos(math.pi * min(iteration / in_all, 1)))

    def _refuse_non_finite(self, losses: np.ndarray[Any, Any], first: int) -> None:
        wrong = np.flatnonzero(~np.isfinite(losses))
        if len(wrong):
            raise FloatingPointError(
                f"the loss is {losses[wrong[0]]} at iteration {first + int(wrong[0]) + 1}: "
                "lower optimizer.lr or model.clip_value, or choose another model.init"
            )

    def _count_iterations(self, count: int) -> None:
        """Tell Lightning that ``count`` updates were made: it counts calls of an optimiser, of which there was none."""
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for counter in (progress.total, progress.current):
            counter.ready += count
            counter.completed += count

    def _log_windows(self, losses: np.ndarray[Any, Any], accuracies: np.ndarray[Any, Any]) -> None:
        self.smoothed_loss = _smooth(self.smoothed_loss, losses)
        self.smoothed_accuracy = _smooth(self.smoothed_accuracy, accuracies)
        loss = float(losses.mean())
        self._log_step(
            {
                "train/loss": loss,
                "train/smoothed_loss": self.smoothed_loss,
                "train/bits_per_char": loss / math.log(2),
                "train/accuracy": float(accuracies.mean()),
                "train/smoothed_accuracy": self.smoothed_accuracy,
                "train/iterations_per_second": len(losses) / self._seconds_since_last(),
            }
        )

    def _seconds_since_last(self) -> float:
        before, self._last_time = self._last_time, time.perf_counter()
        return self._last_time - before

    def _log_step(self, figures: dict[str, float]) -> None:
        """Hand a step's figures to callbacks and loggers, against the iteration.

        Not by ``log_dict``: of a step of a hundred small windows that takes a quarter of the time, for what is mean and
        complete already.
        """
        trainer = self.trainer
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in figures.items()})
        if (trainer.fit_loop.epoch_loop._batches_that_stepped + 1) % trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            for logger in trainer.loggers:
                logger.log_metrics(figures, trainer.global_step)
                logger.save()

    def _log(self, figures: dict[str, float]) -> None:
        """Log figures against the iteration, which is what Lightning takes a figure called ``step`` for."""
        self.log_dict({**figures, "step": float(self.trainer.global_step)}, batch_size=1)

    # --- validation --------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Start the held-out text with a zero state."""
        self._val_h = torch.empty(0)
        self._val_nats, self._val_count = 0.0, 0

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Add up the nats of a window of the held-out text; the state is carried on."""
        x_TB, y_TB = batch
        if x_TB.shape[1] == 0:  # fewer streams than processes
            return
        if batch_idx == 0:
            self._val_h = self.net.initial_state(x_TB.shape[1])
        logits, self._val_h = self.net(x_TB, self._val_h)
        loss, _ = cross_entropy(logits.flatten(0, 1), y_TB.flatten())
        self._val_nats += float(loss) * y_TB.numel()
        self._val_count += y_TB.numel()

    def on_validation_epoch_end(self) -> None:
        """Log the mean over all held-out characters."""
        nats, counts = zip(*gathered((self._val_nats, self._val_count)), strict=True)
        loss = sum(nats) / sum(counts)
        self._log({"val/loss": loss, "val/bits_per_char": loss / math.log(2)})

    # --- what a checkpoint carries beside the weights ----------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model's kind and facts, the carried state and the averages; plain values and tensors only.

        The state is that of the streams of all processes, in their order.
        """
        facts = {
            "symbols": self.vocabulary.symbols,
            "prompts": self.prompts,
            "windows_per_pass": self.windows_per_pass,
        }
        h_LBH = torch.cat(gathered(self.h_LBH), dim=1) if self.h_LBH.ndim == 3 else self.h_LBH
        checkpoint |= record_of(MODEL, facts, h=h_LBH, smoothed=[self.smoothed_loss, self.smoothed_accuracy])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the carried state; raises ``ValueError`` for a checkpoint of another model, vocabulary or size."""
        record = read_record(checkpoint, MODEL)
        symbols = record["facts"]["symbols"]
        if symbols != self.vocabulary.symbols:
            raise ValueError(
                f"`checkpoint` must have the vocabulary of the data, {self.vocabulary.symbols!r}; "
                f"got {symbols!r} (data.text)"
            )
        self._refuse_other_sizes(checkpoint["state_dict"])
        self.h_LBH = self._own_streams(record["h"])
        self.smoothed_loss, self.smoothed_accuracy = record["smoothed"]

    def _own_streams(self, h_LBH: Tensor) -> Tensor:
        if process_count() == 1 or h_LBH.ndim < 3:
            return h_LBH
        return h_LBH.tensor_split(process_count(), dim=1)[process_number()].contiguous()

    def _refuse_other_sizes(self, weights: dict[str, Tensor]) -> None:
        own, other = ({name: tuple(x.shape) for name, x in d.items()} for d in (self.state_dict(), weights))
        for name in [*own, *other]:
            if own.get(name) != other.get(name):
                rule = f"have the model's sizes, {name} of {own.get(name)}"
                raise refuse("checkpoint", rule, other.get(name), "model.hidden_size, model.num_layers")

    # --- the protocol of text evaluation -----------------------------------------------------------------------

    def sample(
        self,
        count: int,
        length: int,
        *,
        temperature: float = 0.8,
        seed: int = 0,
        prompts: Sequence[str] | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> list[str]:
        """Draw texts, without their prompts; see ``sampling.sample_texts``."""
        draw = Draw(temperature, top_k, top_p)
        return sample_texts(self.net, self.vocabulary, count, length, draw, seed, prompts or (), self._drawing)

    def log_prob(self, text: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Nats of each character of ``text`` after the first (len(text)-1,), one stream from a zero state."""
        result: np.ndarray[Any, np.dtype[np.float64]] = log_probs(self.net, self.vocabulary.encode(text), self._drawing)
        return result

    @property
    def _drawing(self) -> str:
        """The engine that draws and scores: torch where training is asked to leave the compiled one alone."""
        return "auto" if self.engine_name in ("auto", "compiled") else "torch"


def _smooth(average: float, values: np.ndarray[Any, Any]) -> float:
    for value in values:
        average = SMOOTHING * average + (1 - SMOOTHING) * float(value)
    return average
