"""``checkpoints/best.ckpt``: the weights with the best value of the monitored quantity."""

from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Lightning's checkpoint of the best, which keeps its record when the run's folder has been moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the record up with its paths in the folder as it is called now."""
        folder = str(self.dirpath)
        moved = {
            **state_dict,
            "dirpath": folder,
            "best_k_models": {_within(folder, path): score for path, score in state_dict["best_k_models"].items()},
        }
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            moved[name] = _within(folder, state_dict[name])
        super().load_state_dict(moved)
        self.current_score = state_dict["current_score"]  # which Lightning saves and does not take up


def _within(folder: str, path: str) -> str:
    return str(Path(folder) / Path(path).name) if path else path
