"""Runs side by side: which figure is better, when nobody can say, and what a page says of it."""

from pathlib import Path
from typing import Any

import pytest

from genlab.reporting.comparison import Comparison, Row, as_markdown, compare
from genlab.reporting.runs import RunRecord
from genlab.reporting.sections import NOTHING

Results = dict[str, dict[str, Any]]


def record(name: str, evaluation: Results, **config: Any) -> RunRecord:
    results = {measure: {"judge_sha256": "ab" * 32, **result} for measure, result in evaluation.items()}
    provenance = {"data": {"sha256": "cd" * 32}}
    return RunRecord(Path("runs") / name, {"name": name, **config}, {"state": "done"}, provenance, {}, results, {}, ())


def row(comparison: Comparison, name: str) -> Row:
    (found,) = [row for row in comparison.rows if row.name == name]
    return found


def fid(value: float, **more: Any) -> Results:
    return {"fid_mnist_cnn": {"value": value, "unit": "squared feature distance", "floor": {"value": 0.4}, **more}}


def share(measure: str, value: float, half: float, floor: float = 0.96) -> Results:
    ends = [value - half, value + half]
    return {measure: {"value": value, "interval": ends, "unit": "share of images", "floor": {"value": floor}}}


@pytest.mark.parametrize(
    ("first", "second", "best"),
    [
        (share("precision", 0.9, 0.01), share("precision", 0.8, 0.01), 0),
        (share("precision", 0.8, 0.01), share("precision", 0.9, 0.01), 1),
        (share("precision", 0.80, 0.03), share("precision", 0.84, 0.03), None),  # 0.04 < hypot(0.03, 0.03)
        (share("precision", 0.80, 0.03), share("precision", 0.85, 0.03), 1),
    ],
)
def test_higher_precision_is_better_beyond_the_error_of_the_difference(
    first: Results, second: Results, best: int | None
) -> None:
    precision = row(compare([record("a", first), record("b", second)]), "precision")
    assert precision.best == best
    assert (precision.group, precision.unit, precision.floor) == ("realism", "% of images", "96")


def test_cells_have_half_an_interval_in_the_unit_that_is_shown() -> None:
    error = {"elbo": {"value": -100.0, "unit": "nats an image", "standard_error": 0.5}}
    comparison = compare([record("a", {**share("recall", 0.9, 0.0123), **error}), record("b", error)])
    assert row(comparison, "recall").cells == ("90 ± 1.2", NOTHING)
    assert row(comparison, "ELBO").cells == ("-100 ± 0.98", "-100 ± 0.98")


@pytest.mark.parametrize(("values", "best"), [((3.0, 4.0), 0), ((3.0, 3.3), None), ((5.0, 4.0), 1)])
def test_a_distance_without_an_error_must_differ_by_more_than_real_data_does(
    values: tuple[float, float], best: int | None
) -> None:
    distance = row(compare([record(str(value), fid(value)) for value in values]), "FID (mnist_cnn)")
    assert (distance.best, distance.floor, distance.better) == (best, "0.4", "lower")


def test_without_an_error_or_a_floor_nothing_is_marked() -> None:
    runs = [record(str(value), {"fid_mnist_cnn": {"value": value}}) for value in (1.0, 100.0)]
    assert row(compare(runs), "FID (mnist_cnn)").best is None


@pytest.mark.parametrize(("values", "best"), [((0.9, 1.5), 0), ((1.9, 1.02), 1), ((0.8, 1.2), None)])
def test_what_should_be_like_real_data_is_better_the_nearer_it_is(
    values: tuple[float, float], best: int | None
) -> None:
    results = [{"value": value, "standard_error": 0.01, "floor": {"value": 1.0}} for value in values]
    runs = [record(str(result["value"]), {"density": result}) for result in results]
    assert row(compare(runs), "density").best == best


def test_of_three_runs_the_best_must_beat_both() -> None:
    runs = [record(str(value), share("coverage", value, 0.02)) for value in (0.5, 0.9, 0.91)]
    assert row(compare(runs), "coverage").best is None
    runs[2] = record("c", share("coverage", 0.95, 0.02))
    assert row(compare(runs), "coverage").best == 2


