"""The words after the verb: Hydra's flags wherever they stand, and what a sweep's runs are called."""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser

from genlab.checks import nearest_hint

# Overrides with these keys never take part in the name of a sweep's run.
_NAMING = "hydra.job.config.override_dirname.exclude_keys="
_NEVER_NAMED = ("run_dir", "logger")

SEARCH_PATH = "hydra.searchpath"
"""Where configs lie besides the project's own."""

# Keys whose value is a text or a path: it is taken as it stands, commas, spaces, equal signs and all.
TEXTS = ("prompt", "title", "output", "run", "runs", "judge", "run_dir", "sweep", "root", "data.text", "data.root")


def prepared(words: Sequence[str]) -> list[str]:
    """``words`` as Hydra's parser wants them: flags before overrides, and runs of a sweep named by what varies.

    Raises ``ValueError`` for a flag that there is not, or one with a wrong value.
    """
    known = _parsed(words)
    overrides = list(known.overrides)
    flags = _without(words, overrides)
    if known.multirun:
        return [*flags, *overrides, _NAMING + _constants(overrides)]
    return [*flags, *map(_as_text, overrides)]


def as_typed(words: Sequence[str]) -> list[str]:
    """``words`` of a study: flags before overrides, texts as they stand. Raises ``ValueError`` as :func:`prepared`."""
    overrides = list(_parsed(words).overrides)
    return [*_without(words, overrides), *map(_as_text, overrides)]


def overrides_in(words: Sequence[str]) -> list[str]:
    """The overrides among ``words``; a folder of configs that a flag names (``--config-dir``) is in the last one."""
    known = _parsed(words)
    if not known.config_dir:
        return list(known.overrides)
    place = quoted(f"file://{os.path.abspath(known.config_dir)}")
    typed = [word.partition("=")[2] for word in known.overrides if word.startswith(f"{SEARCH_PATH}=[")]
    others = [f"{each[1:-1]}," for each in typed[-1:] if each.strip("[] ")]
    return [*known.overrides, f"{SEARCH_PATH}=[{''.join(others)}{place}]"]


def only_shows(words: Sequence[str]) -> bool:
    """Whether a command asks Hydra to show a config, or itself, and to run nothing."""
    known = _parsed(words)
    return bool(known.cfg or known.info or known.hydra_help)


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        known, unknown = parser.parse_known_intermixed_args(list(words))
    except argparse.ArgumentError as error:
        raise ValueError(str(error)) from error
    if unknown:
        flags = [name for action in parser._actions for name in action.option_strings]
        raise ValueError(f"{unknown[0]}: no such flag{nearest_hint(unknown[0], flags)} (--hydra-help lists them)")
    return known


def quoted(text: str) -> str:
    """``text`` as Hydra's grammar quotes it, to be read back as it stands."""
    return '"' + re.sub(r'(\\*)"', r'\1\1\\"', re.sub(r"(\\+)$", r"\1\1", text)) + '"'


def _as_text(override: str) -> str:
    """Quote the value of a key of ``TEXTS``, unless Hydra's own syntax is meant: quotes, ``${...}``, null.

    Of a list the items are quoted, unless there are quotes or lists in it.
    """
    key, equals, value = override.partition("=")
    in_quotes = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    a_list = value.startswith("[") and value.endswith("]")
    if not equals or key.lstrip("+") not in TEXTS or in_quotes or value in ("", "null", "???") or "${" in value:
        return override
    if a_list:
        plain = value != "[]" and not set(value[1:-1]) & set("'\"[]{}")
        return f"{key}=[{','.join(quoted(item.strip()) for item in value[1:-1].split(','))}]" if plain else override
    return f"{key}={quoted(value)}"


def is_sweep(words: Sequence[str]) -> bool:
    """Whether prepared words are those of a sweep."""
    return any(word.startswith(_NAMING) for word in words)


def typed_words() -> list[str]:
    """The words of this process's command line after the verb, as they were typed but for the order."""
    return [_without_quotes(word) for word in sys.argv[1:] if not word.startswith(_NAMING)]


def _without_quotes(word: str) -> str:
    """A text without the quotes that it was given for Hydra's sake, where it would be given the same again."""
    key, _, value = word.partition("=")
    plain = f"{key}={value[1:-1]}"
    return plain if value[:1] == '"' and key in TEXTS and _as_text(plain) == word else word


def _without(words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The flags and their values: a value that looks like an override stands before it."""
    backwards = list(reversed(words))
    for override in overrides:
        backwards.remove(override)
    return list(reversed(backwards))


def _constants(overrides: Sequence[str]) -> str:
    """The keys that have one value in the whole sweep, as a list in Hydra's grammar."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    keys = [override.key_or_group for override in parsed if not override.is_sweep_override()]
    return f"[{','.join(dict.fromkeys([*_NEVER_NAMED, *keys]))}]"
