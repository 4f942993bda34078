"""``genlab studies``: the verdicts on all claims, printed, and written with a page for each study."""

import shlex
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genlab.checks import one_of, refuse
from genlab.reporting.study_markdown import write_claims_page, write_study_page, write_verdicts
from genlab.run.artifacts import write_json
from genlab.run.outcome import Outcome
from genlab.run.study_results import at_budget, ledger_of, write_results
from genlab.studies.earlier import Earlier, read_earlier
from genlab.studies.folder import StudyRecord
from genlab.studies.ledger import Ledger
from genlab.studies.observations import observe
from genlab.studies.study import BUDGETS

LEDGER = "claims.json"
COLOURS = {"confirmed": "green", "refuted": "red", "undecided": "yellow"}


def main(cfg: DictConfig) -> Outcome:
    """Decide all claims anew.

    Raises ``ValueError`` for a budget at which no study was run, and for a name or an earlier ledger that is none.
    """
    budget = one_of("budget", cfg.budget, BUDGETS, "budget")
    output = None if cfg.output is None else Path(str(cfg.output)).expanduser()
    earlier = _earlier(cfg.earlier, output)
    records = at_budget(budget)
    if not records:
        raise refuse("budget", "be one that a study was run with (genlab train -m study=NAME)", budget, "budget")
    ledger = ledger_of(records, earlier)
    _show(ledger)
    if output is not None:
        words = [f"{key}={cfg[key]}" for key in ("budget", "earlier", "output") if cfg[key] is not None]
        _write(ledger, _chosen(records, cfg.only), output, shlex.join(["genlab", "studies", *words]))
    return Outcome()


def _earlier(given: object, output: Path | None) -> dict[str, Earlier]:
    """What the ledger that is named found, or else the one that this one will replace."""
    if given is not None:
        return read_earlier(Path(str(given)).expanduser())
    there = None if output is None else output / LEDGER
    return read_earlier(there) if there is not None and there.is_file() else {}


def _chosen(records: list[StudyRecord], only: object) -> list[StudyRecord]:
    if only is None:
        return records
    names = [only] if isinstance(only, str) else OmegaConf.to_container(only)
    known = {record.name: record for record in records}
    return [known[one_of("only", name, list(known), "only")] for name in names]  # type: ignore[union-attr]


def _write(ledger: Ledger, records: list[StudyRecord], folder: Path, command: str) -> None:
    earlier = dict.fromkeys(row.study for row in ledger.rows if row.from_earlier)
    try:
        for record in records:
            write_results(record.folder, ledger)
            if record.name not in earlier:
                write_study_page(record, observe(record), ledger.rows, folder, command)
        for name in earlier:
            write_verdicts(name, ledger.rows, folder)
        write_claims_page(ledger.rows, folder / "claims.md", command)
        write_json(folder / LEDGER, ledger.as_dict())
    except OSError as error:
        raise refuse("output", f"be a folder that can be written ({error.strerror})", str(folder), "output") from error
    print(f"{len(records)} studies and the ledger written to {folder}")


def _show(ledger: Ledger) -> None:
    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("claim", "verdict", "p", "statement"):
        table.add_column(column)
    for row in ledger.rows:
        p = "" if row.p_corrected is None else f"{row.p_corrected:.3g}"
        table.add_row(row.id, Text(row.verdict, style=COLOURS[row.verdict]), p, row.statement)
    console.print(table)
    counts = [f"{sum(row.verdict == verdict for row in ledger.rows)} {verdict}" for verdict in COLOURS]
    console.print(f"{', '.join(counts)}; p corrected: {ledger.correction}")
