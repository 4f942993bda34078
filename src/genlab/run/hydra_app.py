"""Runs a verb's task under Hydra, and turns what goes wrong into one line and the right exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from genlab.run.command_line import is_sweep, prepared
from genlab.run.config_files import config_dir
from genlab.run.config_keys import refuse_added_keys
from genlab.run.error_line import is_the_callers, one_line
from genlab.run.outcome import Interrupted, Outcome
from genlab.run.sweep import Sweep, check_sweep

Task = Callable[[DictConfig], Outcome]


def run_verb(verb: str, words: Sequence[str]) -> int:
    """Compose the verb's config from the command line and run its task; returns the exit code."""
    sweep = Sweep(verb)
    outcomes: list[Outcome] = []
    errors: list[BaseException] = []

    def task(cfg: DictConfig) -> None:
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            sweep.run(cfg, lambda: _work(verb, cfg))
            return
        try:
            outcomes.append(_work(verb, cfg))
        except BaseException as error:  # raised again below: Hydra would print lines of its own about it
            errors.append(error)

    wants_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("0", "")
    try:
        words = prepared(words)
        if is_sweep(words):
            sweep.count = check_sweep(verb, words)
        _under_hydra(verb, words, task)
        for error in errors:
            raise error
    except KeyboardInterrupt:
        print(sweep.interrupted or f"genlab {verb}: interrupted", file=sys.stderr)
        return 130
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 130
    except Exception as error:
        if wants_traceback:
            raise
        print(f"genlab {verb}: {one_line(error, verb, words)}", file=sys.stderr)
        return 2 if is_the_callers(error) else 1
    return sweep.summary()


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
    refuse_added_keys(cfg, HydraConfig.get().overrides.task)
    _refuse_missing(verb, cfg)
    work: Task = import_module(f"genlab.run.{verb}").main
    return work(cfg)


def _refuse_missing(verb: str, cfg: DictConfig) -> None:
    for key in sorted(OmegaConf.missing_keys(cfg)):
        raise ValueError(f"{key} is missing: genlab {verb} {key}=... (genlab {verb} --help)")
