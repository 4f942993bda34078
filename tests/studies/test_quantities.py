"""What a study reads from a run: how it is defined, and one number from a result or a series."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlab.studies.quantities import (
    Evaluated,
    Logged,
    Quantity,
    check_measures,
    check_quantities,
    evaluated_entries,
    evaluated_value,
    first_pass,
    logged_value,
    read_quantities,
)


def quantity(**content: Any) -> Quantity:
    return read_quantities({"quantities": {"x": content}})["x"]


def logged(values: Any, steps: Any = None, iterations: int | None = None, **source: Any) -> tuple[float | None, bool]:
    series = np.array(values, dtype=float)
    at = 100 * np.arange(1, len(series) + 1) if steps is None else np.array(steps)
    found = quantity(logged="s", **source).source
    assert isinstance(found, Logged)
    return tuple(logged_value(found, (at, series), int(at[-1]) if iterations is None else iterations))


# --- definitions -------------------------------------------------------------------------------------------------


def test_defaults() -> None:
    assert quantity(**{"from": "fid"}) == Quantity("x", Evaluated("fid"), "x")
    found = quantity(**{"from": "valid_words.in_train.value", "each": "by_temperature.temperature", "better": "higher"})
    source = Evaluated("valid_words", ("in_train", "value"), ("by_temperature",), "temperature")
    assert (found.source, found.axis, found.of_whole_run, found.better) == (source, "temperature", False, "higher")
    assert quantity(logged="a/b", take="mean").source == Logged("a/b", "mean", share=0.1)
    variance = quantity(logged="a/b", take="variance")
    assert (variance.source, variance.axis, variance.of_whole_run) == (Logged("a/b", "variance"), None, True)
    first = quantity(**{"from": "fid", "take": "first_at_most", "threshold": "1e1"})
    assert first.source == Evaluated("fid", take="first_at_most", threshold=10.0)
    assert first.of_whole_run
    named = read_quantities({"quantities": {"bits_per_char": {"from": "bits_per_char"}}})
    assert named["bits_per_char"].label == "bits per char"
    assert read_quantities({}) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "`x` must be a mapping with `from` or with `logged`; got {} (study.quantities.x)"),
        ({"from": "a", "logged": "b"}, "`x` must be a mapping with `from` or with `logged`; got "),
        ({"from": "a", "lable": "b"}, "(study.quantities.x; did you mean label?)"),
        ({"from": "a..b"}, "`from` must be names with dots between them; got 'a..b' (study.quantities.x.from)"),
        ({"from": "a", "each": "temperature"}, "`each` must name a list and a key of its entries, LIST.KEY; got "),
        ({"from": "a", "each": "l.k", "take": "first_at_most"}, "hold from, take, threshold, label"),
        ({"from": "a", "take": "mean"}, "`take` must be one of first_at_most, first_at_least; got 'mean'"),
        ({"from": "a", "take": "first_at_most"}, "`threshold` must be a finite number; got None"),
        ({"logged": "a"}, "`take` must be one of last, mean, variance, first_at_most"),
        ({"logged": "", "take": "last"}, "`logged` must name a column of metrics.csv; got ''"),
        ({"logged": "a", "take": "last", "share": 0.1}, "must hold logged, take, label, better, digits, unit alone"),
        ({"logged": "a", "take": "mean", "window": 5}, "got 'window' (study.quantities.x)"),
        ({"logged": "a", "take": "mean", "share": 0}, "`share` must be a number in (0, 1]; got 0"),
        ({"logged": "a", "take": "variance", "window": 1}, "`window` must be an integer >= 2; got 1"),
        ({"logged": "a", "take": "first_at_least"}, "got None (study.quantities.x.threshold)"),
        ({"from": "a", "better": "more"}, "`better` must be one of lower, higher; got 'more'"),
        ({"from": "a", "digits": -1}, "`digits` must be an integer >= 0; got -1 (study.quantities.x.digits)"),
        ({"from": "a", "unit": 3}, "`unit` must be a text; got 3 (study.quantities.x.unit)"),
    ],
)
def test_what_a_quantity_cannot_be(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="must") as error:
        check_quantities({"quantities": {"x": content}})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_measures_must_be_asked_for_by_the_study_or_a_budget() -> None:
    definition = {
        "quantities": {"a": {"from": "fid"}, "b": {"from": "recall"}, "c": {"logged": "s", "take": "last"}},
        "evaluate": {"measures": ["fid"]},
        "budgets": {"smoke": None, "full": {"evaluate": {"measures": ["recall"]}}},
    }
    check_measures(definition)
    del definition["budgets"]
    with pytest.raises(ValueError, match=r"`from` must be one of fid; got 'recall' \(study.quantities.b.from"):
        check_measures(definition)


def test_a_study_that_names_no_measures_takes_all_and_may_read_any() -> None:
    budgets = {"smoke": {"evaluate": {"measures": ["recall"]}}, "full": None}
    check_measures({"quantities": {"a": {"from": "fid"}}, "budgets": budgets})


def test_passes_must_be_asked_for_where_they_are_taken() -> None:
    content = {"from": "fid", "take": "first_at_most", "threshold": 1}
    definition = {"quantities": {"a": content}, "evaluate": {"measures": ["fid"]}}
    check_measures({**definition, "budgets": {"full": {"evaluate": {"passes": [1]}}}})
    with pytest.raises(ValueError, match=r"`take` must have evaluate.passes to take; got 'first_at_most' .*a.take"):
        check_measures(definition)


@pytest.mark.parametrize(
    ("value", "digits", "unit", "shown"),
    [
        (2.41312, 3, "", "2.413"),
        (30000.0, 0, "iterations", "30,000 iterations"),
        (0.00012, 3, "", "0.00012"),
        (-0.0004, 3, "", "-0.0004"),
        (0.0, 2, "", "0.00"),
        (None, 2, "nats", "–"),
    ],
)
def test_how_a_value_is_shown(value: float | None, digits: int, unit: str, shown: str) -> None:
    assert quantity(**{"from": "a", "digits": digits, "unit": unit}).shown(value) == shown


# --- from a result -----------------------------------------------------------------------------------------------

RESULT = {
    "value": 0.5,
    "floor": {"value": 1, "none": None, "nan": math.nan},
    "by_class": [{"count": 7}, {"count": 9}],
    "by_temperature": [{"temperature": 0.4, "value": 0.9, "words": {"2": 3}}, {"temperature": 1.4, "value": None}],
    "text": "no number",
    "sure": True,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("", 0.5),
        (".floor.value", 1.0),
        (".floor.none", None),
        (".floor.nan", None),
        (".by_class.1.count", 9.0),
        (".by_class.2.count", None),
        (".absent", None),
    ],
)
def test_a_field_of_a_result(field: str, value: float | None) -> None:
    assert evaluated_value(quantity(**{"from": f"r{field}"}), RESULT) == value


@pytest.mark.parametrize("field", ["text", "sure", "by_class"])
def test_a_field_that_is_no_number_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match=r"`from` must name a field that is a number; got .*study.quantities.x.from"):
        evaluated_value(quantity(**{"from": f"r.{field}"}), RESULT)


def test_entries_of_a_list() -> None:
    plain = quantity(**{"from": "r", "each": "by_temperature.temperature"})
    assert evaluated_entries(plain, RESULT) == [(0.4, 0.9), (1.4, None)]
    deep = quantity(**{"from": "r.words.2", "each": "by_temperature.temperature"})
    assert evaluated_entries(deep, RESULT) == [(0.4, 3.0), (1.4, None)]
    assert evaluated_entries(plain, {}) == []


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({1: 9.0, 5: 4.0, 25: 2.0}, (5.0, False)),
        ({25: 2.0, 1: 9.0, 5: 6.0}, (25.0, False)),
        ({1: 9.0, 5: 8.0}, (5.0, True)),
        ({1: 9.0, 5: None, 25: 2.0}, (None, False)),  # it may have been there at 5
        ({1: 4.0, 5: None}, (1.0, False)),
        ({}, (None, False)),
    ],
)
def test_the_first_pass_that_is_there(values: dict[int, float | None], found: Any) -> None:
    source = quantity(**{"from": "r", "take": "first_at_most", "threshold": 5}).source
    assert isinstance(source, Evaluated)
    assert first_pass(source, values) == found


# --- from a series -----------------------------------------------------------------------------------------------


def test_ends_and_extremes() -> None:
    values = [3.0, 9.0, 1.0, 2.0]
    taken = {take: logged(values, take=take) for take in ("last", "minimum", "maximum")}
    assert taken == {"last": (2.0, False), "minimum": (1.0, False), "maximum": (9.0, False)}


def test_the_mean_is_over_the_last_share_of_the_run() -> None:
    values = np.arange(300.0)  # logged at 100, 200, ..., 30,000
    assert logged(values, take="mean") == (pytest.approx(values[-30:].mean()), False)
    assert logged(values, take="mean", share=1.0) == (pytest.approx(values.mean()), False)
    assert logged(values, take="mean", share=0.5, iterations=60_000) == (None, False)  # nothing so late
    assert logged([5.0, 7.0], steps=[0, 100], take="mean", share=1.0) == (6.0, False)


@given(st.lists(st.floats(-10, 10), min_size=4, max_size=23), st.integers(2, 5))
def test_the_variance_is_the_mean_over_whole_windows_from_the_end(values: list[float], window: int) -> None:
    found, _ = logged(values, take="variance", window=window)
    windows = []
    while len(values) >= window:
        values, last = values[:-window], values[-window:]
        windows.append(np.var(last, ddof=1))
    assert found == (pytest.approx(np.mean(windows), abs=1e-9) if windows else None)


def test_a_trend_is_no_variance_within_windows() -> None:
    steady, rising = [0.0, 1.0] * 50, [x + 10 * (i // 10) for i, x in enumerate([0.0, 1.0] * 50)]
    assert logged(steady, take="variance", window=10) == logged(rising, take="variance", window=10)


def test_when_a_series_first_is_there() -> None:
    values = [4.0, 3.0, math.nan, 2.0, 2.5]
    assert logged(values, take="first_at_most", threshold=2.5) == (400.0, False)
    assert logged(values, take="first_at_least", threshold=4.0) == (100.0, False)
    assert logged(values, take="first_at_most", threshold=1.0, iterations=600) == (600.0, True)


def test_a_threshold_is_met_on_the_line_between_two_values() -> None:
    falling = [6.0, 4.0, 3.0]
    assert logged(falling, take="first_at_most", threshold=4.5) == (pytest.approx(175.0), False)
    assert logged(falling, take="first_at_most", threshold=4.0) == (200.0, False)
    assert logged(falling, take="first_at_most", threshold=9.0) == (100.0, False), "there is no value before"
    assert logged([0.0, 0.2, 0.6], take="first_at_least", threshold=0.5) == (pytest.approx(275.0), False)
    assert logged([math.inf, 2.0], take="first_at_most", threshold=4.0) == (200.0, False)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20), st.floats(-9, 9))
def test_a_finer_look_at_a_straight_line_meets_the_threshold_at_the_same_step(ends: list[float], level: float) -> None:
    steps = [100 * (place + 1) for place in range(len(ends))]
    fine = np.arange(100, steps[-1] + 1, 10)
    coarse = logged(ends, steps=steps, take="first_at_most", threshold=level)
    finer = logged(np.interp(fine, steps, ends), steps=fine, take="first_at_most", threshold=level)
    assert finer[1] == coarse[1]
    assert finer[0] == pytest.approx(coarse[0], abs=1e-3)


@pytest.mark.parametrize("take", ["last", "mean", "minimum", "maximum", "variance"])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_no_value(take: str, bad: float) -> None:
    more = {"window": 2} if take == "variance" else {}
    assert logged([1.0, 2.0, 3.0, bad], take=take, **more) == (None, False)


def test_a_series_that_is_absent_or_too_short_is_no_value() -> None:
    assert logged([1.0] * 49, take="variance") == (None, False)
    assert logged_value(Logged("s", "last"), None, 100) == (None, False)
