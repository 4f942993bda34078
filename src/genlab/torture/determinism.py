"""The same command twice, and a sweep one by one and in parallel: the same results."""

import time
from pathlib import Path

from genlab.torture.children import cold
from genlab.torture.comparison import differences
from genlab.torture.record import Row, verdict
from genlab.torture.resuming import Reference

SECTION = "determinism"


def twice_row(alone: Reference, folder: Path) -> Row:
    """The command once more, as people type it: in an interpreter of its own."""
    began = time.monotonic()
    place = folder / f"again-{alone.model}"
    place.mkdir(parents=True)
    ended = cold([*alone.words, "run_dir=run"], place)
    wrong = [f"exit code {ended.code}: {ended.err}"] if ended.code else differences(place / "run", alone.folder)
    seen = f"weights, optimisers, random states, metrics.csv, samples: {verdict(wrong)}"
    done = "the same command twice, the second time in an interpreter of its own"
    return Row(SECTION, alone.model, done, 2, seen, not wrong, time.monotonic() - began, {"wrong": wrong})


def sweep_row(alone: Reference, folder: Path, threads: int | None) -> Row:
    """A sweep of four runs, one by one and two at a time; ``threads`` is OMP_NUM_THREADS, or None to leave it unset."""
    began = time.monotonic()
    words = ["train", "-m", *alone.words[1:], "seed=0,1", "optimizer.lr=1e-3,2e-3"]
    side = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    environment = {"OMP_NUM_THREADS": None if threads is None else str(threads)}
    name = f"sweep-{alone.model}-{threads or 'free'}"
    folder.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    for kind, more in (("one", []), ("two", side)):
        ended = cold([*words, *more, f"hydra.sweep.dir={name}/{kind}"], folder, environment)
        wrong += [f"{kind}: exit code {ended.code}: {ended.err[-300:]}"] if ended.code else []
    runs = sorted(path.parent for path in (folder / name / "one").glob("*/status.json"))
    for path in runs if not wrong else ():
        wrong += [f"{path.name}: {each}" for each in differences(folder / name / "two" / path.name, path)]
    setting = f"OMP_NUM_THREADS={threads}" if threads else "OMP_NUM_THREADS not set"
    done = f"a sweep of {len(runs)} runs one by one, and two at a time by joblib's launcher; {setting}"
    ok = not wrong and len(runs) == 4
    return Row(SECTION, alone.model, done, 2, verdict(wrong), ok, time.monotonic() - began, {"wrong": wrong})
