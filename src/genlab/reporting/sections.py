"""What a page shows of one run, as plain values: no HTML here, no files."""

import json
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from textwrap import shorten
from typing import Any, TypeGuard

from genlab.reporting.runs import RunRecord

NOTHING = "\N{EN DASH}"  # a cell without a value
FLOOR_FILE = "ngram_floor"
HELD_OUT = "bits_per_char"
HEADLINES = (
    HELD_OUT,
    "valid_words",
    "accuracy",
    "calibration",
    "elbo",
    "iw_bound",
    "fid_mnist_cnn",
    "precision",
    "recall",
    "kid_mnist_cnn",
    "density",
    "coverage",
)
"""The measures that sum up a run, most telling first; others follow in alphabetical order."""
MAX_HEADLINES = 3
NO_HEADLINES = ("class_histogram", "confusion")
"""Results that are looked at as figures: no one number sums them up."""
_NAMES = {
    HELD_OUT: "held-out text",  # where the unit already says what is measured
    "elbo": "ELBO",
    "iw_bound": "importance-weighted bound",
    "kl": "KL",
}

_SETTINGS = (
    ("corpus", "data.corpus"),
    ("text", "data.text"),
    ("data set", "data.dataset"),
    ("time steps", "data.seq_len"),
    ("batch", "data.batch_size"),
    ("hidden units", "model.hidden_size"),
    ("layers", "model.num_layers"),
    ("latent size", "model.latent_dim"),
    ("discriminator layers", "model.discriminator.num_layers"),
    ("generator layers", "model.generator.num_layers"),
    ("dropout", "model.dropout"),
    ("loss", "model.loss"),
    ("likelihood", "model.likelihood"),
    ("binarisation", "model.binarize"),
    ("weight of the KL", "model.beta"),
    ("initialisation", "model.init"),
    ("optimiser", "optimizer._target_"),
    ("learning rate", "optimizer.lr"),
    ("budget in iterations", "trainer.max_steps"),
    ("budget in epochs", "trainer.max_epochs"),
    ("precision", "trainer.precision"),
    ("engine", "model.engine"),
    ("seed", "seed"),
)
_REAL = ("held_out", "held_out_in_train", "floor")  # where a measure puts its figure for real data
_CHECKPOINT = ("checkpoint_sha256", "checkpoint")
_ERRORS = ("standard_error", "bits_standard_error")
_SHOWN = {"value", "unit", "interval", "count", "seed", "warning", *_CHECKPOINT}
MAX_DETAIL = 200
"""Characters of a text among the details of a measure."""


@dataclass(frozen=True)
class Measure:
    """One evaluation result, as the text that a table shows.

    ``real`` is the same measure of real data, ``details`` are the result's other plain values.
    """

    name: str
    value: str
    unit: str
    interval: str
    real: str
    count: str
    seed: str
    checkpoint: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Bar:
    """One bar of the held-out plot: bits per character, and its length in percent of the longest."""

    label: str
    bits: float
    percent: float
    is_model: bool


def words(name: str) -> str:
    """``bits_per_char`` as a reader would write it."""
    return name.replace("_", " ").replace("/", " ")


def measure_name(name: str) -> str:
    """What a measure, or a figure of it, is called: ``fid_mnist_cnn`` is the ``FID (mnist_cnn)``."""
    distance, _, features = name.partition("_")
    if distance in ("fid", "kid") and features:
        return f"{distance.upper()} ({features})"
    return _NAMES.get(name, words(name))


def number(value: object) -> str:
    """Four significant digits, thousands apart; text and lists as they are; a dash for None."""
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value) if not isinstance(value, list | tuple) else ", ".join(number(item) for item in value)
    if isinstance(value, int):
        return f"{value:,}"
    exact = float(value)
    if abs(exact) >= 1000:
        return f"{exact:,.0f}"
    return f"{exact:.4g}"


