"""``genlab evaluate``: every evaluator of a run, each to its own ``evaluation/<name>.json``."""

import os
import time
from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from genlab.checks import one_of
from genlab.reporting.curves import draw_curves
from genlab.reporting.runs import read_run
from genlab.run.artifacts import RunFolder, write_json
from genlab.run.outcome import Outcome
from genlab.run.trained import load_trained


def main(cfg: DictConfig) -> Outcome:
    """Load the run's model and data, judge, write the results and draw the curves.

    Raises ``ValueError`` where the folder, a checkpoint or the data is not what the run says it is.
    """
    trained = load_trained(str(cfg.run), cfg.checkpoint)
    evaluators = chosen(cfg.get("evaluators") or trained.config.evaluators, cfg.only)
    data = instantiate(_where_it_is_now(trained.config.data))
    RunFolder(trained.folder).refuse_other_data(data.provenance())
    subject, against = trained.module, data.evaluation_data()
    for name, config in evaluators.items():
        began = time.monotonic()
        result = instantiate(config)(subject, against)
        figures = {
            **result,
            "checkpoint": cfg.checkpoint,
            "checkpoint_sha256": trained.checkpoint_sha256,
            "iteration": trained.iteration,
            "seconds": round(time.monotonic() - began, 3),
        }
        write_json(trained.folder / "evaluation" / f"{name}.json", figures)
        print(f"{name:<16} {_shown(result)}")
    draw_curves(read_run(trained.folder), trained.folder / "figures")
    print(f"done: genlab report runs={trained.folder}")
    return Outcome("done", trained.folder)


def chosen(evaluators: DictConfig, only: Any) -> dict[str, DictConfig]:
    """The evaluators by name, or those that ``only`` names; raises ``ValueError`` for a name that is none."""
    known = {str(name): config for name, config in evaluators.items()}
    if only is None:
        return known
    names = [only] if isinstance(only, str) else OmegaConf.to_container(only)
    assert isinstance(names, list)
    return {one_of("only", name, known, "only"): known[name] for name in names}


def _where_it_is_now(config: DictConfig) -> DictConfig:
    """The run's data config; ``GENLAB_DATA``, where it is set, says where named data lies on this machine."""
    root = os.environ.get("GENLAB_DATA")
    if root and "root" in config:
        config.root = root
    return config


def _shown(result: Mapping[str, Any]) -> str:
    value = result.get("value")
    return f"{value:.4g} {result.get('unit', '')}" if isinstance(value, int | float) else "nothing to measure"
