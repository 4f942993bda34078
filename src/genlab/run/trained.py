"""A trained model read from its run folder alone: the config there, and a checkpoint that carries its own facts."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from genlab.checks import one_of
from genlab.own_record import KEY
from genlab.run.artifacts import read_config
from genlab.run.foreign_config import refuse_foreign


@dataclass(frozen=True)
class Trained:
    """A run's folder and config, its module with the checkpoint's weights, and the checkpoint's SHA-256."""

    folder: Path
    config: DictConfig
    module: Any
    checkpoint_sha256: str
    iteration: int


def load_trained(run: str, checkpoint: str = "best") -> Trained:
    """Load ``checkpoint`` (best, last, or another in ``checkpoints/``) of the run in folder ``run``.

    Raises ``ValueError`` for a folder that is no run's, a checkpoint that is missing or damaged, and one of another
    model than the config names.
    """
    folder = Path(run).expanduser()
    config_file, path = folder / "config.yaml", folder / "checkpoints" / f"{checkpoint}.ckpt"
    if not config_file.is_file():
        raise ValueError(f"`run` must be a run's folder; got {run!r}, which has no config.yaml (run)")
    there = sorted({"best", "last", *(file.stem for file in path.parent.glob("*.ckpt"))})
    one_of("checkpoint", checkpoint, there, "checkpoint")
    if not path.is_file():
        raise ValueError(f"`checkpoint` must be there; got {checkpoint!r}, but {path} does not exist (checkpoint)")
    config = OmegaConf.create(read_config(config_file, "run"))
    refuse_foreign(config, "run", run)
    content = _read(path)
    try:
        module = _rebuild(config, content.get(KEY) or {}, path)
        module.load_state_dict(content["state_dict"])
    except (KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"`checkpoint` must fit the run's config; {path}: {reason} (checkpoint)") from error
    digest = sha256(path.read_bytes()).hexdigest()
    return Trained(folder, config, module.eval(), digest, int(content["global_step"]))


def _read(path: Path) -> dict[str, Any]:
    """The checkpoint's content; only tensors and plain values are ever unpickled."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"`checkpoint` must be a genlab checkpoint; cannot read {path}: {reason} (checkpoint)"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"`checkpoint` must be a genlab checkpoint; {path} holds something else (checkpoint)")
    return content


def _rebuild(config: DictConfig, record: dict[str, Any], path: Path) -> pl.LightningModule:
    model = str(config.model._target_).split(".")[1]
    if record.get("model") != model:
        raise ValueError(
            f"`checkpoint` must be of the run's model, {model}; {path} is of {record.get('model')!r} (checkpoint)"
        )
    handed_in = dict(record["facts"]) | ({"reader": None} if "reader" in config.model else {})  # for training alone
    module: pl.LightningModule = instantiate(config.model, optimizer=instantiate(config.optimizer), **handed_in)
    return module
