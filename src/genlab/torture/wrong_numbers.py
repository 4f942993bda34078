"""Numbers that go wrong: NaN and infinity end a training well, collapses are warned about, and looking costs little."""

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from genlab.torture.children import Ended, run
from genlab.torture.faults import Wrong, fault, finished, wrong_end
from genlab.torture.record import Row, verdict
from genlab.torture.resuming import Reference

SECTION = "numbers"
MOST_COST = 0.01
"""The share of a training step that looking at its numbers may take."""
_STEPS = 12  # timed steps, of which the first warms up


def number_rows(alone: Reference, folder: Path, tries: int, seed: int, quick: bool) -> Iterator[Row]:
    """Spoil a model's numbers at random moments; with quick, in one way alone."""
    seen = "exit code 1 and one line with what went wrong; the batch is kept; last.ckpt is finite; {}"
    again = seen.format("the same command goes on and ends as a run left alone")
    kinds = ("parameter",) if alone.model == "char_rnn" else ("gradient", "batch")  # its gradients are not torch's
    for kind in kinds[:1] if quick else kinds:
        for value in (math.nan,) if quick else (math.nan, math.inf):
            place = folder / f"numbers-{alone.model}-{kind}-{value}"

            def once(number: int, kind: str = kind, value: float = value, place: Path = place) -> Wrong:
                return _spoil(alone, kind, value, place / str(number), random.Random(f"{seed} {number} {place.name}"))

            row = fault(alone.model, f"a {kind} becomes {value} at a random iteration", again, tries, once)
            yield Row(SECTION, row.where, row.done, row.times, row.seen, row.ok, row.seconds, row.details)


