"""The words of a study's command: which study at which budget, what is Hydra's own, and what changes the study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from genlab.checks import refuse
from genlab.run.command_line import quoted
from genlab.studies.axes import axis_of

OF_THE_SWEEP = ("study", "budget", "dry_run", "fail_fast", "judge")
"""Keys of the sweep as a whole; every other one is of its runs."""


@dataclass(frozen=True)
class StudyWords:
    """What was typed for a study: the sweep's own keys, Hydra's words and flags, and the overrides of its runs."""

    sweep: dict[str, Any]
    hydra: list[str]
    runs: list[Override]

    def applied_to(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        """``definition`` with what was typed: a key with several values is an axis of the grid, others are settings.

        What is typed wins over what the arms say; ``ValueError`` where nothing else tells two of them apart. ``seed``
        takes the place of the study's seeds. With an axis that the study has not, its claims, figures and tables would
        each mean one of many runs: such a sweep decides none.
        """
        changed = dict(definition)
        grid, settings = dict(changed.get("grid") or {}), dict(changed.get("settings") or {})
        arms = {name: dict(overrides or {}) for name, overrides in (changed.get("arms") or {}).items()}
        for override in self.runs:
            key, values = override.key_or_group, values_of(override)
            if key == "seed":
                changed["seeds"] = values
            elif len(values) > 1 or key in grid:
                if key not in grid:
                    changed |= {"claims": {}, "figures": []}
                grid[key] = values
                _take_out(arms, key, values)
            else:
                settings[key] = values[0]
                _take_out(arms, key, values[0])
        return {**changed, "grid": grid, "settings": settings, "arms": arms}


def _take_out(arms: dict[str, dict[str, Any]], key: str, value: Any) -> None:
    """Take ``key`` out of the arms, for it is typed; ``ValueError`` if two then have nothing that tells them apart."""
    for overrides in arms.values():
        overrides.pop(key, None)
    for (name, overrides), (other, others) in combinations(arms.items(), 2):
        if overrides == others:
            raise refuse(key, f"be left out: nothing else tells the arms {name!r} and {other!r} apart", value, key)


def names_a_study(words: Sequence[str]) -> bool:
    """Whether a command is that of a study."""
    return any(word.startswith("study=") and word not in ("study=", "study=null") for word in words)


def split_words(words: Sequence[str]) -> StudyWords:
    """``words`` sorted; raises ``ValueError`` for one that a study cannot take."""
    parser = OverridesParser.create()
    sweep: dict[str, Any] = {"budget": "quick", "dry_run": False, "fail_fast": None, "judge": None}
    hydra, runs = [], []
    for word in words:
        if word.startswith("-"):
            hydra.append(word)
            continue
        override = parser.parse_override(word)
        key = override.key_or_group
        if key.partition(".")[0].partition("/")[0] == "hydra":
            hydra.append(word)
        elif key in OF_THE_SWEEP:
            sweep[key] = _single(override)
        elif key in ("run_dir", "name"):
            raise refuse(key, "be left out: a study says where its runs go", _single(override), key)
        else:
            runs.append(override)
    return StudyWords(sweep, hydra, runs)


def values_of(override: Override) -> list[Any]:
    """The values of a typed override, as YAML reads them; raises ``ValueError`` where they are not a list."""
    if override.is_delete() or (override.is_sweep_override() and not override.is_discrete_sweep()):
        raise refuse(axis_of(override.key_or_group), "be set to values", override.input_line, override.key_or_group)
    if not override.is_sweep_override():
        return [_plain(override.value())]
    parser = OverridesParser.create()
    return [_plain(parser.parse_override(f"x={value}").value()) for value in override.sweep_string_iterator()]


def as_word(key: str, value: Any) -> str:
    """An override as Hydra's grammar writes it."""
    return f"{key}={_in_grammar(value)}"


def _single(override: Override) -> Any:
    values = values_of(override)
    if len(values) != 1:
        raise refuse(override.key_or_group, "have one value", override.input_line, override.key_or_group)
    return values[0]


def _plain(value: Any) -> Any:
    """A value of Hydra's grammar as a plain one: quoted texts lose their quotes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(getattr(value, "text", value))


def _in_grammar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_in_grammar, value))}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_in_grammar(below)}" for key, below in value.items()) + "}"
    return quoted(str(value)) if not str(value).replace("_", "").replace("-", "").isalnum() else str(value)
