"""``python -m genlab.benchmarks``: measure genlab beside its peers, print the tables, save every round."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

import genlab
from genlab.benchmarks.cases import CASES, chosen
from genlab.benchmarks.check import verdict
from genlab.benchmarks.curves import Curve
from genlab.benchmarks.plan import Plan, data_root, dataset_in, fastest_precision
from genlab.benchmarks.record import Record, print_table, read_record, updated, write_docs, write_record
from genlab.benchmarks.rounds import Case
from genlab.run.provenance import commit, machine, versions

TOP = Path(genlab.__file__).parents[2]
ROUNDS = {"quick": 2, "bench": 3, "full": 9}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. A target that is missed is no error.

    Returns 0; 1 where a case could not be measured or ``--check`` finds something slower; 2 for a wrong command.
    """
    options = _options(argv)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=180)
    try:
        names = chosen(options.only, options.plan)
        before = read_record(options.check) if options.check else None
        kept = read_record(options.output) if options.update else None
        record = read_record(options.read) if options.read else _measured(console, names, options)
        print_table(console, record)
        record = updated(kept, record, names) if kept else record
        if not options.read:
            write_record(options.output, record)
            console.print(f"all rounds are in {options.output}")
        if options.write_docs is not None:
            write_docs(options.write_docs, record)
        slower = _is_slower(console, before, record) if before else False
        return 1 if slower or record.failures else 0
    except (OSError, ValueError) as error:
        print(f"genlab.benchmarks: {error}", file=sys.stderr)
        return 2


def _is_slower(console: Console, before: Record, record: Record) -> bool:
    said, slower = verdict(before, record)
    console.print(said, markup=False, soft_wrap=True)
    return slower


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m genlab.benchmarks", description=__doc__)
    add = parser.add_argument
    parser.set_defaults(plan="bench")
    add("--quick", dest="plan", action="store_const", const="quick", help="tiny sizes: does it work at all?")
    add("--full", dest="plan", action="store_const", const="full", help="more rounds, and how cost grows")
    add("--only", metavar="NAMES", help=f"some of {','.join(CASES)}")
    add("--rounds", type=_count, metavar="N", help=f"turns that everyone gets (default: {ROUNDS['bench']})")
    add("--precision", default=fastest_precision(), help="of genlab's image models (default: %(default)s)")
    add("--output", type=Path, default=Path("bench/latest.json"), metavar="FILE", help="where rounds go")
    add("--update", action="store_true", help="keep what the file of --output has of other cases")
    add("--check", type=Path, metavar="FILE", help="say what is slower than in this record; exit code 1 if anything is")
    add("--from", dest="read", type=Path, metavar="FILE", help="show this record instead of measuring")
    docs = TOP / "docs" / "benchmarks.md"
    add(
        "--write-docs",
        type=Path,
        nargs="?",
        const=docs,
        metavar="FILE",
        help="rewrite the tables in docs/benchmarks.md",
    )
    return parser.parse_args(argv)


def _count(word: str) -> int:
    number = int(word)
    if number < 1:
        raise ValueError(word)
    return number


def _measured(console: Console, names: list[str], options: argparse.Namespace) -> Record:
    began, root = time.monotonic(), data_root()
    rounds = options.rounds or ROUNDS[options.plan]
    dataset = "digits" if options.plan == "quick" else dataset_in(root)
    with tempfile.TemporaryDirectory(prefix="genlab-bench-") as folder:
        plan = Plan(options.plan, rounds, Path(folder), dataset, root, options.precision)
        for warning in plan.warnings:
            console.print(warning, markup=False, soft_wrap=True)
        found, failures = [], {}
        for name in names:
            try:
                for one in CASES[name](plan):
                    _say(console, began, f"{name}: measured {_told(one)}")
                    found.append(one)
            except (OSError, RuntimeError, ValueError) as error:
                failures[name] = str(error)
                _say(console, began, f"{name}: not measured: {error}")
    code = commit()
    return Record(
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.monotonic() - began,
        rounds=rounds,
        plan=plan.name,
        commit=code["commit"],
        dirty=code["dirty"],
        versions=versions(),
        machine=machine(),
        cases=[one for one in found if isinstance(one, Case)],
        curves=[one for one in found if isinstance(one, Curve)],
        warnings=plan.warnings,
        failures=failures,
    )


def _told(one: Case | Curve) -> str:
    """What has been measured, and its ratios, in one line."""
    if isinstance(one, Curve):
        return f"{one.what}, {one.axis}"
    ratios = [f"{found.ratio.median:.2f} beside {found.peer}" for found in one.comparisons]
    return ", ".join([one.what, one.size, *ratios])


def _say(console: Console, began: float, line: str) -> None:
    console.print(f"[{time.monotonic() - began:4.0f} s] {line}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
