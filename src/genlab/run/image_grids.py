"""A look at what an image model makes while it trains: a grid from the same latents after chosen passes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, Trainer

from genlab.checks import at_least, refuse
from genlab.evaluation.image_data import to_bytes
from genlab.processes import process_number
from genlab.reporting.sheets import contact_sheet, save_png
from genlab.run.loggers import log_pictures


class ImageGrids(Callback):
    """After each pass in ``epochs``, decode ``count`` latents drawn with ``seed``: ``samples/epoch_0025.png``.

    Loggers that take images get them too. With ``keep_weights`` the weights at that pass stay in ``checkpoints/``
    under the same name, without the optimiser's state. Raises ``ValueError`` for a pass or a count below 1.
    """

    def __init__(self, epochs: Sequence[int], count: int = 64, seed: int = 0, keep_weights: bool = True) -> None:
        path = "callbacks.image_grids"
        if isinstance(epochs, str) or not isinstance(epochs, Sequence):
            raise refuse("epochs", "be a list of passes", epochs, f"{path}.epochs")
        self.epochs = {at_least("epochs", epoch, 1, f"{path}.epochs") for epoch in epochs}
        self.count = at_least("count", count, 1, f"{path}.count")
        self.seed = at_least("seed", seed, 0, f"{path}.seed")
        if not isinstance(keep_weights, bool):
            raise refuse("keep_weights", "be true or false", keep_weights, f"{path}.keep_weights")
        self.keep_weights = keep_weights

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """Draw the grid if the pass that ends is one of those asked for."""
        passes = trainer.current_epoch + 1
        if passes not in self.epochs or not self._is_whole(trainer):
            return
        folder = Path(trainer.default_root_dir)
        name = f"epoch_{passes:04d}"
        if process_number() == 0:
            self._draw(trainer, pl_module, folder, name)
        if self.keep_weights:
            trainer.save_checkpoint(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)

    def _draw(self, trainer: Trainer, pl_module: Any, folder: Path, name: str) -> None:
        images = to_bytes(pl_module.sample(self.count, seed=self.seed))
        sheet = contact_sheet(images.cpu().numpy(), columns=math.isqrt(self.count - 1) + 1)
        save_png(sheet, folder / "samples" / f"{name}.png")
        log_pictures(trainer.loggers, "samples", {name: sheet}, trainer.global_step)

    def _is_whole(self, trainer: Trainer) -> bool:
        """Whether the pass was gone through to its end: a run that is stopped ends a pass too."""
        per_pass = getattr(getattr(trainer, "datamodule", None), "iterations_per_pass", None)
        return per_pass is None or trainer.global_step % per_pass == 0
