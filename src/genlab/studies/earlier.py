"""What an earlier ledger found, for studies whose runs are not at hand: read back from its ``claims.json``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlab.checks import refuse
from genlab.studies.evidence import Evidence
from genlab.studies.weighing import Weighed


@dataclass(frozen=True)
class Earlier:
    """A claim as an earlier ledger weighed it: by which rule, measured by what, in which study at which budget.

    ``typed`` is what was typed of the study that its file does not say.
    """

    study: str
    budget: str
    measure: str
    rule: str
    weighed: Weighed
    typed: str = ""


def read_earlier(path: Path) -> dict[str, Earlier]:
    """The claims of the ledger in ``path`` that were weighed, by id.

    Their evidence alone is taken: how many claims it is corrected for is for the ledger to say that it is read for.
    Raises ``ValueError`` for a file that is no ledger.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return {row["id"]: _claim(row) for row in rows if row["budget"] and row["parts"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise refuse("earlier", "be a claims.json that genlab studies has written", str(path), "earlier") from error


def _claim(row: Mapping[str, Any]) -> Earlier:
    evidence = tuple(Evidence(**part) for part in row["parts"])
    if not all(0 <= p <= 1 for each in evidence for p in (each.p_for, each.p_against)):
        raise ValueError(f"p-values of {row['id']} outside 0 .. 1")
    typed = str(row.get("typed", ""))
    return Earlier(row["study"], row["budget"], row["measure"], row["rule"], Weighed(evidence), typed)
