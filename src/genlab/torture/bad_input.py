"""Bad input: fields of configs, overrides, texts, IDX files, checkpoints and run folders, spoiled at random.

Each case is made from the seed and its number alone, and can be repeated by them: ``case`` of this module.
"""

import importlib
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from genlab.run.config_keys import fields_of
from genlab.torture import bad_files, bad_values
from genlab.torture.children import Child, Ended, run
from genlab.torture.record import Row
from genlab.torture.resuming import Reference
from genlab.torture.stages import STEP

SECTION = "bad input"
LIMIT = 15
"""Seconds of the processor after which a command that is not training yet hangs; it may sleep as long four times."""
_ENOUGH_STEPS = 40  # of a training that was let begin, and would go on for long
READERS = tuple(f"genlab.run.{verb}" for verb in (*bad_values.ROOTS, "sample_text", "study", "bench"))
_MOST_LINES = 4
_MOST_MEMORY = 6 << 30  # bytes of addresses: a size that is too large is refused, and the machine is spared
COUNTS = {"fields": 560, "overrides": 160, "texts": 80, "idx": 160, "checkpoints": 120, "runs": 160}
QUICK_COUNTS = {"fields": 20, "overrides": 6, "texts": 4, "idx": 16, "checkpoints": 6, "runs": 6}


@dataclass
class Place:
    """Where cases are tried: a folder, a text to train on and a finished run of the character RNN, evaluated."""

    folder: Path
    text: Path
    trained: Path
    known: dict[str, list[str]] = field(default_factory=dict)

    def fields(self, words: Sequence[str]) -> list[str]:
        """The fields of a command's config; composed once."""
        key = " ".join(words)
        if key not in self.known:
            self.known[key] = fields_of(words)
        return self.known[key]


@dataclass
class Case:
    """A command to try in ``folder``; ``says`` is what a refusal must name, where that is known."""

    words: list[str]
    folder: Path
    says: tuple[str, ...] = ()
    about: str = ""
    may_write_elsewhere: bool = False
    must_hold_before_work: bool = False
    trap: Path | None = None


def bad_input_rows(alone: Reference, text: Path, folder: Path, seed: int, quick: bool) -> Iterator[Row]:
    """A row for each kind of input: how many cases were tried, and how they ended."""
    place = prepared(alone, text, folder / "bad_input")
    for kind, count in (QUICK_COUNTS if quick else COUNTS).items():
        yield _row(kind, count, place, seed)


def prepared(alone: Reference, text: Path, folder: Path) -> Place:
    """A finished run to spoil copies of: the one that was left alone, with an evaluation."""
    for name in READERS:  # once, and not in each child
        importlib.import_module(name)
    folder.mkdir(parents=True)
    place = Place(folder, text, folder / "trained")
    shutil.copytree(alone.folder, place.trained)
    for words in (["evaluate", "only=[bits_per_char]"], ["sample", "length=5"]):  # and what they compile is kept
        ended = run([*words, f"run={place.trained}"], folder)
        if ended.code != 0:
            raise RuntimeError(f"the run must be read before it is spoiled; {ended.err}")
    return place


def _row(kind: str, count: int, place: Place, seed: int) -> Row:
    began = time.monotonic()
    codes: dict[str, int] = {}
    wrong: list[str] = []
    for number in range(count):
        outcome, faults = try_one(kind, number, place, seed)
        codes[outcome] = codes.get(outcome, 0) + 1
        wrong += faults
    ends = ", ".join(f"{each} {codes[each]}" for each in sorted(codes))
    seen = f"not as it should be, {len(wrong)}, the first: {wrong[0]}" if wrong else ends
    details = {"seed": seed, "ends": codes, "wrong": wrong}
    return Row(SECTION, "char_rnn" if kind in ("checkpoints", "runs") else "all", DONE[kind], count, seen, not wrong,
               time.monotonic() - began, details)  # fmt: skip


def try_one(kind: str, number: int, place: Place, seed: int) -> tuple[str, list[str]]:
    """How one case ended, and what is wrong with that; the seed and the number are all that it is made of."""
    chance = random.Random(f"{seed} {kind} {number}")
    if kind == "idx" and number % 8:
        return _read_idx(number, chance, seed)
    case = CASES[kind](place, place.folder / f"{kind}-{number}", chance)
    before = _files(case.folder)
    ended, trained = _run(case)
    faults = _faults(case, ended, trained, before)
    shutil.rmtree(case.folder.parent, ignore_errors=True)
    words = " ".join(word if len(word) < 80 else f"{word[:80]}..." for word in case.words)
    end = "still training" if ended.code < 0 else f"exit code {ended.code}"
    return end, [f"seed {seed}, {kind} {number}: {case.about} {words!r}: {fault}" for fault in faults]


