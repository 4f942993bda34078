"""``genlab dashboard``: W&B reports from the configs, one a model and one a study; and sweeps for W&B's agents.

Without ``create=true`` nothing is asked of W&B, and nothing but the configs is read.
"""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from genlab.checks import refuse
from genlab.run.agent_sweep import sweeps_of, write_sweeps
from genlab.run.command_line import typed_words
from genlab.run.config_files import config_dir, experiments, studies
from genlab.run.dashboard_plan import Dashboard, of_model, of_study, outline
from genlab.run.outcome import Outcome
from genlab.run.study_plan import compose_run, composing, load_definition
from genlab.studies.study import Study, at_budget, read_definition


def main(cfg: DictConfig) -> Outcome:
    """Show the reports that are asked for, and make them with ``create=true``; or write a sweep's file.

    Raises ``ValueError`` for a study or a budget that there is not, and where a report cannot be made.
    """
    if not isinstance(cfg.create, bool):
        raise refuse("create", "be true or false", cfg.create, "create")
    chosen = HydraConfig.get().runtime.choices
    project = str(cfg.project)
    if cfg.sweep is not None:
        return _write_sweep(cfg, chosen.get("study"), project)
    dashboards = list(_dashboards(chosen.get("panels"), chosen.get("study"), cfg))
    print("\n\n".join(map(outline, dashboards)))
    if cfg.create:
        for url in _publish(dashboards, cfg.entity, project):
            print(url)
    else:
        count = f"{len(dashboards)} report{'s' if len(dashboards) != 1 else ''}"
        print(f"\n{count} of W&B's project {project}, not made: add create=true")
    return Outcome("done")


def _dashboards(model: str | None, study: str | None, cfg: DictConfig) -> Iterator[Dashboard]:
    """The reports of the model and the study that were chosen, or, where neither was, of all of both."""
    everything = model is None and study is None
    with composing():
        runs = {name: compose_run([f"experiment={name}"]) for name in experiments()}
        for name in _models() if everything else filter(None, [model]):
            groups = [each for each, run in runs.items() if _room(run) == name]
            yield of_model(name, _panels(name), groups, runs[name])
        for name in studies() if everything else filter(None, [study]):
            definition = load_definition(name)
            chosen = _study(definition, cfg.budget)
            rooms = dict.fromkeys(_room(runs[str(job.overrides["experiment"])]) for job in chosen.jobs())
            yield of_study(name, cfg.budget, chosen, [_panels(room) for room in rooms])


def _write_sweep(cfg: DictConfig, study: str | None, project: str) -> Outcome:
    """Write what ``wandb sweep`` takes. Raises ``ValueError`` without a study, or a place to write to."""
    path = Path(str(cfg.sweep)).expanduser()
    if study is None:
        raise refuse("study", "be given with sweep=FILE", study, "study")
    if path.suffix not in (".yaml", ".yml"):
        raise refuse("sweep", "end in .yaml", str(path), "sweep")
    budget = str(cfg.budget or "quick")
    sweeps = sweeps_of(_study(load_definition(study), budget), study, budget, project)
    try:
        written = write_sweeps(sweeps, path, shlex.join(["genlab", "dashboard", *typed_words()]))
    except OSError as error:
        raise refuse("sweep", f"be a file that can be written ({error.strerror})", str(path), "sweep") from error
    for file in written:
        print(f"written: wandb sweep {shlex.quote(str(file))}")
    return Outcome("done")


def _study(definition: Mapping[str, Any], budget: str | None) -> Study:
    """The study at a budget, or as it is but for what the budgets change."""
    if budget is not None:
        return read_definition(at_budget(definition, budget))
    return read_definition({key: value for key, value in definition.items() if key != "budgets"})


def _publish(dashboards: list[Dashboard], entity: str | None, project: str) -> list[str]:
    try:
        from genlab.run.wandb_reports import publish
    except ModuleNotFoundError as error:
        rule = "be left out without wandb-workspaces: pip install 'genlab[dashboards]'"
        raise refuse("create", rule, True, "create") from error
    return publish(dashboards, entity, project)


def _models() -> list[str]:
    return sorted(path.stem for path in (config_dir() / "panels").glob("*.yaml"))


def _panels(name: str) -> dict[str, Any]:
    content = OmegaConf.to_container(OmegaConf.load(config_dir() / "panels" / f"{name}.yaml"))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _room(run: DictConfig) -> str:
    """The model of a run: the package that it is built from."""
    return str(run.model._target_).split(".")[1]
