"""Claims: statements that a study decides, as its file says them before anything is run.

A claim has parts that must all hold. The key that names a part's kind holds its quantity; docs/studies.md tells of
each kind.
"""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genlab.checks import in_range, nearest_hint, one_of, positive, refuse
from genlab.studies.axes import ARM, EPOCH, Where, as_number, same_value, settings_of_arms, values_of_axes
from genlab.studies.quantities import Quantity, read_quantities

ENDS = ("first", "last")
LEAST = 0.9
"""How alike two orders must be, by Spearman's rho, before they count as one and the same."""


@dataclass(frozen=True)
class Trend:
    """``quantity`` falls (or ``rises``) along a numeric axis, by a straight line, for each value of ``within``."""

    quantity: str
    rises: bool
    along: str
    log: bool
    within: tuple[str, ...]
    of: Where

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of what it is about."""
        return (self.quantity,)


@dataclass(frozen=True)
class Comparison:
    """``quantity`` is lower (or ``higher``) ``of`` one cell ``than`` of another, or than ``other`` in the same run.

    By more than ``by``, and the other side counts ``times`` over. One comparison for each value that ``of`` and
    ``than`` list and for each of ``within``. ``than`` has all that ``of`` says of axes that it does not name itself.
    """

    quantity: str
    higher: bool
    of: Where
    than: Where
    other: str | None
    within: tuple[str, ...]
    by: float
    times: float

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of what it is about."""
        return (self.quantity,) if self.other is None else (self.quantity, self.other)


@dataclass(frozen=True)
class Near:
    """The mean of ``quantity`` over runs lies between ``low`` and ``high``; either may be None."""

    quantity: str
    low: float | None
    high: float | None
    within: tuple[str, ...]
    of: Where

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of what it is about."""
        return (self.quantity,)


@dataclass(frozen=True)
class Correlation:
    """Two quantities rank arms (or runs) alike, or, with ``positive`` false, contrariwise.

    With ``against`` the claim is that they do not: that rho in that direction stays below ``least``.
    """

    pair: tuple[str, str]
    positive: bool
    over_runs: bool
    against: bool
    least: float
    of: Where

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of what it is about."""
        return self.pair


@dataclass(frozen=True)
class Indistinct:
    """``quantity`` varies no more from arm to arm than inside a run, whose variance is the quantity ``fluctuation``."""

    quantity: str
    fluctuation: str
    of: Where

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of what it is about."""
        return self.quantity, self.fluctuation


Part = Trend | Comparison | Near | Correlation | Indistinct


@dataclass(frozen=True)
class Claim:
    """A statement and the parts that all must hold; ``pending`` says why there are none yet.

    ``needs`` are settings that a budget must set, and at least so high: what is said of the end of a long training
    is not decided by a short one.
    """

    id: str
    statement: str
    parts: tuple[Part, ...]
    pending: str = ""
    needs: Mapping[str, float] = field(default_factory=dict)

    def too_short(self, settings: Mapping[str, Any]) -> str:
        """Which setting of a budget is lower than the claim needs, and how much; empty where none is."""
        for key, least in self.needs.items():
            if (value := as_number(settings.get(key))) is not None and value < least:
                return f"{key} is {value:g}, and the statement is about {least:g}"
        return ""


def read_claims(definition: Mapping[str, Any]) -> dict[str, Claim]:
    """The claims of a study's ``definition``, by id.

    Raises ``ValueError``, one line with the path, for unknown and missing keys, quantities that the study does not
    have, and values that cannot be meant.
    """
    quantities = read_quantities(definition)
    contents = definition.get("claims") or {}
    if not isinstance(contents, Mapping):
        raise refuse("claims", "be a mapping of ids to claims", contents, "study.claims")
    return {str(name): _claim(str(name), content, quantities) for name, content in contents.items()}


def check_claims(definition: Mapping[str, Any]) -> None:
    """Raise as :func:`read_claims` does, and for axes that the study does not have or that a part leaves open."""
    quantities = read_quantities(definition)
    for claim in read_claims(definition).values():
        for index, part in enumerate(claim.parts):
            _check_axes(part, definition, quantities, f"study.claims.{claim.id}.all[{index}]")


def check_selections(definition: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for a value that a claim selects and no arm has, and for a need that a budget does not set.

    For the whole file: the arms of one budget alone need not be all that its claims speak of.
    """
    budgets = [budget or {} for budget in (definition.get("budgets") or {}).values()]
    variants = [definition, *({**definition, **budget} for budget in budgets)]
    known = [values_of_axes(variant) for variant in variants]
    for claim in read_claims(definition).values():
        for key, variant in itertools.product(claim.needs, budgets):
            set_here = [*(definition.get("settings") or {}), *(variant.get("settings") or {})]
            one_of("needs", key, set_here, f"study.claims.{claim.id}.needs")
        for index, part in enumerate(claim.parts):
            for key, axis, choice in _selected(part):
                values = [value for axes in known for value in axes.get(axis, [])]
                if values and choice not in ENDS and not any(same_value(choice, value) for value in values):
                    names = list(dict.fromkeys(map(str, values)))
                    where = f"study.claims.{claim.id}.all[{index}].{key}.{axis}"
                    raise refuse(
                        axis, f"be one of {', '.join(names)}", choice, where + nearest_hint(str(choice), names)
                    )


