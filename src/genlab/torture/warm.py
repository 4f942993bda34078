"""What every training needs a while for, done once: a child that is forked then starts in a fraction of a second."""

import importlib
import io
import os
from pathlib import Path

MODULES = (
    *("genlab.run.train", "genlab.run.fit", "genlab.run.hydra_app", "genlab.run.image_grids", "genlab.run.collapse"),
    *("genlab.run.finite_numbers", "genlab.run.progress", "genlab.run.validate_at_end", "genlab.reporting.curves"),
    *(f"genlab.{room}.{part}" for room in ("char_rnn", "classifier", "dcgan", "vae") for part in ("data", "module")),
    "genlab.char_rnn.samples",
    "genlab.char_rnn.compiled",
)


def warm_up() -> None:
    """Import it all and use it once; raises ``RuntimeError`` if that has started threads, which a child would lack."""
    for name in MODULES:
        importlib.import_module(name)
    _load_digits()
    _draw()
    _train_windows()
    tasks = Path("/proc/self/task")
    if tasks.is_dir() and (count := len(os.listdir(tasks))) > 1:
        raise RuntimeError(f"what is forked must have one thread; there are {count} (is OMP_NUM_THREADS above 1?)")


def _load_digits() -> None:
    from genlab.datasets.images import load_images

    load_images("digits", Path())


def _draw() -> None:
    """Find the fonts."""
    from genlab.reporting.figures import dressed, new_figure

    figure = new_figure()
    dressed(figure.add_subplot(), "loss").plot([0, 1], [1, 2])
    figure.savefig(io.BytesIO(), format="png")


def _train_windows() -> None:
    """Take the compiled engine from its cache, or compile it."""
    import torch

    from genlab.char_rnn.engines import make_engine
    from genlab.char_rnn.nets import CharRnn

    net = CharRnn(3, 4)
    engine = make_engine("auto", net, torch.optim.Adam(net.parameters()), 5.0, 1)
    windows = torch.zeros(1, 2, 1, dtype=torch.long)
    engine.train(windows, windows, torch.ones(1, dtype=torch.bool), net.initial_state(1), [1e-3])
