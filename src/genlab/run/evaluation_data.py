"""The data that a run was trained on, as it lies on this machine."""

import os
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from genlab.run.artifacts import RunFolder
from genlab.run.trained import Trained


def load_data(trained: Trained) -> Any:
    """The run's datamodule; raises ``ValueError`` where its data is missing or not what the run was trained on."""
    data = instantiate(_where_it_is_now(trained.config.data))
    RunFolder(trained.folder).refuse_other_data(data.provenance())
    return data


def _where_it_is_now(config: DictConfig) -> DictConfig:
    """The run's data config; ``GENLAB_DATA``, where it is set, says where named data lies on this machine."""
    root = os.environ.get("GENLAB_DATA")
    if root and "root" in config:
        config.root = root
    return config
