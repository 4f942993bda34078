"""The results of a run, read from its folder and handed to loggers: measures, figures, pictures and texts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from genlab.reporting.runs import RunRecord, read_run
from genlab.run.config_files import config_dir
from genlab.run.loggers import log_animation, log_pictures, make_loggers, open_loggers
from genlab.run.metrics_csv import MetricsCsv
from genlab.run.study_plan import load_definition
from genlab.studies.quantities import (
    Logged,
    Quantity,
    evaluated_value,
    first_pass,
    logged_value,
    read_quantities,
)

Result = Mapping[str, Any]
"""What an evaluator found, as its JSON file has it."""


def mirror_results(
    folder: Path, loggers: Mapping[str, Any] | DictConfig, definition: Mapping[str, Any] | None = None
) -> None:
    """Show what the run in ``folder`` was measured at, and what it made, in those of ``loggers`` that are mirrors.

    ``loggers`` is a group's content, ``{wandb: {_target_: ...}}``; what it takes from a config it takes from the run's.
    The run's own ``metrics.csv`` is left as it is. ``definition`` is of the study that the run is one of; without it,
    of the study that the run's name is of, if any. Each call makes a record of its own, with ``evaluate`` for its job
    type: one that ended, above all one written offline, cannot be added to (docs/adr/0007).
    """
    record = read_run(folder)
    if definition is None:
        named = (config_dir() / "study" / f"{record.name}.yaml").is_file()
        definition = load_definition(record.name) if named else {}
    plain = OmegaConf.to_container(loggers) if isinstance(loggers, DictConfig) else dict(loggers)
    config = OmegaConf.create({**record.config, "run_dir": str(folder), "logger": plain})
    made = [logger for logger in make_loggers(config, "evaluate") if not isinstance(logger, MetricsCsv)]
    if not made:
        return
    with open_loggers(made, record.config):
        _log_measures(made, record)
        _log_media(made, record)
        for logger in made:
            _write_summary(logger, summary_of(record, definition))


def summary_of(record: RunRecord, definition: Mapping[str, Any]) -> dict[str, Any]:
    """The run in one row: the last value of all that it logged, and ``evaluation/<name>`` with all that is said of it.

    Fields of a result are ``evaluation/<name>/<field>``, the ends of an interval ``.../low`` and ``.../high``. What the
    study of ``definition`` reads from a run is ``quantity/<name>``, where that is one number.
    """
    summary: dict[str, Any] = {name: float(values[-1]) for name, (_, values) in record.metrics.items()}
    for name, result in record.evaluation.items():
        said = {field: value for field, value in result.items() if field != "settings"}  # those are in the config
        summary |= dict(_fields(f"evaluation/{name}", said))
    values = {name: _value(quantity, record) for name, quantity in read_quantities(definition).items()}
    return summary | {f"quantity/{name}": value for name, value in values.items() if value is not None}


def _value(quantity: Quantity, record: RunRecord) -> float | None:
    """The quantity at the end of the run; None where it is several numbers, or none."""
    source = quantity.source
    if isinstance(source, Logged):
        return logged_value(source, record.metrics.get(source.series), int(record.status["iterations"])).value
    if source.axis is not None:
        return None
    at_the_end = evaluated_value(quantity, record.evaluation.get(source.result))
    if source.take is None:
        return at_the_end
    passes = {int(name.removeprefix("epoch_")): results for name, results in record.passes.items()}
    by_epoch = {epoch: evaluated_value(quantity, results.get(source.result)) for epoch, results in passes.items()}
    last = int(record.config["trainer"]["max_epochs"])
    return first_pass(source, {**by_epoch, last: at_the_end}).value if last > 0 else None


def _fields(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Numbers and texts of a result by name; ``value`` itself goes by the result's own."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _fields(name if key == "value" else f"{name}/{key}", below)
    elif name.rpartition("/")[2] == "interval" and isinstance(value, list) and len(value) == 2:
        above = name.removesuffix("/interval")
        yield from zip((f"{above}/low", f"{above}/high"), value, strict=True)
    elif isinstance(value, int | float | str):
        yield name, value


def _log_measures(loggers: Sequence[Logger], record: RunRecord) -> None:
    """Every measure at the iteration of the weights that it was taken of, in order; lists of entries as tables."""
    rows: dict[int, dict[str, float]] = {}
    for results in (*record.passes.values(), record.evaluation):
        for name, result in results.items():
            if isinstance(value := result.get("value"), int | float):
                rows.setdefault(int(result["iteration"]), {})[f"evaluation/{name}"] = value
    for iteration in sorted(rows):
        for logger in loggers:
            logger.log_metrics(rows[iteration], step=iteration)
    for name, result in record.evaluation.items():
        for field, entries in result.items():
            if isinstance(entries, list) and entries and all(isinstance(entry, Mapping) for entry in entries):
                _log_table(loggers, f"evaluation/{name}/{field}", entries, int(result["iteration"]))


def _log_table(loggers: Sequence[Logger], key: str, entries: Sequence[Result], step: int) -> None:
    flat = [dict(_flat_entry(entry)) for entry in entries]
    columns = list(dict.fromkeys(name for entry in flat for name in entry))
    data = [[entry.get(name) for name in columns] for entry in flat]
    for logger in loggers:
        if (log_table := getattr(logger, "log_table", None)) is not None:
            log_table(key=key, columns=columns, data=data, step=step)


def _flat_entry(entry: Result) -> Iterator[tuple[str, Any]]:
    """An entry's fields without the slash that :func:`_fields` begins with; its own ``value`` is called so."""
    for name, value in _fields("", entry):
        yield name.removeprefix("/") or "value", value


def _log_media(loggers: Sequence[Logger], record: RunRecord) -> None:
    """Figures and pictures by file name, those of passes together, and the texts of ``samples/`` as one table."""
    iteration = int(record.status["iterations"])
    stills = {f"figures/{path.stem}": {path.name: path} for path in record.figures}
    for path in record.pictures:
        if path.suffix == ".gif":
            log_animation(loggers, f"samples/{path.stem}_animation", path, iteration)
        else:
            key = "samples/passes" if path.stem.startswith("epoch_") else f"samples/{path.stem}"
            stills.setdefault(key, {})[path.stem] = path
    for key, pictures in stills.items():
        log_pictures(loggers, key, pictures, iteration)
    if record.samples:
        _log_texts(loggers, record.samples, iteration)


def _log_texts(loggers: Sequence[Logger], texts: Mapping[str, str], step: int) -> None:
    for logger in loggers:
        if (log_text := getattr(logger, "log_text", None)) is not None:
            log_text(key="texts", columns=["file", "text"], data=[list(row) for row in texts.items()], step=step)
        if (add_text := getattr(getattr(logger, "experiment", None), "add_text", None)) is not None:
            for name, text in texts.items():
                add_text(f"texts/{name}", text, step)


def _write_summary(logger: Logger, summary: Mapping[str, Any]) -> None:
    """Set the row of the run in loggers that keep one: after all that was logged, for the last of that fills it too."""
    row = getattr(getattr(logger, "experiment", None), "summary", None)
    if row is not None:
        row.update(dict(summary))
