"""Random states in the checkpoint, so that a resumed run draws what the uninterrupted one would have drawn."""

import random
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback

from genlab.processes import gathered, process_number


class RandomState(Callback):
    """Saves and restores the states of Python's, NumPy's and torch's generators, as plain values and tensors.

    Those of several processes are all in the checkpoint, and each takes up its own.
    """

    def state_dict(self) -> dict[str, Any]:
        """The states now: those of the first process, and beside them those of the ``others`` in their order."""
        first, *others = gathered(self._own())
        return first | ({"others": others} if others else {})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the states up."""
        number = process_number()
        self._take_up(state_dict["others"][number - 1] if number else state_dict)

    def _own(self) -> dict[str, Any]:
        state: Any = np.random.get_state(legacy=True)
        name, keys, position, has_gauss, gauss = state
        version, words, python_gauss = random.getstate()
        return {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "numpy": [name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, gauss],
            "python": [version, list(words), python_gauss],
        }

    def _take_up(self, state_dict: dict[str, Any]) -> None:
        torch.set_rng_state(state_dict["torch"])
        if len(state_dict.get("cuda", [])) == torch.cuda.device_count() > 0:
            torch.cuda.set_rng_state_all(state_dict["cuda"])
        name, keys, position, has_gauss, gauss = state_dict["numpy"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
        version, words, python_gauss = state_dict["python"]
        random.setstate((version, tuple(words), python_gauss))
