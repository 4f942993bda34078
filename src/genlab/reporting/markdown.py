"""The figures of many runs as Markdown tables, for the pages in ``docs/studies``: seeds as one row, with their spread.

A page's prose is written by hand; its figures stand between two markers and are written by a command, so that no
figure is typed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from genlab.reporting.image_tables import image_figures, image_setting
from genlab.reporting.markdown_table import fixed, spread, table
from genlab.reporting.runs import RunRecord
from genlab.reporting.sections import lookup

BEGIN, END = "<!-- figures: written by a command -->", "<!-- end of figures -->"
_SAMPLE = 600

Cell = Callable[[RunRecord], float | None]


def write_markdown(records: Sequence[RunRecord], path: Path, command: str) -> Path:
    """Write the tables into ``path``: between its markers if it has them, else as a page of their own.

    Raises ``ValueError`` for a page with one marker only.
    """
    return write_figures(path, _figures(records, command))


def write_figures(path: Path, figures: str) -> Path:
    """Write Markdown between the markers of the page at ``path``, or as a page with nothing else.

    Raises ``ValueError`` for a page with one marker only, or none.
    """
    page = path.read_text(encoding="utf-8") if path.is_file() else f"{BEGIN}\n{END}\n"
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"`output` must hold the markers {BEGIN} and {END}, or not exist; got {path} (output)")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}{BEGIN}\n\n{figures}\n{END}{after}", encoding="utf-8")
    return path


def group_by_setting(records: Iterable[RunRecord]) -> dict[str, list[RunRecord]]:
    """Runs that differ in nothing but their seed, under a name that tells the groups apart."""
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(setting(record), []).append(record)
    return groups


def setting(record: RunRecord) -> str:
    """What was trained, in a few words."""
    if not _is_text(record):
        return image_setting(record)
    config = record.config
    words = [f"{record.name}:"]
    for name, place in (("hidden", "model.hidden_size"), ("layer", "model.num_layers"), ("steps", "data.seq_len")):
        if (value := lookup(config, place)) is not None:
            words.append(f"{value} {name}{'s' if name == 'layer' and value != 1 else ''},")
    optimizer = str(lookup(config, "optimizer._target_") or "").rpartition(".")[2]
    words.append(f"batch {lookup(config, 'data.batch_size')}, {optimizer} {lookup(config, 'optimizer.lr')}")
    return " ".join(words)


def _figures(records: Sequence[RunRecord], command: str) -> str:
    texts, others = ([record for record in records if _is_text(record) == is_text] for is_text in (True, False))
    parts = [f"Written by `{command}`."]
    if texts:
        parts += [_settings_table(texts), _runs_table(texts), _floor_table(texts)]
        parts += [_sample(group[0]) for group in group_by_setting(texts).values()]
    if others:
        parts += image_figures(group_by_setting(others))
    return "\n\n".join(part for part in parts if part) + "\n"


def _is_text(record: RunRecord) -> bool:
    """A run that reads text in time steps."""
    return lookup(record.config, "data.seq_len") is not None or "bits_per_char" in record.evaluation


def _settings_table(records: Sequence[RunRecord]) -> str:
    header = ["setting", "seeds", "held-out bits/char", "nats/char", "valid words", "iterations", "seconds of training"]
    rows = []
    for name, group in group_by_setting(records).items():
        spread = [_spread(group, cell, digits) for cell, digits in ((_bits, 3), (_nats, 3), (_valid, 3))]
        seconds = _spread(group, lambda record: record.status.get("seconds"), 0)
        rows.append([name, str(len(group)), *spread, f"{group[0].status.get('iterations', 0):,}", seconds])
    return table(header, rows) + "\n\nMean and standard deviation over the seeds."


def _runs_table(records: Sequence[RunRecord]) -> str:
    header = ["setting", "seed", "held-out bits/char", "valid words", "checkpoint", "commit", "processor"]
    rows = [
        [
            setting(record),
            str(record.config.get("seed")),
            fixed(_bits(record), 4),
            fixed(_valid(record), 4),
            str(lookup(record.evaluation, "bits_per_char.checkpoint_sha256") or "")[:12],
            str(record.provenance.get("commit") or "")[:12],
            str(lookup(record.provenance, "machine.processor") or ""),
        ]
        for record in records
    ]
    return table(header, rows)


def _floor_table(records: Sequence[RunRecord]) -> str:
    """The n-gram floors, which are the same for every run of a text."""
    floors: Mapping[str, Any] = next(
        (r.evaluation["ngram_floor"] for r in records if "ngram_floor" in r.evaluation), {}
    )
    rows = [
        [f"{floor['order']}-gram", fixed(floor["bits"], 3), fixed(floor["nats"], 3)]
        for floor in floors.get("by_order", [])
    ]
    if not rows:
        return ""
    real = next((r.evaluation["valid_words"] for r in records if "valid_words" in r.evaluation), {})
    share = lookup(real, "held_out_in_train.value")
    note = "" if share is None else f"\n\nOf the held-out text's own words, {share:.3f} are words of the training text."
    return table(["floor without training", "held-out bits/char", "nats/char"], rows) + note


def _sample(record: RunRecord) -> str:
    text = record.samples.get("generated_text.txt", "")
    if not text:
        return ""
    heading = f"{setting(record)}, seed {record.config.get('seed')}, drawn at temperature 0.8:"
    return f"{heading}\n\n```text\n{text[:_SAMPLE]}\n```"


def _spread(group: Sequence[RunRecord], cell: Cell, digits: int) -> str:
    return spread([value for record in group if (value := cell(record)) is not None], digits)


def _bits(record: RunRecord) -> float | None:
    return _float(lookup(record.evaluation, "bits_per_char.value"))


def _nats(record: RunRecord) -> float | None:
    return _float(lookup(record.evaluation, "bits_per_char.nats"))


def _valid(record: RunRecord) -> float | None:
    return _float(lookup(record.evaluation, "valid_words.value"))


def _float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