def duration(seconds: object) -> str:
    """Seconds as people say them: ``8.3 s``, ``4 min 05 s``, ``2 h 10 min``."""
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        return NOTHING
    exact = float(seconds)
    if exact < 59.95:
        return f"{exact:.1f} s"
    minutes, rest = divmod(round(exact), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def lookup(mapping: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted ``path``, or None where there is none."""
    value: Any = mapping
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def settings(record: RunRecord) -> list[tuple[str, str]]:
    """What was trained, as (label, value): of the settings that a reader asks for, those the run has."""
    config = record.config if lookup(record.config, "data.text") is None else _without_corpus(record.config)
    rows = [(label, lookup(config, path)) for label, path in _SETTINGS]
    rows = [(label, _last_name(value) if label == "optimiser" else value) for label, value in rows]
    engine = record.provenance.get("engine")
    if engine is not None:  # the engine that ran says more than the config's 'auto'
        rows = [(label, engine if label == "engine" else value) for label, value in rows]
    return [(label, _setting(value)) for label, value in rows if value is not None and value != -1]


def _setting(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)  # a seed has no thousands separators


def _without_corpus(config: Mapping[str, Any]) -> dict[str, Any]:
    data = {key: value for key, value in config["data"].items() if key != "corpus"}  # a text wins over a corpus
    return {**config, "data": data}


def _last_name(target: object) -> str | None:
    return None if target is None else str(target).rsplit(".", 1)[-1]


def measures(record: RunRecord) -> list[Measure]:
    """Every evaluation result of a run but the n-gram floors, the most telling first."""
    names = sorted(record.evaluation, key=lambda name: (_rank(name), name))
    return [_measure(name, record.evaluation[name]) for name in names if name != FLOOR_FILE]


def _rank(name: str) -> int:
    return HEADLINES.index(name) if name in HEADLINES else len(HEADLINES)


def _measure(name: str, result: Mapping[str, Any]) -> Measure:
    scale, unit = scale_of(result.get("unit"))
    return Measure(
        name=measure_name(name),
        value=_scaled(result.get("value"), scale),
        unit=unit,
        interval=_interval(result, scale),
        real=_scaled(next((lookup(result, f"{key}.value") for key in _REAL if result.get(key)), None), scale),
        count=number(result.get("count")),
        seed=_setting(result["seed"]) if result.get("seed") is not None else NOTHING,
        checkpoint=_short_hash(next((result[key] for key in _CHECKPOINT if key in result), None)),
        details=tuple(_details(result, scale)),
    )


def _details(result: Mapping[str, Any], scale: float) -> Iterator[tuple[str, str]]:
    for key, value in result.items():
        if key == "by_temperature" and value:
            values = (f"{number(row.get('temperature'))}: {_scaled(row.get('value'), scale)}" for row in value)
            yield words(key), " \N{MIDDLE DOT} ".join(values)
        elif key.endswith("sha256") and key not in _SHOWN:
            yield words(key.removesuffix("_sha256")), _short_hash(value)
        elif key not in _SHOWN and isinstance(value, str | int | float):
            yield words(key), shorten(number(value), MAX_DETAIL, placeholder=" ...")


def scale_of(unit: object) -> tuple[float, str]:
    """What a value of this unit is multiplied by to be shown, and the unit that it is shown in."""
    text = "" if unit is None else str(unit)
    first, _, rest = text.partition(" ")
    return (100.0, f"% {rest}".strip()) if first == "share" else (1.0, text)  # 71.2 % reads better than 0.712


def _scaled(value: object, scale: float) -> str:
    return number(float(value) * scale) if scale != 1.0 and _is_finite(value) else number(value)


def _interval(result: Mapping[str, Any], scale: float) -> str:
    ends = result.get("interval")
    if isinstance(ends, list | tuple) and len(ends) == 2:
        return " to ".join(_scaled(end, scale) for end in ends)
    error = next((result[key] for key in _ERRORS if _is_finite(result.get(key))), None)
    return NOTHING if error is None else f"\N{PLUS-MINUS SIGN} {scale * error:.2g} (s.e.)"


def _short_hash(value: object) -> str:
    digest = value.get("sha256") if isinstance(value, Mapping) else value
    return NOTHING if digest is None else str(digest).removeprefix("sha256:")[:12]


def headlines(record: RunRecord) -> list[Measure]:
    """The few measures that sum a run up; the last validation where nothing has been evaluated yet."""
    evaluated = {name: result for name, result in record.evaluation.items() if name not in NO_HEADLINES}
    found = measures(replace(record, evaluation=evaluated))[:MAX_HEADLINES]
    return found or [_validated(unit, value) for unit, value in _last_validation(record)]


def _last_validation(record: RunRecord) -> Iterator[tuple[str, float]]:
    """The unit and the value of what was last validated in training, of the measures that sum a run up."""
    units = {HELD_OUT: "bits per character", "accuracy": "share", "elbo": "nats an image"}
    for name, unit in units.items():
        if (value := _last_value(record, f"val/{name}")) is not None:
            yield unit, value


def _validated(unit: str, value: float) -> Measure:
    scale, shown = scale_of(unit)
    missing = (NOTHING,) * 5
    return Measure("held-out, in training", _scaled(value, scale), shown, *missing, ())


def warnings(record: RunRecord) -> list[str]:
    """What has to be known before any figure of the run is believed, such as that its data is a stand-in."""
    said = [
        lookup(record.provenance, "data.warning"),
        *(result.get("warning") for result in record.evaluation.values()),
    ]
    return list(dict.fromkeys(str(warning) for warning in said if warning))


def held_out_bits(record: RunRecord) -> float | None:
    """Held-out bits per character, as evaluated or else as last validated; None for other models."""
    evaluated = lookup(record.evaluation, f"{HELD_OUT}.value")
    return float(evaluated) if _is_finite(evaluated) else _last_value(record, f"val/{HELD_OUT}")


def _last_value(record: RunRecord, metric: str) -> float | None:
    validated = (lookup(record.status, "metrics") or {}).get(metric)
    logged = record.metrics[metric][1][-1] if metric in record.metrics else None
    return next((float(value) for value in (validated, logged) if _is_finite(value)), None)


def _is_finite(value: object) -> TypeGuard[Real]:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def floor_bars(record: RunRecord) -> list[Bar]:
    """The model's held-out bits among the n-gram floors, worst first; empty where either is missing."""
    model = held_out_bits(record)
    orders = lookup(record.evaluation, f"{FLOOR_FILE}.by_order") or []
    floors = [(_order_name(row.get("order")), row.get("bits")) for row in orders]
    rows = [(label, float(bits), False) for label, bits in floors if _is_finite(bits)]
    if model is None or not rows:
        return []
    rows.append((f"this model ({record.name})", model, True))
    longest = max(bits for _, bits, _ in rows)
    rows.sort(key=lambda row: -row[1])
    return [Bar(label, bits, 100 * bits / longest if longest > 0 else 0.0, mine) for label, bits, mine in rows]


def _order_name(order: Any) -> str:
    names = {1: "unigram", 2: "bigram", 3: "trigram"}
    return names.get(order, f"{order}-gram")


def provenance_rows(record: RunRecord) -> list[tuple[str, str]]:
    """Where a run comes from, as (label, value): what it recorded of commit, data, machine and versions."""
    source = record.provenance
    rows = [
        ("started", record.status.get("started") or source.get("started")),
        ("ended", record.status.get("ended")),
        ("commit", _commit(source)),
        ("seed", source.get("seed")),
        ("engine", source.get("engine")),
        *((f"data: {words(key)}", value) for key, value in _items(source.get("data"))),
        *((f"machine: {words(key)}", value) for key, value in _items(source.get("machine"))),
        ("versions", " · ".join(f"{key} {value}" for key, value in _items(source.get("versions")))),
    ]
    return [(label, _flat(value)) for label, value in rows if value not in (None, "", [], {})]


def _commit(source: Mapping[str, Any]) -> str | None:
    commit = source.get("commit")
    dirty = source.get("dirty")
    state = "" if dirty is None else " with uncommitted changes" if dirty else ", clean"
    return f"{commit}{state}" if commit else None


def _items(value: object) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, Mapping) else ()


def _flat(value: object) -> str:
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def command(record: RunRecord) -> str:
    """The command that made the run, as a shell takes it; empty where it was not recorded."""
    given = record.provenance.get("command")
    return shlex.join(str(word) for word in given) if isinstance(given, list) else str(given or "")
