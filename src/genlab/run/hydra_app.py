"""Runs a verb's task under Hydra, and turns what goes wrong into one line and the right exit code."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from genlab.checks import nearest_hint
from genlab.run.config_files import config_dir
from genlab.run.config_keys import leaf_keys, refuse_added_keys
from genlab.run.outcome import Failed, Interrupted, Outcome

Task = Callable[[DictConfig], Outcome]


def run_verb(verb: str, words: Sequence[str]) -> int:
    """Compose the verb's config from the command line and run its task; returns the exit code."""
    outcomes: list[Outcome] = []
    errors: list[BaseException] = []

    def task(cfg: DictConfig) -> None:
        if HydraConfig.get().mode == hydra.types.RunMode.MULTIRUN:
            outcomes.append(_guarded(verb, cfg))
            return
        try:
            outcomes.append(_work(verb, cfg))
        except BaseException as error:  # raised again below: Hydra would print lines of its own about it
            errors.append(error)

    wants_traceback = os.environ.get("HYDRA_FULL_ERROR", "0") not in ("0", "")
    try:
        _under_hydra(verb, words, task)
        for error in errors:
            raise error
    except KeyboardInterrupt:
        print(f"genlab {verb}: interrupted", file=sys.stderr)
        return 130
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 130
    except Exception as error:
        if wants_traceback:
            raise
        print(f"genlab {verb}: {_one_line(error, verb, words)}", file=sys.stderr)
        return 2 if _is_the_callers(error) else 1
    return _exit_code(verb, outcomes)


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


def _guarded(verb: str, cfg: DictConfig) -> Outcome:
    """In a sweep a run that fails does not take the others with it."""
    try:
        return _work(verb, cfg)
    except Exception as error:
        reason = _one_line(error, verb, ())
        print(f"genlab: this run failed: {reason}", file=sys.stderr)
        return Outcome("failed", reason=reason, name=HydraConfig.get().job.override_dirname)


def _exit_code(verb: str, outcomes: Sequence[Outcome]) -> int:
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if len(outcomes) > 1:
        print(f"genlab {verb}: {len(outcomes) - len(failed)} of {len(outcomes)} runs done")
    for outcome in failed:
        print(f"  failed: {outcome.name}: {outcome.reason}", file=sys.stderr)
    return 1 if failed else 0


def _refuse_missing(verb: str, cfg: DictConfig) -> None:
    for key in sorted(OmegaConf.missing_keys(cfg)):
        raise ValueError(f"{key} is missing: genlab {verb} {key}=... (genlab {verb} --help)")


def _is_the_callers(error: BaseException) -> bool:
    """Whether the command or the config is at fault, and not the run."""
    causes = (HydraException, OmegaConfBaseException, ValueError)
    return isinstance(error, causes) and not isinstance(error, Failed)


def _one_line(error: BaseException, verb: str, words: Sequence[str]) -> str:
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return _instantiation(error, error.__cause__)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        options = list(error.options or [])
        return f"{group}={name}: no such option{nearest_hint(name, options)} (there are: {', '.join(options)})"
    if isinstance(error, OverrideParseException):
        return f"cannot read the override {error.override!r}: {_flat(error.args[0]).partition(' See https')[0]}"
    if isinstance(error, ConfigCompositionException):
        return _bad_key(error, verb, words)
    if isinstance(error, MissingMandatoryValue):
        return f"a value is missing: {_flat(str(error))}"
    return _flat(str(error)) or type(error).__name__


def _instantiation(error: InstantiationException, cause: BaseException) -> str:
    where = re.search(r"full_key: (\S+)", str(error))
    text = _flat(str(cause)) or type(cause).__name__
    return text if isinstance(cause, ValueError) or not where else f"{where[1]}: {text}"


def _bad_key(error: ConfigCompositionException, verb: str, words: Sequence[str]) -> str:
    """Name the key that an override got wrong, and the nearest one that there is."""
    found = re.search(r"Could not (?:override|delete|append) '([^']+)'|override '([^']+)'", str(error))
    if not found:
        return _flat(str(error))
    key = found[1] or found[2]
    known = leaf_keys(_compose_without(verb, words, key)) + _group_names()
    return f"{key}: no such key{nearest_hint(key.partition('@')[0], known)} (genlab {verb} --cfg job shows all keys)"


def _compose_without(verb: str, words: Sequence[str], key: str) -> DictConfig:
    """The config with every override but those of ``key`` that Hydra can use, to look for the nearest key in."""
    overrides = [word for word in words if "=" in word and word.lstrip("+~").partition("=")[0] != key]
    parser = OverridesParser.create()
    single = [word for word in overrides if not parser.parse_override(word).is_sweep_override()]
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        try:
            return hydra.compose(verb, overrides=single)
        except HydraException:
            return hydra.compose(verb)


def _group_names() -> list[str]:
    return [path.name for path in config_dir().iterdir() if path.is_dir()]


def _flat(text: Any) -> str:
    return " ".join(str(text).split())
