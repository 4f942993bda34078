"""Runs a verb's task under Hydra, and turns what goes wrong into one line and the right exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from importlib import import_module
from types import ModuleType

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from genlab.run.caches import place_caches
from genlab.run.command_line import as_typed, is_sweep, only_shows, prepared, quoted
from genlab.run.config_files import config_dir
from genlab.run.config_keys import missing_keys, refuse_added_keys, refuse_lost_references
from genlab.run.error_line import is_the_callers, one_line
from genlab.run.outcome import Interrupted, Outcome, Stop, say
from genlab.run.quick_imports import quick_imports
from genlab.run.secrets import redacted, refuse_secret_words
from genlab.run.study_words import names_a_study
from genlab.run.sweep import Sweep, check_sweep, composed_beforehand

Task = Callable[[DictConfig], Outcome]


def run_verb(verb: str, words: Sequence[str]) -> int:
    """Do what a command line asks for, and say in one line what was wrong with it; returns the exit code."""
    sweep = Sweep(verb)
    try:
        return _run(verb, words, sweep)
    except (KeyboardInterrupt, Stop):
        say(sweep.interrupted() or f"genlab {verb}: interrupted")
        return 130
    except Interrupted as stop:
        say(stop)
        return 130
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR", "0") not in ("0", ""):
            raise
        say(f"genlab {verb}: {redacted(one_line(error, verb, words))}")
        return 2 if is_the_callers(error) else 1
    finally:
        sweep.forget()


def _run(verb: str, words: Sequence[str], sweep: Sweep) -> int:
    """A study, a search, a sweep or a single command."""
    refuse_secret_words(words)
    if verb == "train" and names_a_study(words) and not only_shows(words):
        return int(_imported("study").run_study(as_typed(words), partial(_under_hydra, verb)))
    if verb == "search":
        return int(_imported("search").run_search(as_typed(words)))
    words = prepared(words)
    if is_sweep(words):
        sweep.count, sweep.folder, is_tried = check_sweep(verb, words)
        sweep.forget()
        words = [*words, f"hydra.sweep.dir={quoted(str(sweep.folder))}"]
        with composed_beforehand() if is_tried else nullcontext():
            _under_hydra(verb, words, partial(_one_of_many, verb, sweep))
        return sweep.summary()
    errors: list[BaseException] = []
    _under_hydra(verb, words, partial(_one, verb, errors))
    for error in errors:
        raise error
    return 0


def _one_of_many(verb: str, sweep: Sweep, cfg: DictConfig) -> None:
    sweep.run(cfg, lambda: _work(verb, cfg))


def _one(verb: str, errors: list[BaseException], cfg: DictConfig) -> None:
    """A single run. What goes wrong is raised outside of Hydra, which would print lines of its own about it."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:  # asked for by hydra.mode and not by a flag
        raise ValueError("`hydra.mode` must be left out: -m makes a sweep (hydra.mode)")
    try:
        _work(verb, cfg)
    except BaseException as error:
        errors.append(error)


def complete(verb: str, line: str) -> None:
    """Print Hydra's completions of ``line``, the words after the verb."""
    os.environ["COMP_LINE"], os.environ["COMP_POINT"] = f"genlab {line}", str(len(line) + 7)
    _under_hydra(verb, ["-sc", "query=bash"], lambda cfg: None)


def _under_hydra(verb: str, words: Sequence[str], task: Callable[[DictConfig], None]) -> None:
    """Call ``hydra.main`` on ``task`` with these words as its command line; its errors come out as they are."""
    main = hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=verb)(task)
    argv, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = [f"genlab {verb}", *words], "1"
    try:
        main()
    finally:
        sys.argv = argv
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error


def _work(verb: str, cfg: DictConfig) -> Outcome:
    """Do the verb's work; its module, and torch with it, is imported only now."""
    place_caches()
    with quick_imports():  # what a typed target names is looked up, and may bring Lightning along
        refuse_lost_references(cfg)
        refuse_added_keys(cfg, HydraConfig.get().overrides.task)
    _refuse_missing(verb, cfg)
    work: Task = _imported(verb).main
    return work(cfg)


def _imported(module: str) -> ModuleType:
    with quick_imports():
        return import_module(f"genlab.run.{module}")


def _refuse_missing(verb: str, cfg: DictConfig) -> None:
    for key in sorted(missing_keys(OmegaConf.to_container(cfg))):
        raise ValueError(f"{key} is missing: genlab {verb} {key}=... (genlab {verb} --help)")
