"""Text as a stateful stream of windows, and its LightningDataModule.

The training text is cut into B contiguous streams, one a row of the batch; window i takes the next T characters of
every stream, so the state after one window is the state before the next. Of several processes each has B streams of
its own. Which characters iteration i sees is a
function of i alone: a resumed run goes on in the right place because it knows how many iterations it has done.

Axes: N windows, T time steps, B streams.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from genlab.char_rnn.text import Vocabulary, frequent_names, half_word, to_ascii
from genlab.checks import at_least, in_range, refuse
from genlab.datasets.corpora import Text, load_text
from genlab.evaluation.protocols import TextData
from genlab.processes import place_among, process_count, process_number


class Chunk(NamedTuple):
    """Consecutive windows: inputs and targets (N, T, B), and before which of them the state is zeroed (N,)."""

    x_NTB: Tensor
    y_NTB: Tensor
    resets_N: Tensor


class Streams:
    """A text as B contiguous streams for each of ``processes``, read in windows of T characters.

    A pass over the text is ``windows_per_pass`` windows; the next pass starts at the text's start with a zero state.
    Raises ``ValueError`` for a text that is shorter than one window in every stream.
    """

    def __init__(self, indices: np.ndarray[Any, Any], seq_len: int, batch_size: int, processes: int = 1) -> None:
        self.seq_len, self.batch_size, self.processes = seq_len, batch_size, processes
        streams = batch_size * processes
        length = (len(indices) - 1) // streams
        if length < seq_len:
            sizes = "data.seq_len * data.batch_size" + (" * trainer.devices" if processes > 1 else "")
            rule = (
                f"have more than {sizes} = {seq_len * streams:,} characters to train on, "
                "after the held-out tail is taken off"
            )
            raise refuse("text", rule, f"{len(indices):,} characters", "data.text")
        stop = length * streams
        self.x_BS = torch.as_tensor(indices[:stop]).view(streams, length)
        self.y_BS = torch.as_tensor(indices[1 : stop + 1]).view(streams, length)
        self.windows_per_pass = length // seq_len

    def chunk(self, start: int, stop: int) -> Chunk:
        """Windows ``start`` to ``stop`` (excluded) of this process's endless streams; they must lie in one pass."""
        first, count = start % self.windows_per_pass, stop - start
        assert 0 < count <= self.windows_per_pass - first
        resets = torch.zeros(count, dtype=torch.bool)
        resets[0] = first == 0
        return Chunk(self._windows(self.x_BS, first, count), self._windows(self.y_BS, first, count), resets)

    def _windows(self, rows_BS: Tensor, first: int, count: int) -> Tensor:
        own = place_among(self.processes) * self.batch_size
        part = rows_BS[own : own + self.batch_size, first * self.seq_len : (first + count) * self.seq_len]
        return part.reshape(self.batch_size, count, self.seq_len).permute(1, 2, 0).contiguous()


