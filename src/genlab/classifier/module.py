"""The classifier as a LightningModule, and as the judge of generators."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from genlab.checks import in_range, one_of, shape_taken
from genlab.classifier.nets import IMAGE_SHAPE, NETS
from genlab.datasets.image_batches import Batch
from genlab.eval_mode import eval_mode
from genlab.own_record import read_record, record_of
from genlab.precision import in_full
from genlab.processes import in_order, is_mine, means
from genlab.training_length import iterations_in_all

MakeOptimizer = Callable[[Iterable[Parameter]], Optimizer]

MODEL = "classifier"
SCHEDULES = ("constant", "cosine", "one_cycle")
WARM_UP = 0.25  # the share of all iterations in which one_cycle's rate rises


class ClassifierModule(pl.LightningModule):
    """Trains one of ``nets.NETS`` on cross-entropy; ``embed`` and ``probabilities`` make it a judge of images.

    ``image_shape``, ``num_classes`` and ``iterations_per_pass`` come from the datamodule's ``facts()``. ``optimizer``
    makes a torch optimiser from parameters; ``lr_schedule`` is ``constant``, ``cosine`` (to zero) or ``one_cycle``
    (up in a quarter of the iterations, then down to zero by a cosine). Logged: ``train/loss`` (nats an image,
    label smoothing included) and ``train/accuracy`` of a batch, or of the batches of all processes together;
    ``val/loss`` (nats, without it) and ``val/accuracy``. Of several processes each normalises its own batch.

    Raises ``ValueError`` for a size, rate or name out of range.
    """

    precisions = ("32-true", "64-true", "bf16-mixed", "16-mixed")
    # What may say which weights are best: the figures of held-out images.
    monitors = ("val/loss", "val/accuracy")

    def __init__(
        self,
        optimizer: MakeOptimizer,
        image_shape: Sequence[int] = (1, 28, 28),
        num_classes: int = 10,
        iterations_per_pass: int = 1,
        embedding_dim: int = 50,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        lr_schedule: str = "one_cycle",
        net: str = "digit_net",
    ) -> None:
        super().__init__()
        self.facts: dict[str, Any] = {
            "image_shape": shape_taken(image_shape, IMAGE_SHAPE, "classifier"),
            "num_classes": num_classes,
            "iterations_per_pass": iterations_per_pass,
        }
        self.num_classes = num_classes
        make_net = NETS[one_of("net", net, NETS, "model.net")]
        self.net = make_net(num_classes, embedding_dim, dropout).to(memory_format=torch.channels_last)
        self.make_optimizer = optimizer
        self.label_smoothing = in_range(
            "label_smoothing", label_smoothing, 0, 1, "model.label_smoothing", high_open=True
        )
        self.lr_schedule = one_of("lr_schedule", lr_schedule, SCHEDULES, "model.lr_schedule")

    # --- training ----------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> Any:
        """The optimiser over all parameters, and a schedule that follows the iterations."""
        optimizer = self.make_optimizer(self.net.parameters())
        schedule = LambdaLR(optimizer, lambda iteration: lr_factor(self.lr_schedule, iteration, self._in_all()))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The batch's mean cross-entropy."""
        logits = self.net(batch.images)
        loss = F.cross_entropy(in_full(logits), batch.labels, label_smoothing=self.label_smoothing)
        accuracy = (logits.argmax(1) == batch.labels).float().mean()
        figures = means({"train/loss": loss.detach(), "train/accuracy": accuracy})
        if not torch.isfinite(figures["train/loss"]):
            raise FloatingPointError(
                f"the loss is {float(figures['train/loss'])} at iteration {self.trainer.global_step + 1}: "
                "lower optimizer.lr"
            )
        self._log(figures, self.trainer.global_step + 1)
        return loss

    def _in_all(self) -> int:
        return iterations_in_all(self.trainer, int(self.facts["iterations_per_pass"]))

    def _log(self, figures: dict[str, Tensor], iteration: int) -> None:
        """Log figures against the iteration, which is what Lightning takes a figure called ``step`` for."""
        self.log_dict({**figures, "step": float(iteration)}, batch_size=1)

    # --- validation --------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self) -> None:
        """Start to gather."""
        self._held_out: list[tuple[float, int, int]] = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep a batch's nats, correct answers and images; of several processes each takes its share of the batches."""
        if not is_mine(batch_idx):
            return
        logits = in_full(self.net(batch.images))
        nats = float(F.cross_entropy(logits, batch.labels, reduction="sum"))
        self._held_out.append((nats, int((logits.argmax(1) == batch.labels).sum()), len(batch.labels)))

    def on_validation_epoch_end(self) -> None:
        """Log the means over all held-out images."""
        nats, right, seen = (sum(column) for column in zip(*in_order(self._held_out), strict=True))
        figures = {"val/loss": nats / seen, "val/accuracy": right / seen}
        self._log({name: torch.tensor(value) for name, value in figures.items()}, self.trainer.global_step)

    # --- what a checkpoint carries beside the weights ----------------------------------------------------------

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model's kind and facts; plain values only."""
        checkpoint |= record_of(MODEL, self.facts)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises ``ValueError`` for a checkpoint of another model."""
        read_record(checkpoint, MODEL)

    # --- the protocol of a judge -------------------------------------------------------------------------------

    def embed(self, x: Tensor) -> Tensor:
        """The embedding (N, embedding_dim) of images (N, C, H, W) in [0, 1], whatever images are beside them."""
        with eval_mode(self.net):
            return self.net.embed(x)

    def probabilities(self, x: Tensor) -> Tensor:
        """The probability of each class (N, num_classes) for images (N, C, H, W) in [0, 1]."""
        with eval_mode(self.net):
            logits: Tensor = self.net(x)
        return logits.softmax(1)


def lr_factor(schedule: str, iteration: int, total: int) -> float:
    """What the learning rate is multiplied by in the update after ``iteration`` of ``total``: in [0, 1]."""
    if schedule == "constant":
        return 1.0
    warm_up = WARM_UP * total if schedule == "one_cycle" else 0.0
    if iteration < warm_up:
        return (iteration + 1) / (warm_up + 1)
    done = (iteration - warm_up) / max(1.0, total - warm_up)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
