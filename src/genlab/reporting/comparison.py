"""Runs side by side by what they were measured at: realism, variety, smoothness, likelihood; real data beside them."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genlab.reporting.markdown_table import table
from genlab.reporting.runs import RunRecord, run_label
from genlab.reporting.sections import NOTHING, lookup, measure_name, number, scale_of, warnings

Z = 1.959964  # half a 95 % interval in standard errors
MARK = "*"

LOWER, HIGHER, LIKE_REAL = "lower", "higher", "like real data"


@dataclass(frozen=True)
class Quality:
    """One figure to compare: where it stands in which result, and which way is better (None: neither)."""

    group: str
    measure: str
    better: str | None
    key: str = "value"
    label: str = ""

    @property
    def name(self) -> str:
        """What a reader calls it."""
        return self.label or measure_name(self.measure)


QUALITIES = (
    Quality("realism", "fid_mnist_cnn", LOWER),
    Quality("realism", "kid_mnist_cnn", LOWER),
    Quality("realism", "precision", HIGHER),
    Quality("realism", "density", LIKE_REAL),
    Quality("realism", "judge_confidence", LIKE_REAL),
    Quality("variety", "recall", HIGHER),
    Quality("variety", "coverage", HIGHER),
    Quality("variety", "class_spread", LIKE_REAL),
    Quality("variety", "class_histogram", LOWER, label="distance of the classes to the training set's"),
    Quality("smoothness", "path_length", LOWER),
    Quality("smoothness", "path_length", LOWER, "spread", "spread of the steps of a path"),
    Quality("smoothness", "path_length", LOWER, "largest_step_share", "largest step of a path"),
    Quality("memorisation", "memorisation", LIKE_REAL, label="share nearer to training than to test images"),
    Quality("likelihood", "elbo", HIGHER),
    Quality("likelihood", "iw_bound", HIGHER),
    Quality("likelihood", "reconstruction", LOWER, label="reconstruction error"),
)
"""What is compared, in the order of a table."""

CONDITIONS = (
    *("count", "real_count", "generated_count", "k", "subsets", "subset_size", "features"),
    *("points", "steps", "way", "walks", "likelihood", "binarize"),
)
"""Settings of a measure under which alone its figures compare."""


@dataclass(frozen=True)
class Figure:
    """A value and half its 95 % interval, in the unit of its result; None where it has none."""

    value: float
    half: float | None


@dataclass(frozen=True)
class Row:
    """One quality of all runs: a cell each (a dash where it was not measured), real data's, and which cell is best."""

    group: str
    name: str
    unit: str
    better: str | None
    cells: tuple[str, ...]
    best: int | None
    floor: str


@dataclass(frozen=True)
class Comparison:
    """A table of ``labels``' qualities, and what has to be said about it, a line each."""

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def compare(records: Sequence[RunRecord]) -> Comparison:
    """Put runs side by side. Raises ValueError for fewer than two, and for runs that have nothing to compare."""
    if len(records) < 2:
        raise ValueError(f"`runs` must name at least two runs; got {len(records)} (runs)")
    measured = [quality for quality in QUALITIES if any(_figure(record, quality) for record in records)]
    if not measured:
        names = ", ".join(str(record.folder) for record in records)
        raise ValueError(f"`runs` must have been evaluated as image models; got {names} (runs)")
    different = _different_grounds(records)
    rows = tuple(_row(records, quality, marks=not different) for quality in measured)
    notes = [*different, *_conditions(records, measured), *_explanations(rows, not different), *_warned(records)]
    return Comparison(tuple(run_label(record, records) for record in records), rows, (*notes, *_missing(records)))


def as_markdown(comparison: Comparison) -> str:
    """The comparison in Markdown: a table a group, then the notes."""
    parts = []
    for group in dict.fromkeys(row.group for row in comparison.rows):
        rows = [_markdown_row(row) for row in comparison.rows if row.group == group]
        header = [group, *comparison.labels, "real data", "better is"]
        parts.append(table(header, rows))
    parts.append("\n".join(f"- {note}" for note in comparison.notes))
    return "\n\n".join(parts) + "\n"


def _markdown_row(row: Row) -> list[str]:
    cells = [f"**{cell}**" if index == row.best else cell for index, cell in enumerate(row.cells)]
    return [f"{row.name}{f' ({row.unit})' if row.unit else ''}", *cells, row.floor, row.better or NOTHING]


# --- one row -----------------------------------------------------------------------------------------------------


def _row(records: Sequence[RunRecord], quality: Quality, marks: bool) -> Row:
    figures = [_figure(record, quality) for record in records]
    results = [record.evaluation[quality.measure] for record in records if quality.measure in record.evaluation]
    scale, unit = scale_of(results[0].get("unit")) if quality.key == "value" else (1.0, "")
    floors = [value for result in results if (value := _finite(lookup(result, f"floor.{quality.key}"))) is not None]
    same = not _differing(records, quality.measure)
    best = _best(figures, quality.better, floors[0] if floors else None) if marks and same else None
    one_floor = len(floors) > 0 and all(math.isclose(floor, floors[0], rel_tol=1e-6) for floor in floors)
    floor = number(floors[0] * scale) if one_floor else NOTHING
    cells = tuple(_shown(figure, scale) for figure in figures)
    return Row(quality.group, quality.name, unit, quality.better, cells, best, floor)


