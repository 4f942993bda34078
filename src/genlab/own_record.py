"""What a model writes into its checkpoints beside the weights: which model it is, and the facts it was made for."""

from collections.abc import Mapping
from typing import Any

KEY = "genlab"


def record_of(model: str, facts: Mapping[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    """What a checkpoint of ``model`` holds besides Lightning's own: plain values and tensors alone may be in it."""
    return {KEY: {"model": model, "facts": dict(facts), **more}}


def read_record(checkpoint: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The record of a checkpoint; raises ``ValueError`` for one of another model than ``model``."""
    record: dict[str, Any] = checkpoint.get(KEY) or {}
    if record.get("model") != model:
        raise ValueError(f"`checkpoint` must be of a {model}; got {record.get('model')!r} (run_dir)")
    return record
