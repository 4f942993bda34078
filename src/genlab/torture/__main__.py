"""``python -m genlab.torture``: kill, stop and spoil trainings, and see whether anything is lost; minutes.

It works in a temporary folder and touches no run of yours. Each section is recorded when it ends.
Exit codes: 0 all as it should be; 1 something was not; 2 the command is wrong.
"""

import os

# Before torch is imported: networks this small only wait for a second thread, and what is forked must have one alone.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import genlab
from genlab.torture.record import SECTIONS, Record, Row, print_table, read_records, write_docs, write_record
from genlab.torture.resuming import Reference
from genlab.torture.trainings import ITERATIONS, MODELS, QUICK_ITERATIONS, write_text

Alone = dict[str, Reference]
"""Each model's training that was left alone."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the suite; returns the exit code."""
    options = _options(argv)
    if not hasattr(os, "fork"):
        print("genlab.torture: needs a system with fork (Linux, macOS)", file=sys.stderr)
        return 2
    if options.quick:
        options.tries = 1
    if options.output is None:  # a short try is kept apart: it must not take the place of a long one
        options.output = Path("torture") / ("quick" if options.quick else "")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the temporary folder goes
    try:
        with tempfile.TemporaryDirectory(prefix="genlab-torture-", ignore_cleanup_errors=True) as folder:
            tried = _tried(options, Path(folder).resolve())
        print_table(tried)
        if options.write_docs is not None:
            write_docs(options.write_docs, read_records(options.output))
    except (OSError, ValueError) as error:
        print(f"genlab.torture: {error}", file=sys.stderr)
        return 2
    print(f"all of it is in {options.output}, a file for each section")
    return 1 if any(row.ok is False for record in tried.values() for row in record.rows) else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    docs = Path(genlab.__file__).parents[2] / "docs" / "reliability.md"
    parser = argparse.ArgumentParser(prog="python -m genlab.torture", description=__doc__)
    parser.add_argument("--kills", type=_count, default=20, metavar="N", help="kills of each model (default: 20)")
    parser.add_argument("--tries", type=_count, default=2, metavar="N", help="of each fault (default: 2)")
    parser.add_argument("--models", type=SomeOf(MODELS), default=MODELS, metavar="A,B", help="default: all four")
    parser.add_argument("--only", type=SomeOf(SECTIONS), default=SECTIONS, metavar="A,B", help=", ".join(SECTIONS))
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all random moments")
    parser.add_argument("--quick", action="store_true", help="without what takes long: does it hold at all?")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="of the records (default: torture)")
    parser.add_argument(
        "--write-docs",
        type=Path,
        nargs="?",
        const=docs,
        metavar="FILE",
        help="rewrite the table in docs/reliability.md from all records in the folder",
    )
    return parser.parse_args(argv)


def _count(word: str) -> int:
    if (number := int(word)) < 1:
        raise ValueError(word)
    return number


class SomeOf:
    """Reads ``a,b`` as names among those there are."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __call__(self, word: str) -> tuple[str, ...]:
        chosen = tuple(word.split(","))
        if unknown := [name for name in chosen if name not in self.names]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(self.names)}")
        return chosen


def _tried(options: argparse.Namespace, folder: Path) -> dict[str, Record]:
    """Everything that is tried, in order; a model's training is left alone once, for all that are to equal it."""
    from genlab.torture import resuming, warm

    warm.warm_up()
    text = write_text(folder)
    iterations = QUICK_ITERATIONS if options.quick else ITERATIONS
    alone = {model: resuming.left_alone(model, text, folder, iterations[model]) for model in options.models}
    work = {
        "resume": _resume,
        "faults": _faults,
        "numbers": _numbers,
        "stopping": _stopping,
        "determinism": _determinism,
        "bad_input": _bad_input,
    }
    tried = {}
    for name in options.only:
        began, rows = time.monotonic(), list[Row]()
        for row in work[name](options, alone, text, folder):
            rows.append(row)
            _tell(row, time.monotonic() - began)
        if rows:
            tried[name] = _record(options, rows, time.monotonic() - began)
            write_record(options.output, name, tried[name])
    return tried


def _resume(options: argparse.Namespace, alone: Alone, text: Path, folder: Path) -> Iterator[Row]:
    from genlab.torture.resuming import kill_and_go_on

    for each in alone.values():
        yield kill_and_go_on(each, folder, options.kills, options.seed)


def _faults(options: argparse.Namespace, alone: Alone, text: Path, folder: Path) -> Iterator[Row]:
    from genlab.torture.faults import disk_rows
    from genlab.torture.surroundings import surroundings_rows

    first = next(iter(alone.values()))  # of all four the character RNN, which is the fastest
    yield from disk_rows(first, folder, options.tries)
    yield from surroundings_rows(first, folder, options.tries, options.seed, options.quick)


def _numbers(options: argparse.Namespace, alone: Alone, text: Path, folder: Path) -> Iterator[Row]:
    from genlab.torture.wrong_numbers import collapse_rows, cost_row, number_rows

    for each in list(alone.values())[:: 2 if options.quick else 1]:  # of four: gradients by hand, and two optimisers
        yield from number_rows(each, folder, options.tries, options.seed, options.quick)
        if not options.quick:
            yield cost_row(each.model, text, folder)
    if not options.quick:
        yield from collapse_rows(alone, folder)


def _stopping(options: argparse.Namespace, alone: Alone, text: Path, folder: Path) -> Iterator[Row]:
    from genlab.torture.stopping import stop_rows

    for each in list(alone.values())[:: 3 if options.quick else 1]:  # of four: the fastest steps and the slowest
        times = 1 if options.quick else 4 * options.tries  # by two tries each signal comes at each event
        yield from stop_rows(each, text, folder, times, options.seed, options.quick)


def _determinism(options: argparse.Namespace, alone: Alone, text: Path, folder: Path) -> Iterator[Row]:
    from genlab.torture.determinism import sweep_row, twice_row

    if options.quick:  # all of it is imported anew for each of these
        return
    for each in alone.values():
        yield twice_row(each, folder)
    first, *others = alone.values()
    for threads in (1, None):
        yield sweep_row(first, folder, threads)
    for each in others[-1:]:  # an image model, whose sums over a batch go by the number of threads
        yield sweep_row(each, folder, 1)


def _bad_input(options: argparse.Namespace, alone: Alone, text: Path, folder: Path) -> Iterator[Row]:
    from genlab.torture.bad_input import bad_input_rows

    if (first := alone.get("char_rnn")) is not None:
        yield from bad_input_rows(first, text, folder, options.seed, options.quick)


def _tell(row: Row, seconds: float) -> None:
    state = {True: "ok", False: "NOT AS IT SHOULD BE", None: "not tried"}[row.ok]
    print(
        f"[{seconds:4.0f} s] {state}: {row.section}, {row.where}: {row.done}, {row.times} times: {row.seen}", flush=True
    )


def _record(options: argparse.Namespace, rows: list[Row], seconds: float) -> Record:
    from genlab.run.provenance import commit, machine, versions

    code = commit()
    return Record(
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=seconds,
        options={
            "kills": options.kills,
            "tries": options.tries,
            "seed": options.seed,
            "models": " ".join(options.models),
            "quick": options.quick,
        },
        commit=code["commit"],
        dirty=code["dirty"],
        versions=versions(),
        machine=machine(),
        rows=rows,
    )


if __name__ == "__main__":
    sys.exit(main())
