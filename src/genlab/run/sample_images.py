"""Pictures of a trained image model: the kind that is asked for, drawn and written."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig
from PIL import Image

from genlab.checks import nearest_hint, refuse
from genlab.reporting.figures import write_figure
from genlab.reporting.sheets import save_animation, save_png
from genlab.run.control_pictures import CONTROL_KINDS
from genlab.run.pictures import KINDS as EVERY_MODELS
from genlab.run.pictures import Animation, Content, Request, model_name
from genlab.run.trained import Trained

KINDS = {**EVERY_MODELS, **CONTROL_KINDS}
"""Every kind of picture, in the order in which a model's default is looked for."""

SETTINGS = ("kind", "columns", "digit", "points", "steps", "interpolation", "from_images", "judge")
"""What a picture takes beside its number and seed."""


def sample_images(cfg: DictConfig, trained: Trained, folder: Path, output: Path | None) -> None:
    """Write pictures of one kind or more, in ``folder`` where ``output`` names no file, and say where they are.

    Raises ``ValueError`` for a kind that the model cannot do, and for a setting that is wrong or not of a kind, before
    any is drawn.
    """
    kinds = list(cfg.kind) if isinstance(cfg.kind, ListConfig) and len(cfg.kind) else [cfg.kind]
    asked = {name: _settings(cfg, name) for name in (chosen_kind(kind, trained) for kind in kinds)}
    if output is not None and output.suffix != ".png":
        raise refuse("output", "end in .png", str(output), "output")
    if output is not None and len(asked) > 1:
        raise refuse("output", "be left out for several kinds", str(output), "output")
    for name, settings in asked.items():
        path = output or folder / f"{name}.png"
        for ending, content in KINDS[name].draw(Request(trained, cfg.seed, settings)).items():
            print(f"written to {_write(content, path.with_name(path.stem + ending))}")


def chosen_kind(kind: Any, trained: Trained) -> str:
    """``kind``, or the first that the model can do. Raises ``ValueError`` for one that it cannot do."""
    able = [name for name, each in KINDS.items() if not each.lacking(trained.module)]
    if kind is None or kind in able:
        return str(kind or able[0])
    model, known = model_name(trained), KINDS.get(str(kind))
    why = f": it has {known.lacking(trained.module)}" if known else ""
    rule = f"be one of {', '.join(able)} for this {model}{why}"
    raise refuse("kind", rule, kind, "kind" + ("" if known else nearest_hint(str(kind), able)))


def _settings(cfg: DictConfig, kind: str) -> dict[str, Any]:
    """The settings of ``kind`` as given, or as they are by default; ``ValueError`` for one that it does not take."""
    defaults = KINDS[kind].settings
    for name in ("count", *SETTINGS[1:]):
        if cfg[name] is not None and name not in defaults:
            raise refuse(name, f"be left out for kind={kind}", cfg[name], name)
    return {name: default if cfg[name] is None else cfg[name] for name, default in defaults.items()}


def _write(content: Content, path: Path) -> Path:
    if isinstance(content, Animation):
        return save_animation(content.frames, path)
    return save_png(content, path) if isinstance(content, Image.Image) else write_figure(content, path, colours=128)
