"""``metrics.csv``: a Lightning logger that appends, and that a resumed run goes on with.

Lightning's own CSV logger starts its file anew; here a run that is resumed keeps what it logged up to its checkpoint.
"""

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from genlab.checks import file_named
from genlab.run.artifacts import write_text


class MetricsCsv(Logger):
    """One row an iteration at which something was logged; the first column is ``step``, the iteration.

    The header grows as new quantities come; a cell is empty where a quantity was not logged. Raises ``ValueError`` for
    a path that names no file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = file_named("path", path, "logger.csv.path")
        self._columns = ["step"]
        self._rows: list[dict[str, str]] = []
        self._written = 0

    @property
    def name(self) -> str:
        """Lightning's name for the logger."""
        return "csv"

    @property
    def version(self) -> str:
        """A run folder holds one run: there are no versions."""
        return ""

    def resume(self, iteration: int) -> None:
        """Take up an existing file, without the rows after ``iteration``: they will be logged again."""
        if not self.path.is_file():
            return
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a process that was killed may have left half a line
        reader = csv.DictReader(io.StringIO(whole))
        self._rows = [row for row in reader if _iteration(row) <= iteration]
        self._columns = list(reader.fieldnames or ["step"])
        self._rewrite(len(self._rows))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add figures to the row of ``step``."""
        figures = {name: f"{float(value):.7g}" for name, value in metrics.items() if name not in ("epoch", "step")}
        row = str(0 if step is None else step)
        if self._rows and self._rows[-1]["step"] == row:
            self._rows[-1] |= figures
            if self._written == len(self._rows):
                self._written = 0  # the row is in the file already, and changes there
        else:
            self._rows.append({"step": row, **figures})
        new = [name for name in figures if name not in self._columns]
        if new:
            self._columns += new
            self._written = 0

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run's config is ``config.yaml``."""

    def save(self) -> None:
        """Append the rows that are final; the last one may still grow."""
        self._write(len(self._rows) - 1)

    def flush(self) -> None:
        """Write the last row too."""
        self._write(len(self._rows))

    def finalize(self, status: str) -> None:
        """Write the last row too."""
        self.flush()

    def _write(self, stop: int) -> None:
        if self._written == 0 and stop > 0:
            self._rewrite(stop)
        elif stop > self._written:
            self._append(self._rows[self._written : stop])
            self._written = stop

    def _append(self, rows: list[dict[str, str]]) -> None:
        try:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns, lineterminator="\n").writerows(rows)
        except OSError as error:
            self._written = 0  # a part of a line may be there: what is written next begins the file anew
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _rewrite(self, stop: int) -> None:
        lines = [",".join(self._columns)]
        lines += [",".join(row.get(name) or "" for name in self._columns) for row in self._rows[:stop]]
        write_text(self.path, "\n".join(lines) + "\n")
        self._written = stop


def _iteration(row: Mapping[str, str]) -> int:
    return int(row["step"]) if (row.get("step") or "").isdigit() else 0
