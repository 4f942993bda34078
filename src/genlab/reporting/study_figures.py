"""The figures of a study, drawn from its observations: the seeds as dots, their mean with its interval.

A study's file lists them under ``figures``. Each is a mapping with one of these keys, which says what is shown:

- ``lines: QUANTITY`` with ``along: AXIS``; a line for each value of ``by: AXIS``.
- ``points: [QUANTITY, ...]`` (one to four), a row for each value of ``along: AXIS`` (default: ``arm``), a colour for
  each value of ``by: AXIS``.
- ``curves: [SERIES, ...]`` (one to four columns of ``metrics.csv``): training curves, a colour for each value of
  ``by: AXIS``; the mean over seeds, smoothed as single runs' curves are, between the lowest and the highest seed.
- ``scatter: [QUANTITY, QUANTITY]`` (across, up): one dot a run, a colour for each value of ``by: AXIS``.
- ``heat: QUANTITY`` with ``along: [AXIS, AXIS]`` (down, across): a map with its values written into it.
- ``grids: true``: what the models generated while they learned, one row an arm and one column a pass of ``passes``
  (default: up to six that were drawn), from the first seed.

Any may have ``of: {AXIS: value}`` (what is shown of an axis; a list stands for any of its values, ``first`` and
``last`` for the smallest and the largest), ``log: x``, ``y`` or ``both`` (logarithmic axes), ``title``, and ``name``
(of the file). An axis is

- the last part of a key of the study's grid, or of what its named arms set: ``seq_len``, ``dropout``;
- ``arm``: everything by which arms differ that no other axis of the figure tells;
- the key of a quantity's ``each``: ``temperature``;
- ``epoch``: passes over the data. Where a figure does not name it, the end of training is shown;
- ``seed``, for curves and scatter.

Only seeds are averaged: what differs along an axis that a figure does not name has a group (a line, a colour, a map) of
its own.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from genlab.reporting.figure_specs import FigureSpec, read_figures
from genlab.reporting.figures import write_figure
from genlab.reporting.sheets import noting
from genlab.reporting.study_grids import write_grids
from genlab.reporting.study_heat import draw_heat
from genlab.reporting.study_labels import Definition, axis_label, direction, quantity_text
from genlab.reporting.study_means import draw_lines, draw_points
from genlab.reporting.study_runs import draw_curves, draw_scatter
from genlab.studies.folder import StudyRecord
from genlab.studies.observations import Observation

COLOURS_OF_A_FIGURE = 96
"""Faint dots and bands over each other have many hues."""


def draw_study(study: StudyRecord, observations: Sequence[Observation], folder: Path) -> list[Path]:
    """Write each figure that the study asks for into ``folder`` as ``<name>.png`` and return the paths.

    One for which nothing was measured yet is left out, and one of an earlier time is removed. Raises ``ValueError``
    naming the field for a figure that cannot be.
    """
    paths = []
    warnings = dict.fromkeys(job.run.warning for job in study.jobs if job.run is not None and job.run.warning)
    with noting(" ".join(warnings)):
        for spec in read_figures(study.definition):
            path = folder / f"{spec.name}.png"
            if _draw(study, observations, spec, path):
                paths.append(path)
            else:
                path.unlink(missing_ok=True)
    return paths


def figure_caption(definition: Definition, spec: FigureSpec) -> str:
    """What a reader has to know to read the figure."""
    selection = ", ".join(f"{axis_label(axis)} {_shown(value)}" for axis, value in (spec.of or {}).items())
    return "; ".join(note for note in (_SENTENCES[spec.kind], selection, *_ways(definition, spec)) if note) + "."


def _ways(definition: Definition, spec: FigureSpec) -> list[str]:
    """Which way is better, for each quantity for which one is."""
    if spec.kind == "curves":
        return []
    ways = [(quantity_text(definition, name), direction(definition, name)) for name in spec.shown]
    if spec.kind == "heat":
        return ["darker is better" if way else "darker is higher" for _, way in ways]
    return [f"{name}: {way}" for name, way in ways if way]


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _draw(study: StudyRecord, observations: Sequence[Observation], spec: FigureSpec, path: Path) -> bool:
    """Write one figure; false where there is nothing to show."""
    if spec.kind == "grids":
        return write_grids(study, spec, path)
    if spec.kind == "curves":
        figure = draw_curves(study, spec)
    else:
        figure = _FROM_OBSERVATIONS[spec.kind](study.definition, observations, spec)
    if figure is not None:
        write_figure(figure, path, COLOURS_OF_A_FIGURE)
    return figure is not None


_FROM_OBSERVATIONS: dict[str, Callable[[Definition, Sequence[Observation], FigureSpec], Figure | None]] = {
    "lines": draw_lines,
    "points": draw_points,
    "scatter": draw_scatter,
    "heat": draw_heat,
}

_SENTENCES = {
    "lines": "Mean over seeds with its 95 % interval; faint dots are seeds",
    "points": "Mean over seeds with its 95 % interval; faint dots are seeds",
    "curves": "Mean over seeds, between the lowest and the highest seed",
    "scatter": "One dot a run",
    "heat": "Mean over seeds ± half of its 95 % interval",
    "grids": "The same latents after each pass; one seed an arm",
}
