"""The language of figures: what is read, what is refused and how."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from genlab.reporting.figure_specs import axes_of, read_figures, series_text
from genlab.run.config_files import config_dir
from genlab.studies.axes import axis_words
from genlab.studies.study import BUDGETS, at_budget

LENGTH = axis_words("seq_len")


def _read(definition: dict[str, Any], *figures: Any) -> Any:
    return read_figures({**definition, "figures": list(figures)})


def test_figures_have_names_titles_and_axes(capacity_definition: dict[str, Any]) -> None:
    specs = read_figures(capacity_definition)
    assert [spec.kind for spec in specs] == ["lines", "points", "heat", "scatter", "curves", "lines", "grids"]
    assert [spec.name for spec in specs] == [
        "bits_lines_seq_len",
        "bits_words_points",
        "bits_heat_hidden_size_seq_len",
        "bits_words_scatter",
        "train_loss_curves",
        "by_temperature_lines_temperature",
        "grids",
    ]
    assert [spec.title for spec in specs[:5]] == [
        f"Held-out text by {LENGTH}",
        "Held-out text, valid words",
        f"Held-out text (bits/char) by hidden size and {LENGTH}",
        "Valid words against held-out text",
        "Training loss",
    ]
    assert specs[0].axes == ("seq_len", "hidden_size")
    assert specs[1].along == ("arm",)


def test_what_is_said_wins_over_what_is_made_up(capacity_definition: dict[str, Any]) -> None:
    figure = {"lines": "bits", "along": "seq_len", "name": "mine", "title": "My title", "log": "both"}
    (spec,) = _read(capacity_definition, figure)
    assert (spec.name, spec.title) == ("mine", "My title")
    assert spec.is_log("x")
    assert spec.is_log("y")
    (spec,) = _read(capacity_definition, {"curves": ["train/loss", "val/loss"], "log": "x", "by": "seed"})
    assert spec.shown == ("train/loss", "val/loss")
    assert not spec.is_log("y")


def test_axes_are_those_of_arms_of_quantities_and_of_what_named_arms_set(
    capacity_definition: dict[str, Any], dropout_definition: dict[str, Any]
) -> None:
    assert axes_of(capacity_definition) == ["arm", "hidden_size", "seq_len", "temperature", "epoch"]
    assert axes_of(dropout_definition) == ["arm", "num_layers", "dropout", "epoch"]


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ("lines", r"`figures` must be mappings with one of lines, .*; got 'lines' \(study\.figures\[0\]\)"),
        ({"line": "bits"}, r"name one of .*; got \['line'\] \(study\.figures\[0\]; did you mean lines\?\)"),
        ({"lines": "bits", "heat": "bits"}, "name one of"),
        (
            {"lines": "bit", "along": "seq_len"},
            r"one of bits, words.*figures\[0\]\.lines; did you mean bits",
        ),
        ({"lines": ["bits", "words"], "along": "seq_len"}, "`lines` must name 1 of the study's quantities"),
        ({"points": []}, "`points` must name 1 to 4 of the study's quantities"),
        ({"curves": 3}, "`curves` must name 1 to 4 columns of metrics.csv; got 3"),
        ({"scatter": ["bits"]}, "`scatter` must name 2 of"),
        ({"lines": "bits"}, r"`along` must name one axis; got None \(study\.figures\[0\]\.along\)"),
        ({"heat": "bits", "along": ["seq_len", "seq_len"]}, "`along` must name two axes"),
        ({"lines": "bits", "along": "seqlen"}, r"`along` must be one of .*; did you mean seq_len\?"),
        ({"lines": "bits", "along": "seq_len", "by": "seed"}, "`by` must be one of"),
        (
            {"scatter": ["bits", "words"], "along": "seq_len"},
            "must take by, log, name, of, title; got 'along'",
        ),
        ({"scatter": ["bits", "by_temperature"]}, "say `by` or `of` for the axis temperature of by_temperature"),
        ({"lines": "bits", "along": "seq_len", "of": 3}, "`of` must be a mapping of axes to values"),
        ({"lines": "bits", "along": "seq_len", "of": {"layers": 3}}, "`of` must be one of"),
        ({"lines": "bits", "along": "seq_len", "log": True}, "`log` must be one of x, y, both"),
        ({"lines": "bits", "along": "seq_len", "name": "a/b"}, "`name` must be letters, digits, - and _"),
        ({"grids": "yes"}, "`grids` must be true"),
        ({"grids": True, "passes": [0]}, "`passes` must be an integer >= 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(capacity_definition: dict[str, Any], figure: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _read(capacity_definition, figure)


def test_two_figures_of_one_name_are_refused(capacity_definition: dict[str, Any]) -> None:
    figure = {"lines": "bits", "along": "seq_len"}
    with pytest.raises(ValueError, match=r"`name` must differ .* got 'bits_lines_seq_len' \(study\.figures\[1\]\)"):
        _read(capacity_definition, figure, {**figure, "by": "hidden_size"})
    with pytest.raises(ValueError, match="`figures` must be a list"):
        read_figures({**capacity_definition, "figures": "lines"})


def test_columns_of_metrics_have_names_that_people_read() -> None:
    names = ("train/loss_generator", "train/smoothed_loss", "val/bits_per_char", "train/loss_discriminator_real")
    assert [series_text(name) for name in names] == [
        "training loss, generator",
        "training loss",
        "held-out bits per char",
        "training loss, discriminator on real images",
    ]


@pytest.mark.parametrize("path", sorted((config_dir() / "study").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_studies_of_this_project_have_figures_that_can_be_drawn(path: Path) -> None:
    definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    for budget in BUDGETS:
        assert read_figures(at_budget(definition, budget))
