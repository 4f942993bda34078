"""The figures of image runs as Markdown: a table of settings with seeds as one row, and one of single runs, a model.

The measures are those that sum a run up and that any run of the model has; what real data scores stands below.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genlab.reporting.markdown_table import fixed, spread, table
from genlab.reporting.runs import RunRecord
from genlab.reporting.sections import HEADLINES, lookup, measure_name, warnings

_WORDS = (
    ("{}", "data.dataset"),
    ("latent {}", "model.latent_dim"),
    ("{}-layer generator", "model.generator.num_layers"),
    ("{}-layer discriminator", "model.discriminator.num_layers"),
    ("{} loss", "model.loss"),
    ("{} likelihood", "model.likelihood"),
    ("{} binarisation", "model.binarize"),
    ("KL x {:g}", "model.beta"),
    ("dropout {:g}", "model.dropout"),
    ("{} init", "model.init"),
    ("batch {}", "data.batch_size"),
)
_UNSAID = {"model.beta": 1.0, "model.dropout": 0.0}
"""Values at which a setting is not worth a word."""

Groups = Mapping[str, Sequence[RunRecord]]


def image_setting(record: RunRecord) -> str:
    """What was trained, in a few words: those that the run's config has."""
    found = [(text, path, lookup(record.config, path)) for text, path in _WORDS]
    words = [text.format(value) for text, path, value in found if value is not None and value != _UNSAID.get(path)]
    optimizer = str(lookup(record.config, "optimizer._target_") or "").rpartition(".")[2]
    words.append(f"{optimizer} {lookup(record.config, 'optimizer.lr')}")
    return f"{record.name}: {', '.join(words)}"


def image_figures(groups: Groups) -> list[str]:
    """The parts of a page about ``groups`` (runs that differ in their seed alone, by name), one model after another."""
    by_model: dict[str, dict[str, Sequence[RunRecord]]] = {}
    for name, group in groups.items():
        model = str(lookup(group[0].config, "model._target_") or group[0].name)
        by_model.setdefault(model, {})[name] = group
    return [part for of_model in by_model.values() for part in _model(of_model)]


def _model(groups: Groups) -> list[str]:
    records = [record for group in groups.values() for record in group]
    measures = [name for name in HEADLINES if any(name in record.evaluation for record in records)]
    said = list(dict.fromkeys(warning for record in records for warning in warnings(record)))
    parts = [f"**Warning.** {warning}" for warning in said]
    parts.append(_settings_table(groups, measures))
    return [*parts, _runs_table(groups, measures), _notes(records)]


def _settings_table(groups: Groups, measures: Sequence[str]) -> str:
    rows = []
    for name, group in groups.items():
        cells = [_cell(group, measure, "value") for measure in measures]
        seconds = spread(_numbers(record.status.get("seconds") for record in group), 0)
        rows.append([name, str(len(group)), *cells, f"{group[0].status.get('iterations', 0):,}", seconds])
    everyone = [record for group in groups.values() for record in group]
    floors = [_cell(everyone, measure, "floor.value") for measure in measures]
    if any(floors):
        rows.append(["real test images", "", *floors, "", ""])
    header = ["setting", "seeds", *_headers(measures, groups), "iterations", "seconds of training"]
    return table(header, rows) + "\n\nMean and standard deviation over the seeds."


def _runs_table(groups: Groups, measures: Sequence[str]) -> str:
    header = [
        "setting",
        "seed",
        *_headers(measures, groups),
        "checkpoint",
        "commit",
        "processor",
        "seconds of training",
    ]
    rows = []
    for name, group in groups.items():
        for record in group:
            values = [_of(record, measure, "value") for measure in measures]
            cells = [fixed(value, _digits(value) + 1) for value in values]
            rows.append([name, str(record.config.get("seed")), *cells, *_origin(record)])
    return table(header, rows)


def _origin(record: RunRecord) -> list[str]:
    """Checkpoint, commit and processor of a run, and how long it trained."""
    checkpoints = (result.get("checkpoint_sha256") for result in record.evaluation.values())
    return [
        next((str(checkpoint)[:12] for checkpoint in checkpoints if checkpoint), ""),
        str(record.provenance.get("commit") or "")[:12],
        str(lookup(record.provenance, "machine.processor") or ""),
        spread(_numbers([record.status.get("seconds")]), 0),
    ]


def _notes(records: Sequence[RunRecord]) -> str:
    """Which classifiers judged, and how many images each measure saw."""
    results = [result for record in records for result in record.evaluation.values()]
    judges = dict.fromkeys(str(result["judge_sha256"])[:12] for result in results if result.get("judge_sha256"))
    return f"Judged by the classifier with checkpoint {', '.join(judges)}." if judges else ""


def _cell(group: Iterable[RunRecord], measure: str, key: str) -> str:
    """Mean and deviation over a group; what has no floor at all leaves its cell empty."""
    values = _numbers(_of(record, measure, key) for record in group)
    if not values and key != "value":
        return ""
    return spread(values, _digits(values[0] if values else None))


def _of(record: RunRecord, measure: str, key: str) -> float | None:
    """A figure of a result, shares in percent."""
    result = record.evaluation.get(measure, {})
    found = _numbers([lookup(result, key)])
    return found[0] * (100 if _is_share(result) else 1) if found else None


def _headers(measures: Iterable[str], groups: Groups) -> list[str]:
    records = [record for group in groups.values() for record in group]
    shares = {name for record in records for name, result in record.evaluation.items() if _is_share(result)}
    return [f"{measure_name(measure)}{' (%)' if measure in shares else ''}" for measure in measures]


def _is_share(result: Mapping[str, Any]) -> bool:
    return str(result.get("unit")).split(" ")[0] == "share"


def _digits(value: float | None) -> int:
    """Decimals that leave a figure about four digits."""
    return 0 if not value else min(6, max(0, 3 - math.floor(math.log10(abs(value)))))


def _numbers(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
