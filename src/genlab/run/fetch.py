"""``genlab fetch``: data for training, verified by checksum."""

from pathlib import Path

from omegaconf import DictConfig

from genlab.datasets.corpora import fetch
from genlab.run.outcome import Outcome


def main(cfg: DictConfig) -> Outcome:
    """Get a corpus, or say that it is there already."""
    path = fetch(cfg.corpus, Path(str(cfg.root)))
    print(f"{cfg.corpus} is at {path}")
    return Outcome("done", path.parent)