def _read_idx(number: int, chance: random.Random, seed: int) -> tuple[str, list[str]]:
    """The reader by itself, which commands reach after checksums alone."""
    from genlab.datasets.idx import read_idx

    content = bad_files.bad_idx(chance)
    try:
        read_idx(content, "file")
    except ValueError as error:
        text = str(error)
        return "refused by the reader", [] if "data.root" in text and "\n" not in text else [f"idx {number}: {text}"]
    except Exception as error:
        return "failed", [f"seed {seed}, idx {number}: {type(error).__name__}: {error}"]
    return "read", []


# --- cases ------------------------------------------------------------------------------------------------------


def _field(place: Place, folder: Path, chance: random.Random) -> Case:
    """A field of a config, with a value that is wrong for most fields."""
    if chance.random() < 0.25:
        verb = chance.choice(sorted(bad_values.ROOTS))
        words = _words(verb, str(_copy(place, folder)), str(place.trained))
        known = _words(verb, "x", "y")
    else:
        words = known = bad_values.training(chance.choice(bad_values.EXPERIMENTS), str(place.text))
    path = chance.choice([each for each in place.fields(known) if not each.startswith("hydra")])
    value = chance.choice(bad_values.VALUES)
    words = [*(word for word in words if not word.startswith(f"{path}=")), f"{path}={value}"]
    names_a_place = path.rpartition(".")[2] in ("run_dir", "output", "save_dir", "dirpath", "path", "default_root_dir")
    lacks = {"studies": "(budget)", "compare": "(runs)"}  # no study was run, and runs of texts are not compared
    says = (path, lacks[words[0]]) if words[0] in lacks else (path,)
    return Case(words, folder / "here", says, "", names_a_place, words[0] == "train")


def _override(place: Place, folder: Path, chance: random.Random) -> Case:
    """Noise among the words of a command, at times as a sweep."""
    verb = chance.choice(("train", "train", *sorted(bad_values.ROOTS)))
    if verb == "train":
        words = bad_values.training("char_rnn", str(place.text))
    else:
        words = _words(verb, str(_copy(place, folder)), str(place.trained))
    sweep = ["-m"] if chance.random() < 0.2 else []
    return Case([*words, *sweep, bad_values.noise(chance)], folder / "here", about="noise")


def _text(place: Place, folder: Path, chance: random.Random) -> Case:
    """A training on a bad text."""
    folder.mkdir(parents=True)
    (folder / "bad.txt").write_bytes(bad_files.bad_text(chance))
    return Case(bad_values.training("char_rnn", f"{folder}/bad.txt"), folder / "here", ("data.", "data)"), "text")


def _idx(place: Place, folder: Path, chance: random.Random) -> Case:
    """A training on bad files of images: of KMNIST, whose hashes are not known beforehand."""
    raw = folder / "data" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, shape in (("train-images-idx3", (80, 28, 28)), ("train-labels-idx1", (80,)),
                        ("t10k-images-idx3", (40, 28, 28)), ("t10k-labels-idx1", (40,))):  # fmt: skip
        content = bad_files.idx(shape) if chance.random() < 0.6 else bad_files.bad_idx(chance)
        if chance.random() < 0.3:
            (raw / f"{name}-ubyte.gz").write_bytes(bad_files.packed(content, chance))
        else:
            (raw / f"{name}-ubyte").write_bytes(content)
    own = ("data.dataset=KMNIST", f"data.root={folder}/data", "data.val_size=16")
    return Case([*bad_values.training("vae", ""), *own], folder / "here", ("data",), "IDX files")


def _checkpoint(place: Place, folder: Path, chance: random.Random) -> Case:
    """A command on a run whose checkpoints were spoiled, at times with what runs when it is unpickled."""
    run, trap = _copy(place, folder), folder / "trap"
    seeds, done = chance.random(), ""
    for name in ("best", "last"):
        done = bad_files.spoil_checkpoint(run / "checkpoints" / f"{name}.ckpt", random.Random(seeds), trap)
    case = _reading(place, run, folder, chance, ("sample", "evaluate", "judge", "reader", "train"))
    case.about, case.trap = f"checkpoint, {done}", trap
    return case


def _run_folder(place: Place, folder: Path, chance: random.Random) -> Case:
    """A command on a run one of whose files was spoiled."""
    run = _copy(place, folder)
    done = bad_files.spoil_run(run, chance)
    case = _reading(place, run, folder, chance, ("sample", "evaluate", "report", "compare", "train", "judge"))
    case.about = done
    return case


