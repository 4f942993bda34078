"""More faults: another run in the folder, other data, packages, home, network and clock that are not as expected."""

import hashlib
import importlib.abc
import importlib.metadata
import os
import pkgutil
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from genlab.torture.children import Child, Ended, cold, run
from genlab.torture.faults import Wrong, begun, contents, fault, finished, wrong_end
from genlab.torture.record import Row
from genlab.torture.resuming import Reference

OPTIONAL = ("wandb", "optuna", "tensorboard", "tensorboardX", "hydra_plugins.hydra_joblib_launcher")
"""Packages that a plain training has no need of."""
_REFUSED = "exit code 2 and one line that names it; nothing is left behind"
_DAY = 86_400.0


class Case(NamedTuple):
    """A fault: what is done, what is seen where all is well, the work, and whether it takes more than seconds."""

    done: str
    seen: str
    work: Callable[[Path], Wrong]
    slow: bool = False


def surroundings_rows(alone: Reference, folder: Path, tries: int, seed: int, quick: bool) -> Iterator[Row]:
    """Each of these faults; ``alone`` is the training. Slow ones come once, or with quick never."""
    for number, case in enumerate(_cases(alone, seed)):
        if not (quick and case.slow):
            place = folder / f"surroundings-{number}"
            times = 1 if case.slow else tries
            yield fault(alone.model, case.done, case.seen, times, partial(_try, case.work, place))


def _try(work: Callable[[Path], Wrong], place: Path, number: int) -> Wrong:
    return work(_new(place / str(number)))


def _cases(alone: Reference, seed: int) -> Iterator[Case]:
    as_alone = "as a run left alone"
    yield Case(
        "a second command in the folder of a run that trains",
        f"exit code 2 and one line; the first ends {as_alone}",
        partial(_two_runs, alone),
    )
    if alone.model == "char_rnn":
        yield Case(
            "a byte of the text is another when the run goes on",
            f"exit code 2 and one line; nothing is changed; mended: {as_alone}",
            partial(_other_text, alone, seed),
        )
    yield Case(
        "a byte of an image file is another when the run goes on",
        "exit code 2 and one line that names the file; nothing is changed",
        partial(_damaged_images, seed),
    )
    yield Case(
        f"none of {', '.join(OPTIONAL)} is installed",
        f"a plain training ends {as_alone}",
        partial(_without_packages, alone),
    )
    for package, words in _needing(alone):
        yield Case(f"{package} is not installed, and asked for", _REFUSED, partial(_missing, package, words))
    yield Case(
        "there is no home directory, and no place to make one",
        f"a training ends {as_alone}",
        partial(_no_home, alone),
        slow=True,
    )
    yield Case(
        "W&B online without a network",
        f"exit code 1 within a minute and one line; with logger=csv: {as_alone}",
        partial(_no_network, alone),
        slow=True,
    )
    yield Case(
        "W&B online without a key",
        f"exit code 1 and one line; with logger=csv: {as_alone}",
        partial(_no_key, alone),
        slow=True,
    )
    yield Case(
        "the clock jumps a day back or forth at every look",
        f"a training ends {as_alone}",
        partial(_mad_clock, alone, seed),
    )


def _new(place: Path) -> Path:
    place.mkdir(parents=True)
    return place


# --- the folder and the data ------------------------------------------------------------------------------------


def _two_runs(alone: Reference, place: Path) -> Wrong:
    command = [*alone.words, "run_dir=run"]
    first = Child(command, place)
    for event in first.events():
        if event == "saving":
            break
    beside = _new(place / "beside")
    wrong = wrong_end(run([*alone.words, f"run_dir={place / 'run'}"], beside), 2, "`run_dir` must not be in use")
    ended = first.end()
    return wrong + (
        [f"the first: exit code {ended.code}: {ended.err}"] if ended.code else finished(alone, place, command)
    )


