"""The peer that is a whole project: Lightning and Hydra put together as most do it, in ``bench/lightning_hydra``."""

import shutil
import sys
from pathlib import Path

import numpy as np
import torch

import genlab
from genlab.benchmarks.children import Ended, run_child
from genlab.benchmarks.training import TOLERANCE, Setting, data_of, first_losses, logged_losses
from genlab.checks import refuse

PEER = "Lightning and Hydra by the book"

# Losses that the project's logger keeps of its first updates are compared with those of ``genlab train``.
AGREEING_UPDATES = 20


def script() -> Path:
    """The project's ``train.py``; raises ``ValueError`` where genlab does not lie in a checkout."""
    path = Path(genlab.__file__).parents[2] / "bench" / "lightning_hydra" / "train.py"
    if not path.is_file():
        raise refuse("--only", "leave out sweep and startup outside of a checkout", str(path), "--only")
    return path


def run_project(*words: str) -> Ended:
    """Run the project with one thread, which is faster than two at these sizes."""
    return run_child([sys.executable, str(script()), *words], {"OMP_NUM_THREADS": "1", "COLUMNS": "120"})


def write_text(setting: Setting, folder: Path) -> Path:
    """Write the text of ``genlab train`` as the project reads it."""
    data, file = data_of(setting), folder / "text.npz"
    train, held_out = (data.vocabulary.encode(text) for text in (data.train_text, data.held_out_text))
    np.savez(file, train=train, held_out=held_out, vocab_size=len(data.vocabulary))
    return file


def difference(setting: Setting, text: Path, folder: Path) -> float:
    """The largest difference in nats between the project's first losses and those of ``genlab train``.

    Both start from the same weights. Raises ``RuntimeError`` beyond the tolerance.
    """
    weights, losses = first_losses(setting, folder / "ours")
    torch.save(weights, folder / "weights.pt")
    run = folder / "theirs"
    run_project(
        *project_words(setting, text),
        f"hydra.run.dir={run}",
        f"weights={folder / 'weights.pt'}",
        f"trainer.max_steps={AGREEING_UPDATES}",
        "trainer.log_every_n_steps=1",
    )
    theirs = logged_losses(run / "metrics.csv")
    found = max(abs(a - b) for a, b in zip(theirs, losses, strict=True))
    shutil.rmtree(run)
    if found > TOLERANCE:
        raise RuntimeError(f"{PEER} differs from genlab train by {found:.3g} nats: they do not do the same")
    return found


def project_words(setting: Setting, text: Path) -> list[str]:
    """The overrides for one size."""
    return [f"data.file={text}", f"data.seq_len={setting.seq_len}", f"model.hidden_size={setting.hidden_size}"]
