"""What the reports of a model and of a study hold, in plain words: what service shows it is said elsewhere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from genlab.run.config_files import config_dir
from genlab.studies.axes import axis_of
from genlab.studies.quantities import HIGHER, Evaluated, Quantity, read_quantities
from genlab.studies.study import Study

STEP = "trainer/global_step"
"""What curves are drawn over: the iteration, as loggers of Lightning's call it."""

CURVES, BARS, PICTURES, TABLE, COORDINATES = "curves", "bars", "pictures", "table", "coordinates"
"""Kinds of panel."""


@dataclass(frozen=True)
class Column:
    """An axis among parallel ones: ``key`` of the config, or of the summary where ``measured``."""

    key: str
    label: str
    measured: bool = False
    upside_down: bool = False
    """Whether small values stand on top: of what is better when lower."""


@dataclass(frozen=True)
class Panel:
    """One picture: ``keys`` are what it shows of what was logged; of parallel coordinates there are ``columns``."""

    kind: str
    title: str
    keys: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class RunSet:
    """Runs of ``groups`` and of a job type, with every tag of ``tags``; one line for each value of ``together``."""

    name: str
    groups: tuple[str, ...]
    job_type: str
    tags: tuple[str, ...] = ()
    together: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """Panels of one set of runs under a heading."""

    heading: str
    text: str
    runs: RunSet
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """A report: its title, by which it is found again, what it is about, and its sections."""

    title: str
    description: str
    sections: tuple[Section, ...]


def of_model(name: str, panels: Mapping[str, Any], groups: Sequence[str], run: DictConfig) -> Dashboard:
    """The report of model ``name``: runs of its experiments, ``groups``; ``run`` is the config of its default one."""
    training = RunSet("training", tuple(groups), "train")
    results = RunSet("results", tuple(groups), "evaluate")
    trained, evaluated = panels["training"], panels["results"]
    sections = [
        Section("Training", "genlab train logger=wandb", training, tuple(_curves(trained))),
        Section("What it makes, while it trains", "", training, tuple(_media(trained))),
        Section("Measures", "genlab evaluate run=FOLDER logger=wandb", results, tuple(_measures(list(run.evaluators)))),
        Section("Results", "genlab sample, and then genlab evaluate", results, tuple(_media(evaluated))),
    ]
    return Dashboard(f"genlab: {name}", f"Runs of {', '.join(groups)}", _filled(sections))


def of_study(name: str, budget: str | None, study: Study, panels: Sequence[Mapping[str, Any]]) -> Dashboard:
    """The report of a study; ``panels`` are those of each model that it trains."""
    tags = () if budget is None else (budget,)
    keys = tuple(config_key(key) for key in varied(study))
    training = RunSet("training", (name,), "train", tags, keys)
    results = RunSet("results", (name,), "evaluate", tags)
    quantities = read_quantities({"quantities": study.quantities})
    measures = list(study.evaluate.get("measures") or [])
    by_pass = [Panel(CURVES, measure, (f"evaluation/{measure}",)) for measure in measures]
    trained, evaluated = [each["training"] for each in panels], [each["results"] for each in panels]
    sections = [
        Section("The sweep", _claims(study), results, (_coordinates(study, quantities), *_along(quantities))),
        Section("Curves", "the mean over seeds", training, _each_once(map(_curves, trained))),
        Section("What they make, while they train", "", training, _each_once(map(_media, trained))),
        Section("Measures", "", results, tuple(_measures(measures))),
        Section("Measures, pass by pass", "", results, tuple(by_pass) if study.evaluate.get("passes") else ()),
        Section("Results", "", results, _each_once(map(_media, evaluated))),
    ]
    title = f"genlab study: {name}" + (f" ({budget})" if budget else "")
    return Dashboard(title, study.question, _filled(sections))


def varied(study: Study) -> list[str]:
    """The overrides, but for the seed, that not all runs of the study share, in the order of their first appearance."""
    jobs = [job.overrides for job in study.jobs()]
    keys = dict.fromkeys(key for overrides in jobs for key in overrides if key != "seed")
    return [key for key in keys if any(overrides.get(key, ...) != jobs[0].get(key, ...) for overrides in jobs)]


def config_key(key: str) -> str:
    """Where in a run's config the value of an override is found: of a group it is what the option is made into."""
    if key == "experiment":
        return "model._target_"
    return f"{key}._target_" if (config_dir() / key).is_dir() else key


def outline(dashboard: Dashboard) -> str:
    """The report in lines of text, for people."""
    lines = [dashboard.title, f"  {dashboard.description}"]
    for section in dashboard.sections:
        runs = section.runs
        said = [f"group {' or '.join(runs.groups)}", f"job type {runs.job_type}", *(f"tag {tag}" for tag in runs.tags)]
        together = f"; one line for each {', '.join(runs.together)}" if runs.together else ""
        lines.append(f"  {section.heading} (runs of {', '.join(said)}{together})")
        for panel in section.panels:
            shown = [*panel.keys, *(column.key for column in panel.columns)]
            lines.append(f"    {panel.kind}: {panel.title}: {', '.join(shown)}")
    return "\n".join(lines)


def _curves(part: Mapping[str, Any]) -> Iterator[Panel]:
    for title, keys in part.get("curves", {}).items():
        yield Panel(CURVES, title, tuple(keys))


def _media(part: Mapping[str, Any]) -> Iterator[Panel]:
    for title, keys in part.get("pictures", {}).items():
        yield Panel(PICTURES, title, tuple(keys))
    for title, key in part.get("tables", {}).items():
        yield Panel(TABLE, title, (key,))


def _measures(names: Sequence[str]) -> Iterator[Panel]:
    for name in names:
        yield Panel(BARS, name, (f"evaluation/{name}",))


def _each_once(panels: Iterable[Iterable[Panel]]) -> tuple[Panel, ...]:
    """The panels of several models; what they have in common stands once."""
    return tuple(dict.fromkeys(panel for each in panels for panel in each))


def _coordinates(study: Study, quantities: Mapping[str, Quantity]) -> Panel:
    """What varies against what is read from each run, the seed between them."""
    settings = [Column(config_key(key), axis_of(key)) for key in [*varied(study), "seed"]]
    measured = [
        Column(f"quantity/{name}", quantity.label, measured=True, upside_down=quantity.better not in (None, HIGHER))
        for name, quantity in quantities.items()
        if quantity.axis is None
    ]
    return Panel(COORDINATES, "settings against quantities", columns=(*settings, *measured))


def _along(quantities: Mapping[str, Quantity]) -> Iterator[Panel]:
    """Quantities that a result gives several values of, such as one a temperature: its table."""
    for quantity in quantities.values():
        source = quantity.source
        if isinstance(source, Evaluated) and source.axis is not None:
            key = "/".join(("evaluation", source.result, *source.entries))
            yield Panel(TABLE, f"{quantity.label} by {source.axis}", (key,))


def _claims(study: Study) -> str:
    """The statements that the study decides, a line each."""
    return "\n".join(f"{name}: {claim['statement']}" for name, claim in study.claims.items())


def _filled(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Sections that have something to show."""
    return tuple(section for section in sections if section.panels)
