"""Checkpoints of every kind (last, best, of a pass) that are there whole or not at all."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from genlab.whole_file import whole_file


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's reading and writing of checkpoints, written beside their place and renamed.

    Lightning's own way goes by the folder for temporary files: where that is on another disk the checkpoint is
    copied over the one before, and a process that is killed then leaves neither.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Save plain values and tensors at ``path``; raises ``OSError`` that names it where the disk refuses."""
        if storage_options is not None:
            raise TypeError("`storage_options` must be None: checkpoints go to files")
        # In memory first: a disk that is full in the middle of torch.save is reported as a fault of its archive.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        with whole_file(Path(path)) as file:
            file.write(content.getbuffer())