def _shown(figure: Figure | None, scale: float) -> str:
    if figure is None:
        return NOTHING
    half = "" if figure.half is None else f" ± {figure.half * scale:.2g}"
    return f"{number(figure.value * scale)}{half}"


def _figure(record: RunRecord, quality: Quality) -> Figure | None:
    result = record.evaluation.get(quality.measure, {})
    value = _finite(result.get(quality.key))
    if value is None:
        return None
    prefix = "" if quality.key == "value" else f"{quality.key}_"
    error, ends = _finite(result.get(f"{prefix}standard_error")), result.get(f"{prefix}interval")
    if isinstance(ends, list) and len(ends) == 2:
        return Figure(value, (ends[1] - ends[0]) / 2)
    return Figure(value, None if error is None else Z * error)


def _finite(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _best(figures: Sequence[Figure | None], better: str | None, floor: float | None) -> int | None:
    """The place of the figure that is better than every other one by more than the error of their difference.

    The error is that of two independent figures. Distances without a stated error (they have the same direction as
    their floor) count as different where they differ by more than real data differs from itself.
    """
    present = [(index, figure) for index, figure in enumerate(figures) if figure is not None]
    if better is None or len(present) < 2 or (better == LIKE_REAL and floor is None):
        return None
    badness = {index: _badness(figure.value, better, floor) for index, figure in present}
    best = min(badness, key=lambda index: badness[index])
    first = dict(present)[best]
    for index, figure in present:
        error = _error_of_difference(first, figure, floor if better == LOWER else None)
        if index != best and (error is None or badness[index] - badness[best] <= error):
            return None
    return best


def _badness(value: float, better: str, floor: float | None) -> float:
    return {LOWER: value, HIGHER: -value, LIKE_REAL: abs(value - (floor or 0.0))}[better]


def _error_of_difference(one: Figure, other: Figure, floor: float | None) -> float | None:
    if one.half is not None and other.half is not None:
        return math.hypot(one.half, other.half)
    return None if floor is None else abs(floor)


# --- what has to be said -----------------------------------------------------------------------------------------


def _different_grounds(records: Sequence[RunRecord]) -> Iterator[str] | list[str]:
    """Why no run can be called better than another at all, a line each."""
    results = [result for record in records for result in record.evaluation.values()]
    judges = {str(result["judge_sha256"])[:12] for result in results if result.get("judge_sha256")}
    data = {str(digest)[:12] for record in records if (digest := lookup(record.provenance, "data.sha256"))}
    lines = []
    if len(judges) > 1:
        lines.append(f"Judged by different classifiers ({', '.join(sorted(judges))}): nothing is marked as better.")
    if len(data) > 1:
        lines.append(f"Trained on different data ({', '.join(sorted(data))}): nothing is marked as better.")
    return lines


def _conditions(records: Sequence[RunRecord], measured: Sequence[Quality]) -> Iterator[str]:
    for measure in dict.fromkeys(quality.measure for quality in measured):
        for key, values in _differing(records, measure).items():
            shown = ", ".join(map(number, values))
            yield f"{measure_name(measure)} was measured with different `{key}` ({shown}): it does not compare."


def _differing(records: Sequence[RunRecord], measure: str) -> Mapping[str, Sequence[Any]]:
    """The settings of a measure that runs do not have in common, with their values."""
    results = [record.evaluation[measure] for record in records if measure in record.evaluation]
    values = {key: list(dict.fromkeys(result.get(key) for result in results)) for key in CONDITIONS}
    return {key: found for key, found in values.items() if len(found) > 1}


def _explanations(rows: Sequence[Row], marks: bool) -> Iterator[str]:
    yield "± is half a 95 % interval of one run: what another seed of training would change is not in it."
    if marks:
        yield (
            f"In bold, or with {MARK}: better than every other run by more than the error of the difference; "
            "where none is stated, by more than real data differs from itself."
        )
    smoothness = [row for row in rows if row.group == "smoothness"]
    if smoothness:
        yield "Smoothness is nothing by itself (one image over and over is the smoothest of all): see the variety."
    if any(row.floor != NOTHING for row in smoothness):
        yield "Real data's smoothness is that of test images that fade into each other, pixel by pixel."


def _warned(records: Sequence[RunRecord]) -> Iterator[str]:
    for record in records:
        yield from (f"{run_label(record, records)}: warning: {warning}" for warning in warnings(record))


def _missing(records: Sequence[RunRecord]) -> Iterator[str]:
    """The command that measures what a run's own config names and its folder lacks."""
    for record in records:
        known = record.config.get("evaluators") or {}
        wanted = {quality.measure for quality in QUALITIES} & set(known) - set(record.evaluation)
        if wanted:
            words = ["genlab", "evaluate", f"run={record.folder}", f"only=[{','.join(sorted(wanted))}]"]
            yield f"{run_label(record, records)} lacks {', '.join(sorted(wanted))}: {shlex.join(words)} judge=FOLDER"