def _reading(place: Place, run: Path, folder: Path, chance: random.Random, verbs: Sequence[str]) -> Case:
    """One of the commands that read a run's folder."""
    verb = chance.choice(verbs)
    words = {
        "sample": ["sample", f"run={run}", "length=5"],
        "evaluate": ["evaluate", f"run={run}", "only=[bits_per_char]"],
        "report": ["report", f"runs={run}"],
        "compare": ["compare", f"runs=[{run},{place.trained}]"],
        "judge": ["evaluate", f"run={place.trained}", f"judge={run}", "only=[bits_per_char]"],
        "reader": [*bad_values.training("dcgan_means", ""), f"model.reader={run}"],
        "train": [*_trained_with(place), f"run_dir={run}", "trainer.max_steps=820"],
    }
    return Case(words[verb], folder / "here")


def _trained_with(place: Place) -> list[str]:
    from genlab.torture.trainings import QUICK_ITERATIONS, command

    return command("char_rnn", place.text, QUICK_ITERATIONS["char_rnn"])


def _words(verb: str, trained: str, another: str) -> list[str]:
    """A command that works, on these runs' folders."""
    return [verb, *(word.replace("TRAINED", trained).replace("ANOTHER", another) for word in bad_values.ROOTS[verb])]


def _copy(place: Place, folder: Path) -> Path:
    run = folder / "run"
    if not run.exists():
        shutil.copytree(place.trained, run)
    return run


CASES: dict[str, Callable[[Place, Path, random.Random], Case]] = {
    "fields": _field,
    "overrides": _override,
    "texts": _text,
    "idx": _idx,
    "checkpoints": _checkpoint,
    "runs": _run_folder,
}
DONE = {
    "fields": "a field of a config gets a value of another type, range or kind",
    "overrides": "noise stands among the overrides",
    "texts": "the text is empty, binary, of one character, cut, or in another encoding",
    "idx": "files of images are cut, flipped, lie about their size, or are badly packed",
    "checkpoints": "checkpoints are cut, flipped, changed, or run code when they are unpickled",
    "runs": "a file that describes a run is missing, cut, flipped or changed",
}


# --- trying and judging -----------------------------------------------------------------------------------------


def _run(case: Case) -> tuple[Ended, bool]:
    """Run it to its end, or until ``LIMIT``; and whether training had begun."""
    case.folder.mkdir(parents=True)
    child = Child(case.words, case.folder, _bounded)
    steps = 0
    for event in child.events(4 * LIMIT):
        if (steps := steps + (event == STEP)) > _ENOUGH_STEPS:
            break
    began = child.last_stage != "starting"
    child.kill()
    return child.end(), began


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
    for name in ("GENLAB_RUNS", "GENLAB_DATA", "HYDRA_FULL_ERROR"):
        os.environ.pop(name, None)


def _files(folder: Path) -> set[Path]:
    return set(folder.parent.rglob("*"))


def _faults(case: Case, ended: Ended, trained: bool, before: set[Path]) -> list[str]:
    """Everything that is wrong with how a command ended."""
    shown = ended.err.strip().replace("\n", " / ")[-300:]
    wrong = []
    killed = ended.code in (-signal.SIGKILL, -signal.SIGXCPU)
    if killed and not trained:
        wrong.append(f"hangs for {LIMIT} s")
    elif not killed and ended.code not in (0, 1, 2):
        wrong.append(f"exit code {ended.code}: {shown}")
    if "Traceback" in ended.err + ended.out:
        wrong.append(f"a traceback: {shown}")
    if len(ended.err.splitlines()) > _MOST_LINES:
        wrong.append(f"{len(ended.err.splitlines())} lines on stderr: {shown}")
    if ended.code == 1 and case.must_hold_before_work:
        wrong.append(f"found out at work: {shown}")
    if ended.code == 2 and case.says and not any(path in ended.err for path in case.says):
        wrong.append(f"the message does not name {case.says[0]}: {shown}")
    if case.trap is not None and case.trap.exists():
        wrong.append("code from a checkpoint was run")
    return wrong + _left(case, ended, before)


def _left(case: Case, ended: Ended, before: set[Path]) -> list[str]:
    """What lies where it should not, or is called done though the command was not."""
    new = {path for path in _files(case.folder) - before if path.suffix not in (".out", ".err")} - {case.folder}
    outside = [path for path in new if not path.is_relative_to(case.folder) and "run" not in path.parts]
    wrong = [f"{outside[0].name} is written outside"] if outside and not case.may_write_elsewhere else []
    kept = [path for path in new if path.name in ("status.json", "best.ckpt", "last.ckpt")]
    if ended.code == 2 and kept:
        wrong.append(f"refused, and yet {kept[0].name} is there")
    done = [path for path in kept if path.name == "status.json" and '"done"' in path.read_text(encoding="utf-8")]
    if ended.code == 1 and done and "-m" not in case.words:
        wrong.append("failed, and yet the run is called done")
    return wrong