class ChunkLoader:
    """One pass over the streams as chunks that end at multiples of ``windows_per_step``, from where training stands.

    ``progress()`` gives the iterations done so far and the number to stop at (-1: none), asked anew at each pass.
    """

    def __init__(self, streams: Streams, windows_per_step: int, progress: Callable[[], tuple[int, int]]) -> None:
        self.streams, self.windows_per_step, self.progress = streams, windows_per_step, progress

    def __iter__(self) -> Iterator[Chunk]:
        start, limit = self.progress()
        per_pass = self.streams.windows_per_pass
        end = (start // per_pass + 1) * per_pass
        end = end if limit < 0 else min(end, limit)
        while start < end:
            stop = min((start // self.windows_per_step + 1) * self.windows_per_step, end)
            yield self.streams.chunk(start, stop)
            start = stop


class CharRnnDataModule(pl.LightningDataModule):
    """A text, its vocabulary, and the windows that a character RNN trains on.

    ``text`` (a file, folder or glob) wins over ``corpus`` (a name); ``root`` is the folder that named corpora lie
    in. The last ``val_fraction`` of the text is held out and never trained on. One training step takes
    ``windows_per_step`` windows, each an iteration with its own update. ``batch_size`` streams are for each of the
    ``processes`` that train together. Raises ``ValueError`` for a text that
    cannot be read or is too short, and for sizes out of range.
    """

    def __init__(
        self,
        corpus: str | None = "python_docs",
        text: str | None = None,
        root: str | Path = "data",
        download: bool = False,
        seq_len: int = 20,
        batch_size: int = 1,
        val_fraction: float = 0.1,
        windows_per_step: int = 100,
        val_streams: int = 64,
        processes: int = 1,
    ) -> None:
        super().__init__()
        self.seq_len = at_least("seq_len", seq_len, 1, "data.seq_len")
        self.batch_size = at_least("batch_size", batch_size, 1, "data.batch_size")
        self.windows_per_step = at_least("windows_per_step", windows_per_step, 1, "data.windows_per_step")
        self.val_streams = at_least("val_streams", val_streams, 1, "data.val_streams")
        fraction = in_range("val_fraction", val_fraction, 0, 1, "data.val_fraction", True, True)
        self.source: Text = load_text(text=text, corpus=corpus, root=Path(root), download=download)
        ascii_text = to_ascii(self.source.text)
        if not ascii_text.strip():
            raise refuse("text", "hold printable characters", self.source.name, "data.text")
        cut = round(len(ascii_text) * (1 - fraction))
        self.train_text, self.held_out_text = ascii_text[:cut], ascii_text[cut:]
        self.vocabulary = Vocabulary.from_text(ascii_text)
        indices = self.vocabulary.encode(self.train_text)
        self.streams = Streams(indices, self.seq_len, self.batch_size, processes)
        if len(self.held_out_text) < 2:
            got = f"{len(self.held_out_text)} characters"
            raise refuse("val_fraction", "leave at least 2 characters held out", got, "data.val_fraction")

    @property
    def iterations_per_pass(self) -> int:
        """Windows in one pass over the training text."""
        return self.streams.windows_per_pass

    def facts(self) -> dict[str, Any]:
        """What the module must know of the data: the vocabulary's symbols, and half-words to sample from."""
        names = frequent_names(self.train_text)
        return {
            "symbols": self.vocabulary.symbols,
            "prompts": [half_word(name) for name in names],
            "windows_per_pass": self.streams.windows_per_pass,
        }

    def provenance(self) -> dict[str, Any]:
        """Which text it is, for the run's record."""
        return {"name": self.source.name, "sha256": self.source.sha256, "sources": list(self.source.sources)}

    def evaluation_data(self) -> TextData:
        """What evaluators judge against: the two parts of the text, and half-words to complete."""
        return TextData(self.train_text, self.held_out_text, tuple(self.facts()["prompts"]))

    def train_dataloader(self) -> ChunkLoader:
        """One pass over the training text, from the iteration that the trainer has reached."""
        return ChunkLoader(self.streams, self.windows_per_step, self._progress)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """The held-out text in windows (T, B) of up to 128 characters, to be run through with a carried state.

        Its streams are dealt out to the processes that train together; where there are too few, some have none.
        """
        indices = self.vocabulary.encode(self.held_out_text)
        count = min(self.val_streams, len(indices) - 1)
        length = (len(indices) - 1) // count
        held_out = Streams(indices, 1, count)
        mine = slice(process_number(), None, process_count())
        x_TB, y_TB = held_out.x_BS[mine].t(), held_out.y_BS[mine].t()
        windows = [(x_TB[i : i + 128], y_TB[i : i + 128]) for i in range(0, length, 128)]
        # A generator of its own: a loader draws a seed whenever it is gone through, and training must not miss it.
        own = torch.Generator()
        return DataLoader(cast("Dataset[tuple[Tensor, Tensor]]", windows), batch_size=None, generator=own)

    def _progress(self) -> tuple[int, int]:
        assert self.trainer is not None
        return self.trainer.global_step, self.trainer.max_steps
