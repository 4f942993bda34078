"""Figures of a study's single runs: training curves, and one dot a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from genlab.reporting.curves import MEAN_FROM, running_mean
from genlab.reporting.figure_specs import SEED, FigureSpec, series_text
from genlab.reporting.figures import INK, dressed, new_figure
from genlab.reporting.runs import Series
from genlab.reporting.study_axes import (
    WIDTH,
    group_colours,
    group_marker,
    limit,
    put_legend,
    tick_measured,
)
from genlab.reporting.study_labels import Definition, arm_text, quantity_label
from genlab.reporting.study_values import Arrangement, arranged, chosen, jobs_meant, levels
from genlab.studies.axes import ARM, EPOCH
from genlab.studies.folder import StudyRecord
from genlab.studies.observations import Observation

BAND_ALPHA = 0.16
MOST = 98
"""The percentile of a curve up to which it is shown: the fall of the first steps may leave the figure."""


def draw_curves(study: StudyRecord, spec: FigureSpec) -> Figure | None:
    """Training curves of the runs that are done, a panel a series; None where nothing was logged."""
    layout, logged = _grouped(study, spec)
    if not logged:
        return None
    groups = levels(group for found in logged.values() for group in found)
    figure = new_figure((WIDTH, 0.5 + 2.7 * len(logged)))
    figure.suptitle(spec.title, x=0.012, ha="left", color=INK, fontsize=11)
    panels = figure.subplots(len(logged), 1, sharex=True, squeeze=False).flatten()
    handles: list[Line2D] = []
    for panel, (series, found) in zip(panels, logged.items(), strict=True):
        dressed(panel, "")
        handles = _curves(panel, found, groups, spec.is_log("y"))
        panel.set_ylabel(series_text(series), color=INK)
    _count_iterations(panels[-1], spec.is_log("x"))
    put_legend(figure, layout.legend_title, groups, handles)
    return figure


def draw_scatter(definition: Definition, observations: Sequence[Observation], spec: FigureSpec) -> Figure | None:
    """One dot a run: the first quantity across, the second up; None where no run has both."""
    layout, dots = _dots(observations, spec)
    if not dots:
        return None
    figure = new_figure((WIDTH, 3.4))
    axes = dressed(figure.add_subplot(), spec.title)
    groups = levels(group for group, _, _ in dots)
    handles = []
    for index, (group, colour) in enumerate(zip(groups, group_colours(groups), strict=True)):
        x, y = [one for mine, one, _ in dots if mine == group], [two for mine, _, two in dots if mine == group]
        handles += axes.plot(x, y, group_marker(index), color=colour, markersize=7, markeredgecolor="white", alpha=0.9)
    for which, place in (("x", 1), ("y", 2)):
        tick_measured(axes, which, spec.is_log(which))
        limit(axes, which, [dot[place] for dot in dots], [], spec.is_log(which))
    axes.set_xlabel(quantity_label(definition, spec.shown[0]), color=INK)
    axes.set_ylabel(quantity_label(definition, spec.shown[1]), color=INK)
    put_legend(figure, layout.legend_title, groups, handles)
    return figure


def mean_over_seeds(runs: Sequence[Series]) -> tuple[Series, Series, Series]:
    """The mean, the lowest and the highest of ``runs``, as far as each of them goes, at the first one's iterations."""
    first = max(int(steps[0]) for steps, _ in runs)
    last = min(int(steps[-1]) for steps, _ in runs)
    steps = runs[0][0][(runs[0][0] >= first) & (runs[0][0] <= last)]
    values = np.array([np.interp(steps, *run) for run in runs])
    return (steps, values.mean(axis=0)), (steps, values.min(axis=0)), (steps, values.max(axis=0))


def _grouped(study: StudyRecord, spec: FigureSpec) -> tuple[Arrangement, dict[str, dict[Any, list[Series]]]]:
    """What the runs that are done logged of each series, smoothed, by group; series that nobody logged are left out."""
    done = [(job.run, place) for job, place in jobs_meant(study, spec) if job.run is not None and job.state == "done"]
    done = [(run, place) for run, place in done if spec.by in (None, ARM, *place)]
    axes = [axis for job in study.jobs for axis in job.arm]
    layout = arranged(spec, [place for _, place in done], axes)
    found: dict[str, dict[Any, list[Series]]] = {series: {} for series in spec.shown}
    for run, place in done:
        for series in spec.shown:
            if series in run.metrics and np.isfinite(run.metrics[series][1]).any():
                found[series].setdefault(layout.group(place), []).append(_smooth(run.metrics[series]))
    return layout, {series: groups for series, groups in found.items() if groups}


def _smooth(logged: Series) -> Series:
    finite = np.isfinite(logged[1])
    series = logged[0][finite], logged[1][finite]
    return running_mean(series) if len(series[1]) >= MEAN_FROM else series


def _curves(axes: Axes, found: Mapping[Any, Sequence[Series]], groups: Sequence[Any], log: bool) -> list[Line2D]:
    handles, shown = [], []
    for group, colour in zip(groups, group_colours(groups), strict=True):
        if group not in found:  # this series was not logged by them
            handles.append(Line2D([], [], color=colour))
            continue
        mean, lowest, highest = mean_over_seeds(found[group])
        marker = "o" if len(mean[0]) < 12 else ""
        handles += axes.plot(*mean, color=colour, linewidth=1.6, marker=marker, markersize=4)
        if len(found[group]) > 1:
            axes.fill_between(mean[0], lowest[1], highest[1], color=colour, alpha=BAND_ALPHA, linewidth=0)
        shown += [lowest[1], highest[1]]
    tick_measured(axes, "y", log)
    _limit_curves(axes, shown, log)
    return handles


def _limit_curves(axes: Axes, shown: Sequence[np.ndarray[Any, Any]], log: bool) -> None:
    """Spend the axis on what the runs came to."""
    low = min(float(values.min()) for values in shown)
    high = max(float(np.percentile(values, MOST)) for values in shown)
    limit(axes, "y", [low, high], [], log)


def _count_iterations(axes: Axes, log: bool) -> None:
    axes.set_xlabel("iteration", color=INK)
    if log:
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))


def _dots(observations: Sequence[Observation], spec: FigureSpec) -> tuple[Arrangement, list[tuple[Any, float, float]]]:
    """The group and both quantities of every run that has both, wherever among its observations they stand."""
    layout = Arrangement((), spec.by or ARM, ())
    found: dict[Any, dict[str, Any]] = {}
    for each in chosen(observations, spec):
        place = {**each.coordinates, SEED: each.seed}
        if spec.by not in (None, ARM, *place):
            continue  # named arms that do not set this axis
        group = arm_text(each.arm) if spec.by == ARM else layout.group(place)
        run = found.setdefault((each.folder, each.at.get(EPOCH), group), {"group": group})
        run.update({name: value for name in spec.shown if (value := each.values.get(name)) is not None})
    dots = [(run["group"], run.get(spec.shown[0]), run.get(spec.shown[1])) for run in found.values()]
    return layout, [(group, one, two) for group, one, two in dots if one is not None and two is not None]