def _spoil(alone: Reference, kind: str, value: float, place: Path, chance: random.Random) -> Wrong:
    place.mkdir(parents=True)
    command = [*alone.words, "run_dir=run"]
    at = chance.randrange(alone.steps // 3, alone.steps - 1)
    ended = run(command, place, lambda: _spoil_step(at, kind, value))
    # A batch that holds NaN may be refused by torch before there is a loss; else the number that went wrong is named.
    named = ("the batch holds NaN",) if kind == "batch" else ("FloatingPointError", " at iteration ")
    wrong = wrong_end(ended, 1, "failed after", *named, "the batch is in failure/batch_")
    return wrong + _wrong_folder(place / "run", ended) + finished(alone, place, command, besides="failure/")


def _spoil_step(at: int, kind: str, value: float) -> None:
    """Have the training step number ``at`` of this process come out wrong."""
    from genlab.run.last_checkpoint import LastCheckpoint

    begin, steps = LastCheckpoint.on_train_batch_start, [0]

    def spoiled(self: Any, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        begin(self, trainer, module, batch, batch_idx)
        steps[0] += 1
        if steps[0] == at:
            _spoil_now(kind, value, module, batch)

    setattr(LastCheckpoint, "on_train_batch_start", spoiled)  # noqa: B010 (mypy knows no patches)


def _spoil_now(kind: str, value: float, module: Any, batch: Any) -> None:
    parameter = next(iter(module.parameters()))
    if kind == "batch":
        batch.images[0].fill_(value)
    elif kind == "gradient":
        parameter.register_hook(lambda gradient: gradient * value)
    else:
        parameter.data.view(-1)[0] = value


def _wrong_folder(folder: Path, ended: Ended) -> Wrong:
    """What is not as it should be in the folder of a run that has ended so."""
    status = json.loads((folder / "status.json").read_text(encoding="utf-8"))
    wrong = [] if status["state"] == "failed" else [f"status.json says {status['state']}"]
    if status["reason"] not in ended.err:
        wrong.append(f"status.json gives another reason: {status['reason']}")
    batches = list((folder / "failure").glob("batch_*.pt"))
    if len(batches) != 1:
        wrong.append(f"{len(batches)} batches were kept, not one")
    for path in batches:
        kept = torch.load(path, weights_only=True)
        wrong += [] if kept["batch"] and str(kept["iteration"]) in path.name else [f"{path.name} is not the batch"]
    weights = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return wrong + [f"{name} of last.ckpt is not finite" for name, each in weights.items() if not each.isfinite().all()]


# --- collapses --------------------------------------------------------------------------------------------------


def collapse_rows(references: dict[str, Reference], folder: Path) -> Iterator[Row]:
    """Trainings that collapse, and beside each a healthy one that is watched as closely."""
    if alone := references.get("dcgan"):
        watch = ("callbacks.gan_collapse.patience=60",)
        names = ("discriminator won", "mode collapse")
        yield _watched(alone, folder, "the generator gives one image only", watch, names, _one_image)
        yield _watched(alone, folder, "a healthy training", watch, (), None)
    if alone := references.get("vae"):
        watch = ("callbacks.posterior_collapse.patience=60",)
        heavy = (*watch, "model.beta=1000")
        yield _watched(alone, folder, "model.beta=1000", heavy, ("posterior collapse",), None)
        yield _watched(alone, folder, "a healthy training", watch, (), None)


def _watched(
    alone: Reference,
    folder: Path,
    done: str,
    words: Sequence[str],
    names: Sequence[str],
    prepare: Callable[[], None] | None,
) -> Row:
    """Train with a watchdog that is quick to bark; it must name these diagnoses, once each, and no other."""
    began = time.monotonic()
    place = folder / f"collapse-{alone.model}-{len(names)}"
    place.mkdir(parents=True)
    ended = run([*alone.words, "run_dir=run", *words], place, prepare)
    file = place / "run" / "warnings.json"
    said = json.loads(file.read_text(encoding="utf-8"))["warnings"] if file.is_file() else []
    lines = [line for line in ended.err.splitlines() if line.strip()]
    wrong = [f"exit code {ended.code}: {ended.err}"] if ended.code else []
    wrong += [f"{name} is not warned about" for name in names if name not in [each["diagnosis"] for each in said]]
    wrong += [f"{each['diagnosis']} is warned about: {each['said']}" for each in said if each["diagnosis"] not in names]
    wrong += [] if len(lines) == len(said) else [f"{len(lines)} lines on stderr: {ended.err}"]
    found = "; ".join(f"{each['diagnosis']} at iteration {each['iteration']}" for each in said) or "no warning"
    seen = f"not as it should be: {verdict(wrong)}" if wrong else f"{found}; as many lines on stderr; exit code 0"
    return Row(SECTION, alone.model, f"watched for collapse: {done}", 1, seen, not wrong, time.monotonic() - began)


def _one_image() -> None:
    """Have the generator make one image of whatever latent."""
    from genlab.dcgan.nets import Generator

    forward = Generator.forward

    def one_image(self: Any, z: Any) -> Any:
        images = forward(self, z)
        return images * 0 - 0.5

    setattr(Generator, "forward", one_image)  # noqa: B010


# --- what looking costs -----------------------------------------------------------------------------------------


def cost_row(model: str, text: Path, folder: Path) -> Row:
    """Time the callback within trainings at each experiment's own sizes."""
    began = time.monotonic()
    place = folder / f"cost-{model}"
    place.mkdir(parents=True)
    data = [f"data.text={text}"] if model == "char_rnn" else ["data.dataset=digits", "data.val_size=100"]
    steps = _STEPS * (100 if model == "char_rnn" else 1)  # its steps are of 100 windows
    words = ["train", f"experiment={model}", *data, f"trainer.max_steps={steps}", "trainer.max_epochs=-1"]
    ended = run([*words, "trainer.accelerator=cpu", "run_dir=run"], place, lambda: _time_steps(place / "times.json"))
    if ended.code != 0:
        raise RuntimeError(f"the training of {model} must end well; {ended.err}")
    times = json.loads((place / "times.json").read_text(encoding="utf-8"))
    step, look = (sorted(times[name])[len(times[name]) // 2] for name in ("step", "look"))
    seen = f"{look * 1e3:.2f} ms of a step of {step * 1e3:.0f} ms, {look / step:.2%} (medians)"
    done = "looking for NaN and infinity is timed at the experiment's own sizes"
    return Row(SECTION, model, done, len(times["look"]), seen, look / step < MOST_COST, time.monotonic() - began, times)


def _time_steps(path: Path) -> None:
    """Note how long each step takes, and what of it the callback does; written when training ends."""
    from genlab.run.finite_numbers import FiniteNumbers

    times: dict[str, list[float]] = {"step": [], "look": []}
    begin, look = FiniteNumbers.on_train_batch_start, FiniteNumbers.on_train_batch_end
    marks = [0.0]

    def timed_begin(*args: Any) -> None:
        marks[0] = time.perf_counter()
        begin(*args)

    def timed_look(*args: Any) -> None:
        since = time.perf_counter()
        look(*args)
        now = time.perf_counter()
        times["look"].append(now - since)
        times["step"].append(now - marks[0])
        path.write_text(json.dumps(times), encoding="utf-8")

    setattr(FiniteNumbers, "on_train_batch_start", timed_begin)  # noqa: B010
    setattr(FiniteNumbers, "on_train_batch_end", timed_look)  # noqa: B010
