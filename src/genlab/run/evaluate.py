"""``genlab evaluate``: every evaluator of a run, each to its own ``evaluation/<name>.json``."""

import time
from collections.abc import Mapping
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from genlab.checks import one_of
from genlab.reporting.curves import draw_curves
from genlab.reporting.runs import read_run
from genlab.run.artifacts import write_json
from genlab.run.outcome import Outcome
from genlab.run.trained import load_trained


def main(cfg: DictConfig) -> Outcome:
    """Load the run's model and data, judge, write the results and draw the curves.

    Raises ``ValueError`` where the folder, a checkpoint or the data is not what the run says it is.
    """
    trained = load_trained(str(cfg.run), cfg.checkpoint)
    evaluators = chosen(cfg.get("evaluators") or trained.config.evaluators, cfg.only)
    data = instantiate(trained.config.data)
    _refuse_other_data(data, read_run(trained.folder).provenance)
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


def _refuse_other_data(data: Any, provenance: Mapping[str, Any]) -> None:
    trained_on = provenance.get("data", {}).get("sha256")
    now = data.provenance()["sha256"]
    if trained_on is not None and trained_on != now:
        name = data.provenance()["name"]
        raise ValueError(
            f"`data` must be what the run was trained on, with SHA-256 {trained_on}; {name} has {now} (data)"
        )


def _shown(result: Mapping[str, Any]) -> str:
    value = result.get("value")
    return f"{value:.4g} {result.get('unit', '')}" if isinstance(value, int | float) else "nothing to measure"