def _selected(part: Part) -> list[tuple[str, str, Any]]:
    sides = {"of": part.of, "than": part.than} if isinstance(part, Comparison) else {"of": part.of}
    return [(key, axis, choice) for key, side in sides.items() for axis, choices in side.items() for choice in choices]


# --- reading -----------------------------------------------------------------------------------------------------

Content = Mapping[str, Any]
Known = Mapping[str, Quantity]


def _claim(name: str, content: Any, quantities: Known) -> Claim:
    path = f"study.claims.{name}"
    if not isinstance(content, Mapping) or ("all" in content) == ("pending" in content):
        raise refuse(name, "be a mapping with a `statement`, and with `all` or with `pending`", content, path)
    _known_keys(content, ("statement", "all", "pending", "needs"), (), path)
    statement, pending, parts = content.get("statement"), content.get("pending", ""), content.get("all", [])
    for key, text in (("statement", statement), ("pending", pending)):
        if not isinstance(text, str) or (key in content and not text):
            raise refuse(key, "be a sentence", text, f"{path}.{key}")
    if not isinstance(parts, list) or ("all" in content and not parts):
        raise refuse("all", "be a list of parts", parts, f"{path}.all")
    read = tuple(_part(part, quantities, f"{path}.all[{index}]") for index, part in enumerate(parts))
    return Claim(name, str(statement), read, pending, _needs(content.get("needs", {}), f"{path}.needs"))


def _needs(content: Any, path: str) -> dict[str, float]:
    if not isinstance(content, Mapping):
        raise refuse("needs", "be a mapping of settings to numbers", content, path)
    return {str(key): positive(str(key), value, f"{path}.{key}") for key, value in content.items()}


def _part(content: Any, quantities: Known, path: str) -> Part:
    kinds = [kind for kind in KINDS if isinstance(content, Mapping) and kind in content]
    if len(kinds) != 1:
        raise refuse("all", f"hold parts with one of {', '.join(KINDS)} each", content, path)
    required, optional, read = KINDS[kinds[0]]
    _known_keys(content, (kinds[0], *required, *optional), required, path)
    return read(content, kinds[0], quantities, path)


def _trend(content: Content, kind: str, quantities: Known, path: str) -> Trend:
    along = content["along"]
    if not isinstance(along, str):
        raise refuse("along", "be an axis", along, f"{path}.along")
    of, log = _where(content, "of", path), _flag(content, "log", path)
    return Trend(_quantity(content, kind, quantities, path), kind == "rises", along, log, _within(content, path), of)


def _comparison(content: Content, kind: str, quantities: Known, path: str) -> Comparison:
    of, other = _where(content, "of", path), content["than"]
    if isinstance(other, str):
        than, other = of, _quantity(content, "than", quantities, path)
    else:
        than, other = {**of, **_where(content, "than", path)}, None
        if not of or than == of:
            raise refuse("than", "select other runs than `of` does", content["than"], f"{path}.than")
    by = in_range("by", content.get("by", 0.0), 0, float("inf"), f"{path}.by")
    times = positive("times", content.get("times", 1.0), f"{path}.times")
    quantity = _quantity(content, kind, quantities, path)
    return Comparison(quantity, kind == "higher", of, than, other, _within(content, path), by, times)


def _near(content: Content, kind: str, quantities: Known, path: str) -> Near:
    low, high = (_bound(content, key, path) for key in ("low", "high"))
    if (low is None and high is None) or (low is not None and high is not None and low >= high):
        raise refuse("low", "be below `high`, and one of them be there", [low, high], path)
    return Near(
        _quantity(content, kind, quantities, path), low, high, _within(content, path), _where(content, "of", path)
    )


def _correlation(content: Content, kind: str, quantities: Known, path: str) -> Correlation:
    pair = content[kind]
    if not isinstance(pair, list) or len(pair) != 2:
        raise refuse(kind, "be a list of two quantities", pair, f"{path}.{kind}")
    first, second = (one_of(kind, name, list(quantities), f"{path}.{kind}") for name in pair)
    sign = one_of("sign", content["sign"], ("positive", "negative"), f"{path}.sign")
    over = one_of("over", content.get("over", "arms"), ("arms", "runs"), f"{path}.over")
    against = _flag(content, "against", path)
    if "least" in content and not against:
        raise refuse("least", "come with `against: true` alone", content["least"], f"{path}.least")
    least = in_range("least", content.get("least", LEAST), 0, 1, f"{path}.least", low_open=True, high_open=True)
    return Correlation((first, second), sign == "positive", over == "runs", against, least, _where(content, "of", path))


def _indistinct(content: Content, kind: str, quantities: Known, path: str) -> Indistinct:
    quantity, fluctuation = (_quantity(content, key, quantities, path) for key in (kind, "fluctuation"))
    return Indistinct(quantity, fluctuation, _where(content, "of", path))


KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Content, str, Known, str], Part]]] = {
    "falls": (("along",), ("within", "of", "log"), _trend),
    "rises": (("along",), ("within", "of", "log"), _trend),
    "lower": (("than",), ("of", "within", "by", "times"), _comparison),
    "higher": (("than",), ("of", "within", "by", "times"), _comparison),
    "near": ((), ("low", "high", "within", "of"), _near),
    "correlates": (("sign",), ("of", "over", "against", "least"), _correlation),
    "indistinct": (("fluctuation",), ("of",), _indistinct),
}
"""The kinds of parts: the keys that each must have besides its own, those that it may have, and how it is read."""


def _known_keys(content: Content, known: Sequence[str], required: Collection[str], path: str) -> None:
    name = path.rpartition(".")[2]
    for key in content:
        if key not in known:
            raise refuse(name, f"hold {', '.join(known)} alone", key, f"{path}{nearest_hint(str(key), known)}")
    for key in required:
        if key not in content:
            raise refuse(name, f"have `{key}`", dict(content), path)


def _quantity(content: Content, key: str, quantities: Known, path: str) -> str:
    return one_of(key, content[key], list(quantities), f"{path}.{key}")


def _flag(content: Content, key: str, path: str) -> bool:
    value = content.get(key, False)
    if not isinstance(value, bool):
        raise refuse(key, "be true or false", value, f"{path}.{key}")
    return value


def _bound(content: Content, key: str, path: str) -> float | None:
    if content.get(key) is None:
        return None
    return in_range(key, content[key], -float("inf"), float("inf"), f"{path}.{key}")


def _within(content: Content, path: str) -> tuple[str, ...]:
    axes = content.get("within", [])
    axes = [axes] if isinstance(axes, str) else axes
    if not isinstance(axes, list) or not all(isinstance(axis, str) for axis in axes):
        raise refuse("within", "be an axis or a list of axes", axes, f"{path}.within")
    return tuple(axes)


def _where(content: Content, key: str, path: str) -> dict[str, tuple[Any, ...]]:
    selector = content.get(key, {})
    if not isinstance(selector, Mapping):
        raise refuse(key, "be a mapping of axes to values", selector, f"{path}.{key}")
    where = {str(axis): tuple(value) if isinstance(value, list) else (value,) for axis, value in selector.items()}
    for axis, values in where.items():
        if not values or any(value is None or isinstance(value, list | Mapping) for value in values):
            raise refuse(axis, "be a value or a list of values", selector[axis], f"{path}.{key}.{axis}")
    return where


# --- axes --------------------------------------------------------------------------------------------------------


def _check_axes(part: Part, definition: Mapping[str, Any], quantities: Known, path: str) -> None:
    values = values_of_axes(definition)
    own = {axis for name in part.quantities if (axis := quantities[name].axis) is not None}
    if (definition.get("evaluate") or {}).get("passes") and not all(
        quantities[name].of_whole_run for name in part.quantities
    ):
        own.add(EPOCH)
    named = [(key, axis) for key, axes in _axes_by_key(part).items() for axis in axes]
    for key, axis in named:
        one_of(key, axis, list(dict.fromkeys([*values, *sorted(own)])), f"{path}.{key}")
    if isinstance(part, Trend):
        _check_numbers(part, values.get(part.along, []), path)
    open_axes = _open_axes(part, definition, own - {EPOCH})
    if open_axes:
        raise refuse("of", f"say which {' and which '.join(open_axes)} is meant, or `within` name it", part.of, path)


def _axes_by_key(part: Part) -> dict[str, list[str]]:
    axes = {"of": list(part.of)}
    if isinstance(part, Comparison):
        axes["than"] = list(part.than)
    if isinstance(part, Trend):
        axes["along"] = [part.along]
    if isinstance(part, Trend | Comparison | Near):
        axes["within"] = list(part.within)
    return axes


def _check_numbers(part: Trend, values: Sequence[Any], path: str) -> None:
    for value in values:
        number = as_number(value)
        if number is None or (part.log and number <= 0):
            rule = f"be an axis of numbers{' above 0' if part.log else ''}"
            raise refuse("along", rule, f"{part.along}: {value}", f"{path}.along")


def _open_axes(part: Part, definition: Mapping[str, Any], own: Collection[str]) -> list[str]:
    """Axes with several values of which a part does not say which it means, where it must mean one.

    What named arms set cannot be told here: whether a part that selects by that means one arm, its runs will show.
    """
    named = {axis: part.of[axis] for axis in part.of}
    expanded = isinstance(part, Comparison)  # each of the values that are listed is compared
    closed = {axis for axis, choices in named.items() if expanded or len(choices) == 1}
    closed |= {axis for key, axes in _axes_by_key(part).items() if key not in ("of",) for axis in axes}
    needed = set(own)
    if isinstance(part, Trend | Comparison):
        by_setting = {axis for settings in settings_of_arms(definition).values() for axis in settings}
        values = values_of_axes(definition)
        grid = {axis for axis, of_axis in values.items() if axis not in by_setting and len(of_axis) > 1}
        needed |= grid - ({ARM} if by_setting & (closed | set(named)) else set())
    return sorted(needed - closed)
