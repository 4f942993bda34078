"""``python -m genlab.benchmarks.profile``: where the time of a training step, a start and an evaluation goes.

The image models' steps are taken apart in processes of their own, genlab's and the peer's in turn; the char-RNN's by
what the Trainer adds to the engine; a start by its imports, an evaluation by what it consists of. ``--write-docs`` puts
the tables into docs/profile.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import genlab
from genlab.benchmarks.cases import QUICK_SETTINGS, SETTINGS
from genlab.benchmarks.children import Runner
from genlab.benchmarks.evaluation import MEASURES, prepare
from genlab.benchmarks.evaluation_profile import IMPORTS, PARTS
from genlab.benchmarks.evaluation_profile import REST as OTHER
from genlab.benchmarks.image_training import PEERS
from genlab.benchmarks.import_profile import REST, SHOWN, Imports, imports
from genlab.benchmarks.plan import Plan, data_root, dataset_in, fastest_precision
from genlab.benchmarks.record import between_markers, table
from genlab.benchmarks.trainer_profile import ENGINE, trainer_parts
from genlab.benchmarks.training import Setting
from genlab.run.provenance import commit, machine, versions

DOCS = Path(genlab.__file__).parents[2] / "docs" / "profile.md"
MODELS = {"dcgan": "DCGAN", "vae": "VAE", "classifier": "classifier"}
WAYS = {"whole": "torchmetrics whole", "lean": "as genlab does"}
MILLISECONDS = 1000

Found = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0; 1 where something could not be measured; 2 for a wrong command."""
    options = _options(argv)
    try:
        text = "\n\n".join(sections(options.quick, options.rounds, options.precision))
        print(text)
        if options.write_docs is not None:
            between_markers(options.write_docs, text)
        return 0
    except RuntimeError as error:
        print(f"genlab.benchmarks.profile: {error}", file=sys.stderr)
        return 1
    except (OSError, ValueError) as error:
        print(f"genlab.benchmarks.profile: {error}", file=sys.stderr)
        return 2


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m genlab.benchmarks.profile", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work at all?")
    parser.add_argument("--rounds", type=int, choices=range(1, 10), default=3, help="turns that everyone gets")
    parser.add_argument("--precision", default=fastest_precision(), help="of genlab's image models")
    parser.add_argument("--write-docs", type=Path, nargs="?", const=DOCS, metavar="FILE", help="rewrite the tables")
    return parser.parse_args(argv)


def sections(quick: bool, rounds: int, precision: str) -> list[str]:
    """The tables as Markdown, and what they were measured under."""
    steps, runner = 1 if quick else 10, Runner(quick)
    images = {model: image_profile(model, precision, steps, rounds, runner) for model in MODELS}
    with tempfile.TemporaryDirectory(prefix="genlab-profile-") as folder:
        settings = QUICK_SETTINGS[:1] if quick else [one for one in SETTINGS if one.batch_size == 1]
        texts = {
            one.size: median_parts([trainer_parts(one, Path(folder) / "run") for _ in range(rounds)], one)
            for one in settings
        }
        plan = Plan("quick" if quick else "bench", rounds, Path(folder), *data_set(quick), precision)
        judged = evaluation_parts(plan, runner)
    starts = {way: [imports(sys.executable, way) for _ in range(1 if quick else rounds)] for way in WAYS}
    facts, code = machine(), commit()["commit"] or "no commit"
    said = f"{rounds} rounds on {facts['processor']}, {facts['cores']} cores ({facts['capability']}), {precision};"
    when = f"torch {versions()['torch']}; commit {code[:10]}; {datetime.now(UTC).isoformat(timespec='seconds')}."
    tables = [part_table(images), floor_table(images), text_table(texts), import_table(starts)]
    return [*tables, evaluation_table(judged), f"{said} {when}"]


def data_set(quick: bool) -> tuple[str, Path]:
    """The images that are judged, and where they lie: MNIST where it is there and this is no try."""
    root = data_root()
    return ("digits" if quick else dataset_in(root)), root


def evaluation_parts(plan: Plan, runner: Runner) -> list[Found]:
    """The seconds of each part of ``genlab evaluate``, and of the whole process, for every round."""
    judged = prepare(plan, plan.size(200, 10_000))
    words = ["evaluate", f"run={judged.run}", f"judge={judged.judge}", f"only=[{','.join(MEASURES)}]"]
    return [runner.program("", "genlab.benchmarks.evaluation_profile", {"words": words}) for _ in range(plan.rounds)]


