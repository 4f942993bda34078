"""What went wrong, in one line that names the key, the rule and the nearest thing that would have been right."""

import re
from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from genlab.checks import nearest_hint
from genlab.run.command_line import quoted
from genlab.run.config_files import config_dir
from genlab.run.config_keys import nearest_key
from genlab.run.outcome import Failed

EXTRAS = {"optuna": "'genlab[search]'", "wandb_workspaces": "'genlab[dashboards]'"}
"""What to install for a package that a plain genlab goes without."""
CONFIGS = {"search": "train"}
"""Verbs without a config of their own, and the verb whose fields they take."""


def is_the_callers(error: BaseException) -> bool:
    """Whether the command or the config is at fault, and not the run."""
    causes = (HydraException, OmegaConfBaseException, ValueError, ModuleNotFoundError)
    return isinstance(error, causes) and not isinstance(error, Failed)


def one_line(error: BaseException, verb: str, words: Sequence[str]) -> str:
    """``error`` as one line; ``words`` are the verb's overrides, among which a mistyped key is looked for."""
    verb = CONFIGS.get(verb, verb)
    if isinstance(error, InstantiationException) and error.__cause__ is not None:
        return _instantiation(error, error.__cause__)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        options = list(error.options or [])
        return f"{group}={name}: no such option{nearest_hint(name, options)} (there are: {', '.join(options)})"
    if isinstance(error, OverrideParseException):
        return f"cannot read the override {error.override!r}{_how_to_write(error.override)}"
    if isinstance(error, ConfigCompositionException):
        return _bad_key(error, verb, words)
    if isinstance(error, MissingMandatoryValue):
        return f"a value is missing: {_flat(str(error))}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return f"{package} is not installed: pip install {EXTRAS.get(package, package)}"
    return _flat(str(error)) or type(error).__name__


def _instantiation(error: InstantiationException, cause: BaseException) -> str:
    where = re.search(r"full_key: (\S+)", str(error))
    text = _flat(str(cause)) or type(cause).__name__
    return text if isinstance(cause, ValueError) or not where else f"{where[1]}: {text}"


def _bad_key(error: ConfigCompositionException, verb: str, words: Sequence[str]) -> str:
    """Name the key that an override got wrong, and the nearest one that there is."""
    text = str(error)
    if there := re.search(r"Could not append to config\. An item is already at '([^']+)'", text):
        return f"{there[1]} is there already: write {there[1]}=..., without the +"
    found = re.search(r"(?:override|delete from config\.|delete) '([^']+)'", text)
    cause, where = error.__cause__, getattr(error.__cause__, "full_key", None)
    if not found:
        return f"{where}: {str(cause).splitlines()[0]}" if where else _flat(text)
    key = found[1].partition("@")[0]
    if where and where.startswith(f"{key}."):  # the key within a typed mapping
        key = where
    hint = nearest_key(_compose_without(verb, words, found[1]), key, _group_names())
    return f"{key}: no such key{hint} (genlab {verb} --cfg job shows all keys)"


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


def _how_to_write(override: str) -> str:
    key, equals, value = override.partition("=")
    if not equals:
        return f": write {key}=VALUE"
    return f": quote its value for Hydra too, {key}='{quoted(value)}', if it is text"


def _flat(text: Any) -> str:
    return " ".join(str(text).split())
