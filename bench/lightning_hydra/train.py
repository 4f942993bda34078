"""A project as Lightning and Hydra are put together by most: one entry that imports everything at its top.

A character RNN of ``nn.RNN`` and a linear head under Lightning's Trainer with a progress bar, a CSV logger and
checkpoints; autograd through each window, the state detached between windows. It stands beside ``genlab train`` in the
benchmarks: ``python train.py data.file=text.npz hydra.run.dir=FOLDER``, or with ``-m`` a sweep.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import hydra
import numpy as np
import pytorch_lightning as pl
import torch
import torchmetrics  # noqa: F401 (imported at the top of such projects, whether a run needs it or not)
import torchvision  # noqa: F401
from omegaconf import DictConfig
from pytorch_lightning.loggers import CSVLogger  # noqa: F401
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

Window = tuple[Tensor, Tensor, bool]


class Windows(IterableDataset[Window]):
    """A text in windows of ``seq_len``: inputs, the characters that follow, and whether the text starts anew."""

    def __init__(self, indices: np.ndarray, seq_len: int) -> None:
        self.indices, self.seq_len = torch.as_tensor(indices), seq_len

    def __iter__(self) -> Iterator[Window]:
        for start in range(0, len(self.indices) - self.seq_len, self.seq_len):
            stop = start + self.seq_len
            yield self.indices[start:stop, None], self.indices[start + 1 : stop + 1, None], start == 0


class TextDataModule(pl.LightningDataModule):
    """The training text and the held-out one."""

    def __init__(self, file: str, seq_len: int) -> None:
        super().__init__()
        content = np.load(file)
        self.vocab_size = int(content["vocab_size"])
        self.train_windows = Windows(content["train"], seq_len)
        self.val_windows = Windows(content["held_out"], 1000)

    def train_dataloader(self) -> DataLoader[Window]:
        """Windows in their order, one a batch."""
        return DataLoader(self.train_windows, batch_size=None)

    def val_dataloader(self) -> DataLoader[Window]:
        """The held-out text in its order."""
        return DataLoader(self.val_windows, batch_size=None)


class RnnModule(pl.LightningModule):
    """``nn.RNN`` on one-hot vectors, and a linear head."""

    def __init__(self, vocab_size: int, hidden_size: int, lr: float) -> None:
        super().__init__()
        self.vocab_size, self.lr = vocab_size, lr
        self.rnn = nn.RNN(vocab_size, hidden_size)
        self.head = nn.Linear(hidden_size, vocab_size)
        self.state: dict[str, Tensor | None] = {"train": None, "val": None}

    def shared_step(self, batch: Window, stage: str) -> Tensor:
        """The mean cross-entropy of a window, whose state is carried on."""
        x_TB, y_TB, anew = batch
        one_hot = functional.one_hot(x_TB, self.vocab_size).float()
        output, h_1BH = self.rnn(one_hot, None if anew else self.state[stage])
        self.state[stage] = h_1BH.detach()
        loss = functional.cross_entropy(self.head(output).flatten(0, 1), y_TB.flatten())
        self.log(f"{stage}/loss", loss, prog_bar=True, batch_size=1)
        return loss

    def training_step(self, batch: Window, batch_idx: int) -> Tensor:
        """A window of the training text."""
        return self.shared_step(batch, "train")

    def validation_step(self, batch: Window, batch_idx: int) -> None:
        """A window of the held-out text."""
        self.shared_step(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam over all parameters."""
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class FirstStep(pl.Callback):
    """Writes the time at which the first step ended into ``file``: what the benchmark looks at."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: object) -> None:
        """Note the time of the first step."""
        if trainer.global_step == 1:
            self.file.write_text(str(time.time()))


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> None:
    """Make everything that the config names, and train."""
    pl.seed_everything(cfg.seed, verbose=False)
    data = hydra.utils.instantiate(cfg.data)
    model = hydra.utils.instantiate(cfg.model, vocab_size=data.vocab_size)
    if cfg.weights:
        model.load_state_dict(torch.load(cfg.weights, weights_only=True))
    callbacks = [hydra.utils.instantiate(callback) for callback in cfg.callbacks.values()]
    trainer = hydra.utils.instantiate(cfg.trainer, callbacks=callbacks, logger=hydra.utils.instantiate(cfg.logger))
    trainer.fit(model, data)


if __name__ == "__main__":
    main()
