"""Everything that a training imports, imported at once: a forked child then starts in a fraction of a second."""

import importlib
import os
from pathlib import Path

MODULES = (
    *("genlab.run.train", "genlab.run.fit", "genlab.run.hydra_app", "genlab.run.image_grids", "genlab.run.collapse"),
    *("genlab.run.finite_numbers", "genlab.run.progress", "genlab.run.validate_at_end", "genlab.reporting.curves"),
    *(f"genlab.{room}.{part}" for room in ("char_rnn", "classifier", "dcgan", "vae") for part in ("data", "module")),
    "genlab.char_rnn.samples",
    "genlab.char_rnn.compiled",
)


def import_all() -> None:
    """Import it; raises ``RuntimeError`` if that has started threads, which a child would be without."""
    for name in MODULES:
        importlib.import_module(name)
    tasks = Path("/proc/self/task")
    if tasks.is_dir() and (count := len(os.listdir(tasks))) > 1:
        raise RuntimeError(f"what is forked must have one thread; there are {count} (is OMP_NUM_THREADS above 1?)")
