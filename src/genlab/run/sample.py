"""``genlab sample``: draw from a trained model by reading its run folder alone; texts or pictures."""

from collections.abc import Collection
from pathlib import Path

from omegaconf import DictConfig

from genlab.checks import at_least, refuse
from genlab.reporting.sheets import noting
from genlab.run.artifacts import RunFolder
from genlab.run.outcome import Outcome, say
from genlab.run.pictures import model_name
from genlab.run.sample_images import SETTINGS as FOR_IMAGES
from genlab.run.sample_images import sample_images
from genlab.run.sample_text import SETTINGS as FOR_TEXTS
from genlab.run.sample_text import sample_text
from genlab.run.trained import load_trained


def main(cfg: DictConfig) -> Outcome:
    """Write samples and say where they are. Raises ``ValueError`` for a setting out of range or of another model."""
    trained = load_trained(str(cfg.run), cfg.checkpoint)
    at_least("seed", cfg.seed, 0, "seed")
    makes_texts = hasattr(trained.module, "log_prob")
    _refuse_foreign(cfg, FOR_IMAGES if makes_texts else FOR_TEXTS, model_name(trained))
    sample, folder = sample_text if makes_texts else sample_images, trained.folder / "samples"
    output = None if cfg.output is None else Path(str(cfg.output)).expanduser()
    warning = RunFolder(trained.folder).warning()
    if warning:
        say(f"warning: {warning}")
    try:
        with noting(warning):
            sample(cfg, trained, folder, output)
    except OSError as error:
        where = str(output or folder)
        raise refuse("output", f"be a file that can be written ({error.strerror})", where, "output") from error
    return Outcome("done", trained.folder)


def _refuse_foreign(cfg: DictConfig, settings: Collection[str], model: str) -> None:
    """Raise ``ValueError`` for the first of ``settings`` that was given, though ``model`` has no use for it."""
    for name in settings:
        if cfg[name] is not None:
            raise refuse(name, f"be left out: a {model} has no use for it", cfg[name], name)
