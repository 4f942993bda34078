"""``python -m genlab.torture.mutants``: are the tests able to fail? Code is spoiled on purpose, a little at a time.

mutmut makes the mutants and tries them (``[tool.mutmut]`` in pyproject.toml says which code and which tests); here is
what it leaves open: which mutants are tried where there is no time for all, and what the verdicts come to. Needs a
checkout and the extra ``mutation``. A mutant that was killed once is not tried again, for tests are only added;
remove the folder ``mutants`` to begin afresh. Exit codes: 0 done; 1 the share killed is below ``--at-least``;
2 the command is wrong or mutmut failed.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import genlab
from genlab.torture.mutants_record import (
    Explanations,
    Survivor,
    conditions,
    killed_share,
    markdown,
    read_explanations,
    to_explain,
)
from genlab.torture.mutants_sample import Verdicts, counts_of, draw
from genlab.torture.record import write_between

MARKS = "<!-- the mutants begin -->", "<!-- the mutants end -->"
FIRST = "genlab.vae.losses.*"
"""The few mutants that are tried first: mutmut makes all mutants before it tries any."""


def main(argv: Sequence[str] | None = None) -> int:
    """Try mutants and tell of them; returns the exit code."""
    options = _options(argv)
    folder = Path(genlab.__file__).parents[2]
    try:
        verdicts = _try(folder, options)
        explanations = read_explanations(folder / "docs" / "mutants.yaml")
        return _tell(folder, options, verdicts, explanations)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"genlab.torture.mutants: {error}", file=sys.stderr)
        return 2


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m genlab.torture.mutants", description=__doc__)
    parser.add_argument(
        "--sample", type=_sample, default=400, metavar="N", help="about how many, or all (default: 400)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample")
    parser.add_argument("--within", type=_seconds, metavar="SECONDS", help="leave out mutants whose tests take longer")
    parser.add_argument("--children", type=_count, default=1, metavar="N", help="mutants that are tried at a time")
    parser.add_argument("--at-least", type=_share, default=0.85, metavar="SHARE", help="that must be killed")
    parser.add_argument("--read-only", action="store_true", help="try nothing, tell what there is")
    parser.add_argument("--write-docs", action="store_true", help="rewrite the table in docs/reliability.md")
    return parser.parse_args(argv)


def _sample(word: str) -> int | None:
    return None if word == "all" else _count(word)


def _count(word: str) -> int:
    if (number := int(word)) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {word}")
    return number


def _seconds(word: str) -> float:
    if not (number := float(word)) > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, not {word}")
    return number


def _share(word: str) -> float:
    if not 0 <= (number := float(word)) <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, not {word}")
    return number


def _try(folder: Path, options: argparse.Namespace) -> Verdicts:
    """Every drawn mutant's verdict, by file; mutmut tries those that are not known to be killed."""
    if not options.read_only and not read_verdicts(folder):
        _mutmut(folder, "run", "--max-children", str(options.children), FIRST)
    made = read_verdicts(folder)
    if not made:
        raise ValueError("`--read-only` must find the folder mutants, which a run of mutmut leaves")
    drawn = draw({file: list(codes) for file, codes in made.items()}, options.sample, options.seed)
    verdicts = _within(folder, options.within, Verdicts(made, drawn))
    left = [name for file, names in verdicts.drawn.items() for name in names if made[file][name] != 1]
    if left and not options.read_only:
        _mutmut(folder, "run", "--max-children", str(options.children), *left)
        verdicts = _within(folder, options.within, Verdicts(read_verdicts(folder), drawn))
    return verdicts


def _within(folder: Path, seconds: float | None, verdicts: Verdicts) -> Verdicts:
    """The same without mutants whose tests, as mutmut timed them, take more than ``seconds`` in all."""
    if seconds is None:
        return verdicts
    timed = json.loads((folder / "mutants" / "mutmut-stats.json").read_text(encoding="utf-8"))
    return verdicts.only(lambda name: seconds_of_tests(timed, name) <= seconds)


def seconds_of_tests(timed: Mapping[str, Any], name: str) -> float:
    """How long the tests that reach a mutant's function take in all; 0 where none does."""
    tests = timed["tests_by_mangled_function_name"].get(name.partition("__mutmut_")[0], [])
    return math.fsum(timed["duration_by_test"].get(test, 0.0) for test in tests)


def read_verdicts(folder: Path) -> dict[str, dict[str, int | None]]:
    """By source file the exit code of the tests under each of its mutants, None for one that was not tried."""
    root = folder / "mutants"
    found = {
        str(path.relative_to(root)).removesuffix(".meta"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(root.rglob("*.meta"))
    }
    return {file: content["exit_code_by_key"] for file, content in found.items() if content["exit_code_by_key"]}


def _mutmut(folder: Path, *words: str) -> str:
    """Run mutmut at the top of the checkout, with hypothesis drawing the same at every mutant; what it showed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [str(Path(sys.executable).parent / "mutmut"), *words]
    shows = words[0] == "show"
    output = subprocess.PIPE if shows else None
    environment |= {"CI": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, stdout=output, text=True, check=True)
    return done.stdout if shows else ""


def _survivors(folder: Path, verdicts: Verdicts) -> Iterable[Survivor]:
    for file, name in verdicts.survivors():
        yield Survivor.read(file, name, _mutmut(folder, "show", name))


def _tell(folder: Path, options: argparse.Namespace, verdicts: Verdicts, explanations: Explanations) -> int:
    survivors = list(_survivors(folder, verdicts))
    counts = counts_of(verdicts)
    table = markdown(counts, survivors, explanations)
    said = conditions(options.sample, options.seed, options.within, _versions())
    print(f"{table}\n\n{said}\n")
    print(to_explain(survivors, explanations))
    if options.write_docs:
        write_between(folder / "docs" / "reliability.md", MARKS, f"{table}\n\n{said}")
    return 0 if killed_share(counts).value >= options.at_least else 1


def _versions() -> Mapping[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("mutmut", "pytest", "hypothesis")}


if __name__ == "__main__":
    sys.exit(main())
