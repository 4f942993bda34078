"""Markdown tables, and figures over seeds as their cells."""

import statistics
from collections.abc import Iterable, Sequence

NOT_MEASURED = "not measured"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [list(header), ["---"] * len(header), *map(list, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def spread(values: Sequence[float], digits: int) -> str:
    """Mean and, of more than one value, standard deviation with ``digits`` decimals."""
    if not values:
        return NOT_MEASURED
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.{digits}f}{deviation}"


def fixed(value: float | None, digits: int) -> str:
    """``value`` with ``digits`` decimals."""
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"
