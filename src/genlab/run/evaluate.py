"""``genlab evaluate``: every evaluator of a run, each to its own ``evaluation/<name>.json``."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from genlab.checks import one_of, refuse
from genlab.evaluation.image_data import ImageData, JudgeMissing
from genlab.reporting.curves import draw_curves
from genlab.reporting.judgements import draw_figures
from genlab.reporting.runs import read_run
from genlab.reporting.sheets import noting
from genlab.run.allocator import keep_freed_memory
from genlab.run.artifacts import write_json
from genlab.run.bench import Bench
from genlab.run.mirror import mirror_results
from genlab.run.outcome import Outcome, say
from genlab.run.seen_features import SeenFeatures
from genlab.run.trained import Trained, load_trained


def main(cfg: DictConfig, bench: Bench | None = None) -> Outcome:
    """Load the run's model and data, judge, write the results and draw the curves; mirror it all where that is asked.

    ``bench`` keeps data and judge for the next evaluation in this process. Raises ``ValueError`` where the folder, a
    checkpoint or the data is not what the run says it is.
    """
    trained = load_trained(str(cfg.run), cfg.checkpoint)
    if keeps_memory(cfg.keep_memory, trained.config):
        keep_freed_memory()
    evaluators = chosen(cfg.get("evaluators") or trained.config.evaluators, cfg.only)
    bench = bench or Bench()
    against, data_sha256 = bench.data_of(trained)
    said_of_each = {
        **_hand_in_judge(cfg, trained, against, data_sha256, bench),
        "checkpoint": cfg.checkpoint,
        "checkpoint_sha256": trained.checkpoint_sha256,
        "iteration": trained.iteration,
    }
    left_out = [
        name for name, config in evaluators.items() if not _measure(name, config, trained, against, said_of_each)
    ]
    _refuse_nothing(left_out, len(evaluators))
    record, figures = read_run(trained.folder), trained.folder / "figures"
    with noting(record.warning):
        if not _are_newer(figures, trained.folder / "metrics.csv"):
            draw_curves(record, figures)
        draw_figures(record, figures)
    if cfg.get("logger"):
        mirror_results(trained.folder, cfg.logger)
    print(f"done: genlab report runs={trained.folder}")
    return Outcome("done", trained.folder)


def keeps_memory(asked: object, config: DictConfig) -> bool:
    """Whether freed memory is kept: as ``asked`` for here or, by None, in the run's own config; by None there it is.

    Raises ``ValueError`` for what is neither.
    """
    keep = config.get("keep_memory") if asked is None else asked
    if keep is None:
        return True
    if not isinstance(keep, bool):
        raise refuse("keep_memory", "be true, false or null", keep, "keep_memory")
    return keep


def _are_newer(figures: Path, metrics: Path) -> bool:
    """Whether curves were drawn after the last line of ``metrics``, as training does at its end."""
    drawn = [file.stat().st_mtime for file in figures.glob("*.png")]
    return bool(drawn) and metrics.is_file() and max(drawn) >= metrics.stat().st_mtime


def _measure(name: str, config: DictConfig, trained: Trained, against: Any, said: Mapping[str, Any]) -> bool:
    """Take one measure and write it down, with what is ``said`` of each; False where it lacks a judge.

    The weights of a chosen pass, ``epoch_0025`` and so on, get a folder of their own below ``evaluation/``.
    """
    began = time.monotonic()
    try:
        result = instantiate(config)(trained.module, against)
    except JudgeMissing:
        return False
    folder = trained.folder / "evaluation"
    if said["checkpoint"] not in ("best", "last"):
        folder /= str(said["checkpoint"])
    settings = OmegaConf.to_container(config, resolve=True)
    seconds = round(time.monotonic() - began, 3)
    write_json(folder / f"{name}.json", {**result, **said, "settings": settings, "seconds": seconds})
    print(f"{name:<16} {_shown(result)}", flush=True)
    return True


def _hand_in_judge(cfg: DictConfig, trained: Trained, against: Any, data_sha256: str, bench: Bench) -> dict[str, str]:
    """Give data of images the classifiers that judge a generator; a warning where the data is a stand-in.

    Raises ``ValueError`` where judge and witness are one: it would agree with itself.
    """
    if not isinstance(against, ImageData):
        return {}
    against.forget_judges()  # of the evaluation before
    if hasattr(trained.module, "sample"):
        witness = None if cfg.witness is None else bench.judge(cfg.witness, trained.folder, data_sha256)
        seen = None if witness is None else witness.sha256
        judge = bench.judge(cfg.judge, trained.folder, data_sha256, other_than=seen)
        if judge is not None:
            against.judge, against.judge_sha256, against.judge_run = judge.module, judge.sha256, str(judge.folder)
            against.remember = SeenFeatures(judge.folder / "features", judge.sha256)
            print(f"judged by {judge.folder} ({judge.sha256[:12]})", flush=True)
        if witness is not None:
            if judge is not None and judge.sha256 == witness.sha256:
                raise refuse("witness", "be another classifier than the judge", str(witness.folder), "witness")
            against.witness, against.witness_sha256 = witness.module, witness.sha256
    if not against.warning:
        return {}
    say(f"warning: {against.warning}")
    return {"warning": against.warning}


def _refuse_nothing(left_out: list[str], count: int) -> None:
    """Say which measures could not be taken for want of a judge; raises ``ValueError`` where none was taken."""
    if not left_out:
        return
    how = "train one with `genlab train experiment=classifier` and give its folder as judge=FOLDER (a second: witness=)"
    if len(left_out) == count:
        raise ValueError(f"`judge` must be a classifier's run; got None, and none is nearby: {how} (judge)")
    print(f"left out for want of a classifier: {', '.join(left_out)}; {how}")


def chosen(evaluators: DictConfig, only: Any) -> dict[str, DictConfig]:
    """The evaluators by name, or those that ``only`` names; raises ``ValueError`` for a name that is none."""
    known = {str(name): config for name, config in evaluators.items()}
    if only is None:
        return known
    names = [only] if isinstance(only, str) else OmegaConf.to_container(only)
    assert isinstance(names, list)
    return {one_of("only", name, known, "only"): known[name] for name in names}


def _shown(result: Mapping[str, Any]) -> str:
    value = result.get("value")
    return f"{value:.4g} {result.get('unit', '')}" if isinstance(value, int | float) else "nothing to measure"
