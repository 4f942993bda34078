"""A sweep: says which run is going, keeps a failed one from taking the others with it, and sums up at the end."""

import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig

from genlab.run.artifacts import write_json
from genlab.run.command_line import SEARCH_PATH, overrides_in
from genlab.run.config_files import config_dir
from genlab.run.config_keys import refuse_added_keys
from genlab.run.config_values import refuse_name
from genlab.run.error_line import one_line
from genlab.run.outcome import Interrupted, Outcome, say
from genlab.run.secrets import redacted

RECORDS = ".sweep"


class Checked(NamedTuple):
    """What is known of a sweep beforehand."""

    runs: int | None
    """How many; None where only the sweeper knows."""
    folder: Path
    is_tried: bool
    """Whether every run's config can be composed."""


def check_sweep(verb: str, words: Sequence[str]) -> Checked:
    """Look at a sweep before its folder is made.

    Raises what a run would raise for a wrong key or option: every combination of groups' options is tried, and of every
    other key the first value, for another one cannot keep a config from being composed. Where only the sweeper knows
    the runs each option is tried once; and of configs from elsewhere nobody can say beforehand which keys are groups.
    """
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        parsed = OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(overrides_in(words))
        last = {override.get_key_element(): override for override in parsed}
        values = {key: _values(override) for key, override in last.items()}
        tried = [_to_try(last[key], each) for key, each in values.items() if each]
        cfg = _tried(verb, [each[0] for each in tried])
        known = str(cfg.hydra.sweeper._target_).endswith(".BasicSweeper") and not cfg.hydra.sweeper.get("params")
        for overrides in itertools.islice(itertools.product(*tried) if known else _each_once(tried), 1, None):
            _tried(verb, overrides)
    count = math.prod(map(len, values.values())) if known else None
    return Checked(count, Path(str(cfg.hydra.sweep.dir)).absolute(), known and SEARCH_PATH not in last)


def _tried(verb: str, overrides: Sequence[str]) -> DictConfig:
    """The config with these overrides; raises what a run with them would raise for its keys, options or name."""
    cfg = hydra.compose(verb, overrides=list(overrides), return_hydra_config=True)
    refuse_added_keys(cfg, overrides)
    if "name" in cfg:  # a part of the sweep's folder, which is made before the first run looks at its config
        refuse_name(cfg.name)
    return cfg


def _each_once(values: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """As few combinations as hold each of the values; the first has all of the first ones."""
    for place in range(max(map(len, values), default=1)):
        yield [each[min(place, len(each) - 1)] for each in values]


@contextmanager
def composed_beforehand() -> Iterator[None]:
    """Within it a sweeper of Hydra's starts at once: that every run's config can be composed is known already.

    Otherwise it composes them all, one after the other, before the first run begins.
    """
    validate = Sweeper.validate_batch_is_legal
    Sweeper.validate_batch_is_legal = _take_for_legal  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Sweeper.validate_batch_is_legal = validate  # type: ignore[method-assign]


def _take_for_legal(sweeper: Sweeper, batch: Sequence[Sequence[str]]) -> None:
    """Stand in for ``Sweeper.validate_batch_is_legal``; takes a moment, for the sweeper divides by how long it took."""
    began = time.perf_counter()
    while time.perf_counter() == began:
        pass


def _values(override: Override) -> list[str]:
    """The override once for each of its values; none where they are drawn from an interval."""
    if not override.is_sweep_override():
        return [str(override.input_line)]
    if not override.is_discrete_sweep():
        return []
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _to_try(override: Override, values: list[str]) -> list[str]:
    """Those of an override's values of which one may be composed and another not, or else the first.

    They are options of a group, parts of a config, and what must be there to be deleted.
    """
    is_option = (config_dir() / override.key_or_group).is_dir()
    is_part = any(value.partition("=")[2].startswith(("{", "[")) for value in values)
    return values if is_option or is_part or override.is_delete() else values[:1]


class Sweep:
    """The runs of one command with ``-m``, in whatever processes a launcher starts them; none for a single run.

    How each ended is written below the sweep's folder, for its process may be another than the one that sums up.
    """

    def __init__(self, verb: str) -> None:
        self.verb = verb
        self.count: int | None = None
        self.folder: Path | None = None

    def run(self, cfg: DictConfig, work: Callable[[], Outcome]) -> None:
        """Do one run's work. A stop by the user stops the sweep; anything else that ends a run ends only that one."""
        job = HydraConfig.get().job
        name = job.override_dirname or str(job.num)
        of = f" of {self.count}" if self.count else ""
        print(f"--- run {job.num + 1}{of}: {name}", flush=True)
        try:
            work()
            self._record(job.num, name, "done", "")
        except Interrupted as stop:
            self._record(job.num, name, "interrupted", f"{stop}")
            raise KeyboardInterrupt from stop
        except Exception as error:
            reason = redacted(one_line(error, self.verb, ()))
            say(f"genlab {self.verb}: {reason}")
            self._record(job.num, name, "failed", reason)

    def _record(self, number: int, name: str, state: str, reason: str) -> None:
        assert self.folder is not None
        write_json(self.folder / RECORDS / f"{number:04d}.json", {"name": name, "state": state, "reason": reason})

    def records(self) -> list[dict[str, str]]:
        """How each run ended, in the order of their numbers."""
        files = sorted((self.folder / RECORDS).glob("*.json")) if self.folder is not None else []
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    def interrupted(self) -> str:
        """What the run that was stopped had to say; empty where none was."""
        return next((record["reason"] for record in self.records() if record["state"] == "interrupted"), "")

    def summary(self) -> int:
        """Print how many runs were done and which failed; returns the exit code."""
        records = self.records()
        failed = [record for record in records if record["state"] == "failed"]
        if records:
            print(f"--- {len(records) - len(failed)} of {len(records)} runs done", flush=True)
        for record in failed:
            print(f"failed: {record['name']}: {record['reason']}", file=sys.stderr)
        return 1 if failed else 0

    def forget(self) -> None:
        """Take the records away: the run folders say how each run ended, and another sweep may go on in them."""
        if self.folder is not None:
            rmtree(self.folder / RECORDS, ignore_errors=True)