def image_profile(model: str, precision: str, steps: int, rounds: int, runner: Runner) -> dict[str, list[Found]]:
    """What every round found of genlab's step, and of the peer's where there is one."""
    sides = {"genlab": False, **({"peer": True} if model in PEERS else {})}
    found: dict[str, list[Found]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            options = {"model": model, "peer": sides[name], "precision": precision, "steps": steps}
            found[name].append(runner.program(name, "genlab.benchmarks.profiled", options))
    return found


def median(rounds: Sequence[Found], key: str) -> float:
    """The median of a figure over the rounds."""
    return float(np.median([found[key] for found in rounds]))


def part_table(images: Mapping[str, Mapping[str, Sequence[Found]]]) -> str:
    """Shares of a step by part, a row a model and side."""
    parts = list(next(iter(images.values()))["genlab"][0]["parts"])
    body = [
        [f"{MODELS[model]}, {side}", f"{MILLISECONDS * median(rounds, 'step_seconds'):.0f}"]
        + [f"{float(np.median([found['parts'][part] for found in rounds])):.0%}" for part in parts]
        for model, sides in images.items()
        for side, rounds in sides.items()
    ]
    return table(["training step, bare loop", "ms", *parts], 1, body)


def floor_table(images: Mapping[str, Mapping[str, Sequence[Found]]]) -> str:
    """The least that a step's operations take at the processor's pace, and the largest ratio that would follow."""
    body = []
    for model, sides in images.items():
        ours = sides["genlab"]
        seconds, count, pace = (median(ours, key) for key in ("step_seconds", "operations", "peak"))
        floor = count / pace
        row = [MODELS[model], f"{count / 1e9:.1f}", f"{pace / 1e9:.0f}", f"{MILLISECONDS * floor:.0f}"]
        row += [f"{MILLISECONDS * seconds:.0f}", f"{floor / seconds:.0%}"]
        peer = median(sides["peer"], "step_seconds") if "peer" in sides else None
        row += (
            ["", "", ""]
            if peer is None
            else [f"{MILLISECONDS * peer:.0f}", f"{peer / seconds:.2f}", f"{peer / floor:.2f}"]
        )
        body.append(row)
    headings = ["step", "10^9 operations", "10^9/s in a matrix product", "least ms", "genlab ms", "share of it"]
    return table([*headings, "peer ms", "ratio", "ratio at the least"], 1, body)


def import_table(starts: Mapping[str, Sequence[Imports]]) -> str:
    """Seconds of the imports by package, a column a way; the packages are in the order of the whole."""
    order = list(starts["whole"][0].packages)
    shown = {name: [name] for name in order[:SHOWN]} | {REST: order[SHOWN:]}
    body = [[label, *(f"{_of(starts[way], names):.2f}" for way in starts)] for label, names in shown.items()]
    body.append(["the process, without the account", *(f"{_whole(found):.2f}" for found in starts.values())])
    return table(["seconds of imports", *(WAYS[way] for way in starts)], 1, body)


def _of(rounds: Sequence[Imports], names: Sequence[str]) -> float:
    return float(np.median([sum(found.packages.get(name, 0.0) for name in names) for found in rounds]))


def _whole(rounds: Sequence[Imports]) -> float:
    return float(np.median([found.seconds for found in rounds]))


def evaluation_table(rounds: Sequence[Found]) -> str:
    """Seconds of an evaluation by part, and what share of the whole that is."""
    whole = median(rounds, "seconds")
    names = [IMPORTS, *PARTS]
    seconds = {name: float(np.median([found.get(name, 0.0) for found in rounds])) for name in names}
    seconds[OTHER] = whole - sum(seconds.values())
    body = [[name, f"{took:.1f}", f"{took / whole:.0%}"] for name, took in seconds.items()]
    return table(["genlab evaluate", "seconds", "share"], 1, [*body, ["all of it", f"{whole:.1f}", "100%"]])


def median_parts(rounds: Sequence[Mapping[str, float]], setting: Setting) -> dict[str, float]:
    """Milliseconds a training step by part, the median of the rounds."""
    steps = setting.updates / setting.windows_per_step
    names = dict.fromkeys(name for found in rounds for name in found)
    return {name: MILLISECONDS * float(np.median([found.get(name, 0.0) for found in rounds])) / steps for name in names}


def text_table(texts: Mapping[str, Mapping[str, float]]) -> str:
    """What a training step of the char-RNN consists of, a column a size."""
    names = dict.fromkeys(name for parts in texts.values() for name in parts)
    body = [[name, *(f"{parts.get(name, 0.0):.2f}" for parts in texts.values())] for name in names]
    share = [f"{parts[ENGINE] / sum(parts.values()):.0%}" for parts in texts.values()]
    headings = ["ms a training step of genlab train", *texts]
    return table(headings, 1, [*body, ["the engine's share", *share]])


if __name__ == "__main__":
    sys.exit(main())
