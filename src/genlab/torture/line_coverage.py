"""``python -m genlab.torture.line_coverage FILE``: which lines the tests run, by folder, of coverage.py's JSON.

Exit codes: 0 done; 1 fewer than ``--at-least`` per cent are run; 2 the command is wrong or the file is damaged.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import genlab
from genlab.torture.record import write_between

MARKS = "<!-- the coverage begins -->", "<!-- the coverage end -->"

Lines = dict[str, tuple[int, int]]
"""By folder the lines that there are and those that were run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Tell of the file, and write it to the documentation if asked; returns the exit code."""
    options = _options(argv)
    try:
        content = json.loads(options.file.read_text(encoding="utf-8"))
        lines = lines_by_folder(content["files"])
        version = content["meta"]["version"]
        table = markdown(lines, version)
        print(table)
        if options.write_docs is not None:
            write_between(options.write_docs, MARKS, table)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"genlab.torture.line_coverage: {options.file}: {error!r}", file=sys.stderr)
        return 2
    return 0 if percent(*lines["all"]) >= options.at_least else 1


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    docs = Path(genlab.__file__).parents[2] / "docs" / "reliability.md"
    parser = argparse.ArgumentParser(prog="python -m genlab.torture.line_coverage", description=__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="what coverage json wrote")
    parser.add_argument("--at-least", type=float, default=90.0, metavar="PERCENT", help="of all lines (default: 90)")
    parser.add_argument("--write-docs", type=Path, nargs="?", const=docs, metavar="FILE", help="rewrite the table")
    return parser.parse_args(argv)


def lines_by_folder(files: Mapping[str, Any]) -> Lines:
    """The lines of every folder of the package, and of ``all``; raises ``ValueError`` where there is no file."""
    if not files:
        raise ValueError("no file was measured")
    lines: Lines = {}
    for file, found in sorted(files.items()):
        parts = Path(file).parts
        inside = parts[parts.index("genlab") + 1 :]
        folder = f"{inside[0]}/" if len(inside) > 1 else "(top)"
        for name in (folder, "all"):
            there, run = lines.get(name, (0, 0))
            summary = found["summary"]
            lines[name] = there + summary["num_statements"], run + summary["covered_lines"]
    return {**{name: each for name, each in lines.items() if name != "all"}, "all": lines["all"]}


def percent(there: int, run: int) -> float:
    """Lines run of lines there, in per cent; where there is none, nothing is missing."""
    return 100 * run / there if there else 100.0


def markdown(lines: Lines, version: str) -> str:
    """A row a folder."""
    rows = [f"| {name} | {there} | {run} | {percent(there, run):.1f} % |" for name, (there, run) in lines.items()]
    head = ["| folder | lines | run by the tests | share |", "| --- | ---: | ---: | ---: |"]
    return (
        "\n".join([*head, *rows]) + f"\n\ncoverage.py {version}; lines, not branches; what numba compiles is left out."
    )


if __name__ == "__main__":
    sys.exit(main())
