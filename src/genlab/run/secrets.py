"""Keys and passwords: none may stand in a config or on a command line, for both are written down with every run."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from genlab.run.command_line import TEXTS

_WORDS = r"(?:api|secret|private|access)[_-]?key|password|passwd|secret|(?:(?:access|auth|api)[_-]?)?token"
_NAME = rf"(?:[\w-]*[_-])?(?:{_WORDS})"
_IS_SECRET = re.compile(rf"{_NAME}|(?:[\w-]*[_-])?(?:key|credentials?)", re.IGNORECASE)
_GIVEN = re.compile(rf"(?<![\w-])({_NAME})(['\"]?\s*[:=]\s*)([^\s,}}\]]+)", re.IGNORECASE)
_VARIABLE = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
_SHORTEST = 8
"""Characters of a variable's value that is looked for: a shorter one is found in words that are no secrets."""
_NOTHING = ("null", "''", '""')


def refuse_secret_words(words: Sequence[str]) -> None:
    """Raise ``ValueError`` for an override that gives a secret; its value is not shown."""
    for word in words:
        key, equals, value = word.partition("=")
        path = key.lstrip("+~").partition("@")[0]
        named = bool(equals) and bool(_IS_SECRET.fullmatch(path.rpartition(".")[2])) and value not in _NOTHING
        within = path not in TEXTS and "{" in value and _GIVEN.search(value)
        if named or within or _holds_secret(word):
            raise _refused(path)


def refuse_secrets(config: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for a field of a resolved config that is a secret by its name, or holds one's value."""
    for path, name, value in _leaves(config):
        if value not in (None, "") and (_IS_SECRET.fullmatch(name) or _holds_secret(str(value))):
            raise _refused(path)


def redacted(text: str) -> str:
    """``text`` without the values of secret variables, and without what follows the name of a secret."""
    for value in _secrets():
        text = text.replace(value, "***")
    return _GIVEN.sub(r"\1\2***", text)


def _refused(path: str) -> ValueError:
    name = path.rpartition(".")[2]
    rule = "be left out: a config is written down with every run, and no secret may stand there"
    return ValueError(f"`{name}` must {rule}; set it in the environment, as WANDB_API_KEY ({path})")


def _secrets() -> list[str]:
    """Values of this process's environment that its names call secret, the longest first."""
    values = (value for name, value in os.environ.items() if _VARIABLE.search(name))
    return sorted((value for value in values if len(value) >= _SHORTEST), key=len, reverse=True)


def _holds_secret(text: str) -> bool:
    return any(value in text for value in _secrets())


def _leaves(config: Any, above: str = "") -> Iterator[tuple[str, str, Any]]:
    """The path, the last key and the value of every leaf."""
    pairs = config.items() if isinstance(config, Mapping) else enumerate(config)
    for key, value in pairs:
        path = f"{above}{key}" if isinstance(config, Mapping) else f"{above.rstrip('.')}[{key}]"
        if isinstance(value, Mapping | list):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, str(key), value
