"""What a claim's rule says, in words, made of the rule itself."""

from collections.abc import Mapping

from genlab.studies.axes import ARM, Where, axis_words, where_words
from genlab.studies.claims import Claim, Comparison, Correlation, Indistinct, Near, Part, Trend
from genlab.studies.quantities import Quantity

Known = Mapping[str, Quantity]

TIMES = "\N{MULTIPLICATION SIGN}"


def rule_in_words(claim: Claim, quantities: Known) -> str:
    """The rule by which ``claim`` is decided: its parts, numbered where there are several, and the tests."""
    parts = [part_in_words(part, quantities) for part in claim.parts]
    needs = "".join(f"; {key} at least {least:g}" for key, least in claim.needs.items())
    if len(parts) < 2:
        return "".join(parts) + needs
    numbered = "; ".join(f"({number}) {part}" for number, part in enumerate(parts, start=1))
    return f"all of these: {numbered}{needs}"


def part_in_words(part: Part, quantities: Known) -> str:
    """One part of a rule, with its test in brackets."""
    if isinstance(part, Trend):
        return _trend(part, quantities)
    if isinstance(part, Comparison):
        return _comparison(part, quantities)
    if isinstance(part, Near):
        return _near(part, quantities)
    if isinstance(part, Correlation):
        return _correlation(part, quantities)
    return _indistinct(part, quantities)


def measure_in_words(claim: Claim, quantities: Known) -> str:
    """What ``claim`` is measured by: the labels of its quantities."""
    return ", ".join(dict.fromkeys(quantities[name].label for part in claim.parts for name in part.quantities))


def _trend(part: Trend, quantities: Known) -> str:
    verb = "rises" if part.rises else "falls"
    by = f"logarithm of {axis_words(part.along)}" if part.log else axis_words(part.along)
    said = f"{quantities[part.quantity].label} {verb} with growing {by}{_for(part.of)}{_at_every(part.within)}"
    return f"{said} (slope of the least-squares line, t test)"


def _comparison(part: Comparison, quantities: Known) -> str:
    quantity = quantities[part.quantity]
    verb = "higher" if part.higher else "lower"
    times = "" if part.times == 1 else f"{part.times:g} {TIMES} "
    margin = "" if part.by == 0 else f", by more than {quantity.shown(part.by)}"
    if part.other is not None:
        other = f"{times}{quantities[part.other].label} of the same run"
        said = f"{quantity.label} is {verb} than {other}{_for(part.of)}{_at_every(part.within)}{margin}"
        return f"{said} (paired t test over seeds)"
    shared = {axis: choices for axis, choices in part.of.items() if part.than[axis] == choices}
    sides = [{axis: choices for axis, choices in side.items() if axis not in shared} for side in (part.of, part.than)]
    first, second = map(_each_of, sides)
    said = f"{quantity.label} of {first} is {verb} than {times}that of {second}"
    return f"{said}{_for(shared)}{_at_every(part.within)}{margin} (t test over seeds)"


def _each_of(side: Where) -> str:
    several = any(len(choices) > 1 for choices in side.values())
    return f"{'each of ' if several else ''}{where_words(side, 'and')}"


def _near(part: Near, quantities: Known) -> str:
    quantity = quantities[part.quantity]
    if part.low is not None and part.high is not None:
        bounds = f"between {quantity.number(part.low)} and {quantity.shown(part.high)}"
    else:
        bounds = f"above {quantity.shown(part.low)}" if part.low is not None else f"below {quantity.shown(part.high)}"
    tests = "two one-sided t tests" if part.low is not None and part.high is not None else "t test"
    return f"mean {quantity.label}{_for(part.of)} lies {bounds}{_at_every(part.within)} ({tests} over runs)"


def _correlation(part: Correlation, quantities: Known) -> str:
    first, second = (quantities[name].label for name in part.pair)
    over = "runs" if part.over_runs else "arms"
    order = "alike" if part.positive else "in opposite orders"
    if part.against:
        sign, side = ("", "below") if part.positive else ("-", "above")
        said = f"{first} and {second} do not rank {over} {order}{_for(part.of)}"
        return f"{said} (Spearman's rho {side} {sign}{part.least:g}, Fisher's z)"
    side = "above" if part.positive else "below"
    return f"{first} and {second} rank {over} {order}{_for(part.of)} (Spearman's rho {side} 0, permutation test)"


def _indistinct(part: Indistinct, quantities: Known) -> str:
    said = f"{quantities[part.quantity].label} varies less from arm to arm than within a run{_for(part.of)}"
    return f"{said} (variance of the arms' means over {quantities[part.fluctuation].label} below 1, F test)"


def _for(where: Where) -> str:
    return f" {'for' if ARM in where else 'at'} {where_words(where)}" if where else ""


def _at_every(within: tuple[str, ...]) -> str:
    return f", at every {' and '.join(map(axis_words, within))}" if within else ""
