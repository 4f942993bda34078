"""``python -m genlab.benchmarks``: measure everything, print the table, save the rounds; ``--quick`` for a try."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

import genlab
from genlab.benchmarks.loading import loading_case
from genlab.benchmarks.record import Record, print_table, write_docs, write_record
from genlab.benchmarks.rounds import Case
from genlab.benchmarks.sampling import sampling_cases
from genlab.benchmarks.training import Setting, training_case
from genlab.run.provenance import commit, machine, versions

# The report's own sizes, one window an iteration; and batches of 64, in which a step takes fewer windows.
SETTINGS = (
    Setting(100, 20),
    Setting(256, 20),
    Setting(256, 50),
    Setting(512, 50),
    Setting(256, 50, batch_size=64, windows_per_step=20, warm_up=20, updates=100, slice_seconds=1.0),
)
QUICK_SETTINGS = (
    Setting(16, 10, windows_per_step=10, warm_up=10, updates=20, slice_seconds=0.02),
    Setting(16, 10, batch_size=64, windows_per_step=10, warm_up=10, updates=20, slice_seconds=0.02),
)
SAMPLING_TARGETS = {1: 5.0, 64: 20.0}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0, or 2 where a file cannot be written as asked. A target that is missed is no error."""
    options = _options(argv)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=150)
    rounds = 2 if options.quick else options.rounds
    began = time.monotonic()
    cases = []
    for case in _cases(options.quick, rounds):
        console.print(f"[{time.monotonic() - began:4.0f} s] measured {case.what}, {case.size}", markup=False)
        cases.append(case)
    record = _record(cases, rounds, options.quick, time.monotonic() - began)
    print_table(console, record)
    try:
        write_record(options.output, record)
        if options.write_docs is not None:
            write_docs(options.write_docs, record)
    except (OSError, ValueError) as error:
        print(f"genlab.benchmarks: {error}", file=sys.stderr)
        return 2
    console.print(f"all rounds are in {options.output}")
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    docs = Path(genlab.__file__).parents[2] / "docs" / "benchmarks.md"
    parser = argparse.ArgumentParser(prog="python -m genlab.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes and two rounds: does it work at all?")
    parser.add_argument("--rounds", type=_count, default=7, metavar="N", help="turns that everyone gets (default: 7)")
    parser.add_argument(
        "--output", type=Path, default=Path("bench/latest.json"), metavar="FILE", help="where rounds go"
    )
    parser.add_argument(
        "--write-docs", type=Path, nargs="?", const=docs, metavar="FILE", help="rewrite the table in docs/benchmarks.md"
    )
    return parser.parse_args(argv)


def _count(word: str) -> int:
    number = int(word)
    if number < 1:
        raise ValueError(word)
    return number


def _cases(quick: bool, rounds: int) -> Iterator[Case]:
    """Measure one case after the other."""
    with tempfile.TemporaryDirectory(prefix="genlab-bench-") as folder:
        for setting in QUICK_SETTINGS if quick else SETTINGS:
            yield training_case(setting, rounds, Path(folder))
        yield loading_case((8 if quick else 80) * 128, rounds, Path(folder))
    yield from sampling_cases(16 if quick else 256, 100 if quick else 1000, SAMPLING_TARGETS, rounds)


def _record(cases: list[Case], rounds: int, quick: bool, seconds: float) -> Record:
    code = commit()
    return Record(
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        rounds=rounds,
        quick=quick,
        commit=code["commit"],
        dirty=code["dirty"],
        versions=versions(),
        machine=machine(),
        cases=cases,
    )


if __name__ == "__main__":
    sys.exit(main())
