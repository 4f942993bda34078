"""Figures of measures: what is drawn are the measure's own numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from genlab.reporting import judgements
from genlab.reporting.runs import RunRecord

BY_CLASS = [
    {
        "class": i,
        "count": count,
        "share": count / 100,
        "interval": [count / 100 - 0.05, count / 100 + 0.1],
        "prior": 0.25,
    }
    for i, count in enumerate((10, 20, 30, 40))
]
RELIABILITY = [
    {"low": 0.0, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
    {"low": 0.5, "high": 0.75, "count": 4, "confidence": 0.6, "accuracy": 0.5},
    {"low": 0.75, "high": 1.0, "count": 96, "confidence": 0.9, "accuracy": 0.95},
]
EVALUATION: dict[str, dict[str, Any]] = {
    "class_histogram": {"value": 0.1, "by_class": BY_CLASS},
    "confusion": {"value": 0.1, "matrix": [[90, 1, 0], [0, 80, 9], [0, 0, 70]]},
    "calibration": {"value": 0.05, "reliability": RELIABILITY},
}


def _record(evaluation: dict[str, dict[str, Any]]) -> RunRecord:
    return RunRecord(Path("runs/x"), {"name": "x"}, {"state": "done"}, {}, {}, evaluation, {}, ())


def test_each_result_that_can_be_drawn_gets_its_figure(tmp_path: Path) -> None:
    paths = judgements.draw_figures(_record({**EVALUATION, "elbo": {"value": -100.0}}), tmp_path / "figures")
    assert [path.name for path in paths] == ["class_histogram.png", "confusion.png", "calibration.png"]
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert image.width == 1280


@pytest.mark.parametrize(
    "evaluation",
    [{}, {"confusion": {"value": None}}, {"class_histogram": {"by_class": []}}, {"bits_per_char": {"value": 2.0}}],
)
def test_what_cannot_be_drawn_is_left_out(evaluation: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    assert judgements.draw_figures(_record(evaluation), tmp_path) == []


def test_the_histogram_shows_shares_intervals_and_the_prior() -> None:
    (axes,) = judgements._class_histogram(EVALUATION["class_histogram"], "x").axes
    heights = [round(bar.get_height(), 6) for bar in axes.patches]  # type: ignore[attr-defined]
    assert heights == [0.1, 0.2, 0.3, 0.4, 0.25, 0.25, 0.25, 0.25]
    (lines,) = axes.collections
    ends = [segment[:, 1].tolist() for segment in lines.get_segments()]  # type: ignore[attr-defined]
    np.testing.assert_allclose(ends, [row["interval"] for row in BY_CLASS])


def test_a_single_mistake_is_seen_and_the_diagonal_is_muted() -> None:
    matrix = np.array(EVALUATION["confusion"]["matrix"], dtype=float)
    shaded = judgements._shaded(np.where(np.eye(3, dtype=bool), 0, matrix))
    nothing, one, nine = shaded[0, 2], shaded[0, 1], shaded[1, 2]
    assert np.abs(nothing - one).max() > 0.1
    assert np.abs(nothing - nine).max() > np.abs(nothing - one).max()
    for place in range(3):
        np.testing.assert_allclose(shaded[place, place], to_rgb("#efefec"))


def test_the_confusion_says_every_count() -> None:
    (axes,) = judgements._confusion(EVALUATION["confusion"], "x").axes
    words = {(text.get_position(), text.get_text()) for text in axes.texts}
    assert words == {((0, 0), "90"), ((1, 0), "1"), ((1, 1), "80"), ((2, 1), "9"), ((2, 2), "70")}
    assert "10 mistakes in 250" in axes.get_title(loc="left")


def test_many_classes_have_no_figures_in_their_cells() -> None:
    (axes,) = judgements._confusion({"matrix": np.eye(47).tolist()}, "x").axes
    assert list(axes.texts) == []
    assert len(axes.get_xticks()) < 15


def test_the_calibration_leaves_empty_bins_out() -> None:
    upper, lower = judgements._calibration(EVALUATION["calibration"], "x").axes
    points = upper.get_lines()[1]
    np.testing.assert_array_equal(points.get_xdata(), [0.6, 0.9])
    np.testing.assert_array_equal(points.get_ydata(), [0.5, 0.95])
    assert [bar.get_height() for bar in lower.patches] == [4, 96]  # type: ignore[attr-defined]


def test_a_map_has_a_colour_for_each_class() -> None:
    points = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    (axes,) = judgements.latent_scatter(points, np.array([7, 3, 7]), "Map").axes
    drawn = axes.collections[0]
    np.testing.assert_array_equal(drawn.get_offsets(), points)
    first, second, third = drawn.get_facecolor()  # type: ignore[misc]
    assert (first == third).all()
    assert (first != second).any()
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["3", "7"]