def _other_text(alone: Reference, seed: int, place: Path) -> Wrong:
    source = Path(next(word for word in alone.words if word.startswith("data.text=")).partition("=")[2])
    text = place / "text.txt"
    text.write_bytes(source.read_bytes())
    command = begun(alone, place, words=[f"data.text={text}"])
    before = contents(place / "run")
    _flip(text, random.Random(seed))
    wrong = wrong_end(run(command, place), 2, "`data` must be what the run was trained on, with SHA-256")
    wrong += [] if contents(place / "run") == before else ["the run's folder was changed"]
    text.write_bytes(source.read_bytes())
    return wrong + finished(alone, place, command)


def _flip(path: Path, chance: random.Random) -> None:
    """Change the case of one letter: the text stays one."""
    content = bytearray(path.read_bytes())
    content[chance.choice([place for place, byte in enumerate(content) if chr(byte).isalpha()])] ^= 32
    path.write_bytes(content)


def _damaged_images(seed: int, place: Path) -> Wrong:
    raw = _write_images(place / "data", seed)
    command = [
        "train",
        "experiment=classifier",
        "model.lr_schedule=constant",
        "data.dataset=KMNIST",
        f"data.root={place / 'data'}",
        "data.val_size=40",
    ]
    command += ["data.download=false", "data.batch_size=16", "trainer.accelerator=cpu", "run_dir=run"]
    first = run([*command, "trainer.max_steps=10", "trainer.max_epochs=-1"], place)
    if first.code != 0:
        return [f"before the damage: exit code {first.code}: {first.err}"]
    before, chance = contents(place / "run"), random.Random(seed)
    content = bytearray(raw.read_bytes())
    content[chance.randrange(16, len(content))] ^= 1 << chance.randrange(8)
    raw.write_bytes(content)
    ended = run([*command, "trainer.max_steps=20", "trainer.max_epochs=-1"], place)
    return wrong_end(ended, 2, raw.name) + ([] if contents(place / "run") == before else ["the run was changed"])


def _write_images(root: Path, seed: int) -> Path:
    """A data set in KMNIST's place, with a record of its checksums; returns the file of the training images."""
    from genlab.datasets.raw_images import RAW_SETS, RECORD

    raw, chance = RAW_SETS["KMNIST"], random.Random(seed)
    folder = raw.raw_folder(root)
    folder.mkdir(parents=True)
    record = ""
    for name, count in zip(raw.files, (200, 200, 100, 100), strict=True):
        shape = (count, 28, 28) if "images" in name else (count,)
        head = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        size = count * (784 if len(shape) == 3 else 1)
        body = chance.randbytes(size) if len(shape) == 3 else bytes(place % 10 for place in range(size))
        (folder / name).write_bytes(head + body)
        record += f"{hashlib.sha256(head + body).hexdigest()}  {name}\n"
    (folder / RECORD).write_text(record, encoding="utf-8")
    return folder / raw.files[0]


# --- packages ---------------------------------------------------------------------------------------------------


class Hidden(importlib.abc.MetaPathFinder):
    """Has packages not installed, for this process: they cannot be found, nor can what is known of them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def install(self) -> None:
        """Begin to hide them; what is imported already is forgotten."""
        for name in [name for name in sys.modules if self._hides(name)]:
            del sys.modules[name]
        sys.meta_path.insert(0, self)
        known = importlib.metadata.Distribution.from_name.__func__  # type: ignore[attr-defined]

        def from_name(cls: Any, name: str) -> Any:
            if self._hides(name.replace("-", "_")) or self._hides(f"hydra_plugins.{name.replace('-', '_')}"):
                raise importlib.metadata.PackageNotFoundError(name)
            return known(cls, name)

        importlib.metadata.Distribution.from_name = classmethod(from_name)  # type: ignore[assignment,method-assign]

        walk = pkgutil.walk_packages
        pkgutil.walk_packages = lambda *args, **options: (  # Hydra looks for its plugins among files
            found for found in walk(*args, **options) if not self._hides(found.name)
        )

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raises ``ModuleNotFoundError`` for what is hidden; everything else is left to other finders."""
        if self._hides(name):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def _hides(self, name: str) -> bool:
        return any(name == hidden or name.startswith(f"{hidden}.") for hidden in self.names)