def test_other_judges_are_said_and_no_run_is_better() -> None:
    runs = [record("a", fid(1.0)), record("b", fid(100.0, judge_sha256="ef" * 32))]
    comparison = compare(runs)
    assert [row.best for row in comparison.rows] == [None]
    (line,) = [note for note in comparison.notes if "different classifiers" in note]
    assert "abababababab, efefefefefef" in line
    assert "nothing is marked" in line


def test_other_data_is_said_and_no_run_is_better() -> None:
    runs = [record("a", fid(1.0)), record("b", fid(100.0))]
    runs[1].provenance["data"] = {"sha256": "01" * 32}
    comparison = compare(runs)
    assert [row.best for row in comparison.rows] == [None]
    assert any("Trained on different data" in note for note in comparison.notes)


@pytest.mark.parametrize(("key", "values"), [("count", (10000, 500)), ("real_count", (60000, None))])
def test_a_measure_under_other_conditions_does_not_compare(key: str, values: tuple[Any, Any]) -> None:
    kid = {"kid_mnist_cnn": {"value": 0.1, "standard_error": 0.001}}
    better = {"kid_mnist_cnn": {"value": 0.01, "standard_error": 0.001}}
    runs = [
        record("a", {**fid(1.0, **{key: values[0]}), **kid}),
        record("b", {**fid(9.0, **{key: values[1]}), **better}),
    ]
    comparison = compare(runs)
    assert row(comparison, "FID (mnist_cnn)").best is None
    assert row(comparison, "KID (mnist_cnn)").best == 1
    (line,) = [note for note in comparison.notes if "does not compare" in note]
    assert f"FID (mnist_cnn) was measured with different `{key}`" in line


def test_what_a_run_lacks_is_a_dash_and_the_command_that_measures_it() -> None:
    wants = {"evaluators": {"fid_mnist_cnn": {}, "precision": {}, "recall": {}}}
    runs = [record("a b", fid(1.0), **wants), record("vae", {**fid(2.0), "elbo": {"value": -99.0}})]
    comparison = compare(runs)
    assert row(comparison, "ELBO").cells == (NOTHING, "-99")
    (line,) = [note for note in comparison.notes if "genlab evaluate" in note]
    assert line == "a b lacks precision, recall: genlab evaluate 'run=runs/a b' 'only=[precision,recall]' judge=FOLDER"


def test_the_spread_of_the_steps_is_a_row_of_its_own() -> None:
    path = {"value": 12.0, "standard_error": 0.1, "unit": "feature distance", "spread": 0.5, "floor": {"spread": 0.9}}
    comparison = compare([record("a", {"path_length": path}), record("b", {"path_length": {**path, "value": 24.0}})])
    assert row(comparison, "path length").best == 0
    spread = row(comparison, "spread of the steps of a path")
    assert (spread.cells, spread.floor, spread.best) == (("0.5", "0.5"), "0.9", None)
    assert any("fade into each other" in note for note in comparison.notes)


def test_a_warning_of_a_run_is_repeated() -> None:
    runs = [record("a", fid(1.0, warning="stand-in digits")), record("b", fid(2.0))]
    assert "a: warning: stand-in digits" in compare(runs).notes


def test_markdown_has_a_table_a_group_with_the_better_one_in_bold() -> None:
    page = as_markdown(compare([record("gan", {**fid(1.0), **share("recall", 0.5, 0.1)}), record("vae", fid(4.0))]))
    assert "| realism | gan | vae | real data | better is |" in page
    assert "| FID (mnist_cnn) (squared feature distance) | **1** | 4 | 0.4 | lower |" in page
    assert f"| recall (% of images) | 50 ± 10 | {NOTHING} | 96 | higher |" in page


def test_one_run_and_runs_without_a_figure_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`runs` must name at least two runs; got 1 \(runs\)"):
        compare([record("a", fid(1.0))])
    with pytest.raises(
        ValueError, match=r"`runs` must have been evaluated as image models; got runs/a, runs/b \(runs\)"
    ):
        compare([record("a", {}), record("b", {"bits_per_char": {"value": 2.0}})])