def _without_packages(alone: Reference, place: Path) -> Wrong:
    command = [*alone.words, "run_dir=run"]
    ended = run(command, place, Hidden(OPTIONAL).install)
    wrong = [f"stderr: {ended.err}"] if ended.err else []
    return wrong + finished(alone, place, command)


def _needing(alone: Reference) -> list[tuple[str, list[str]]]:
    """Commands that ask for a package."""
    sweep = ["train", "-m", *alone.words[1:], "seed=0,1", "hydra.sweep.dir=run"]
    return [
        ("wandb", [*alone.words, "run_dir=run", "logger=wandb"]),
        ("tensorboard", [*alone.words, "run_dir=run", "logger=tensorboard"]),
        ("hydra_plugins.hydra_joblib_launcher", [*sweep, "hydra/launcher=joblib"]),
        ("optuna", ["search", "study=rnn_lr", "trials=2", "budget=smoke"]),
    ]


def _missing(package: str, words: Sequence[str], place: Path) -> Wrong:
    hidden = ("tensorboard", "tensorboardX") if package == "tensorboard" else (package,)
    ended = run(words, place, Hidden(hidden).install)
    asked = package.removeprefix("hydra_plugins.hydra_").removesuffix("_launcher")
    wrong = wrong_end(ended, 2, asked)
    return wrong + [f"{name} was left behind" for name in contents(place)]


# --- home, network, clock ---------------------------------------------------------------------------------------


def _no_home(alone: Reference, place: Path) -> Wrong:
    nowhere = "/proc/nobody"  # where not even root can make a folder
    places = {name: nowhere for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    command = [*alone.words, "run_dir=run"]
    ended = cold(command, place, places)
    said = [line for line in ended.err.splitlines() if not line.startswith("compiling the engine")]
    return [f"stderr: {line}" for line in said] + finished(alone, place, command)


def _online(alone: Reference, place: Path, settings: dict[str, str], said: str) -> Wrong:
    """Ask for W&B online, on a server that nobody answers for."""

    def unreachable() -> None:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            del os.environ[name]
        os.environ.update(
            settings, WANDB_BASE_URL="http://127.0.0.1:9", HOME=str(place / ".home"), NETRC=str(place / ".netrc")
        )

    words = [*alone.words, "run_dir=run", "logger=wandb", "logger.wandb.offline=false"]
    began = time.monotonic()
    ended = run(words, place, unreachable)
    own = ended.err.splitlines()[-1] if ended.err else ""  # above it stand W&B's own notices
    wrong = wrong_end(Ended(ended.code, ended.out, own), 1, "failed after 0 iterations", said, "logger=csv")
    if (seconds := time.monotonic() - began) > 60:
        wrong.append(f"it took {seconds:.0f} s")
    return wrong + finished(alone, place, [*alone.words, "run_dir=run"], besides="wandb/")


def _no_network(alone: Reference, place: Path) -> Wrong:
    return _online(alone, place, {"WANDB_API_KEY": "0" * 40}, "connection refused")


def _no_key(alone: Reference, place: Path) -> Wrong:
    return _online(alone, place, {}, "No API key configured")


def _mad_clock(alone: Reference, seed: int, place: Path) -> Wrong:
    from genlab.run import artifacts

    chance, real = random.Random(seed), time.time

    class MadDatetime(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=chance.choice((-_DAY, _DAY)))

    def jump() -> None:
        time.time = lambda: real() + chance.choice((-_DAY, _DAY))
        setattr(artifacts, "datetime", MadDatetime)  # noqa: B010 (the module imports it by name)

    command = [*alone.words, "run_dir=run"]
    ended = run(command, place, jump)
    return [f"exit code {ended.code}: {ended.err}"] if ended.code else finished(alone, place, command)
