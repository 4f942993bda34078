"""Figures of studies: what is drawn are the means over seeds, and nothing but seeds is averaged."""

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats

from genlab.reporting import study_figures
from genlab.reporting.figure_specs import read_figures
from genlab.reporting.sheets import contact_sheet
from genlab.reporting.study_figures import draw_study, figure_caption
from genlab.reporting.study_grids import sheet_corner
from genlab.reporting.study_runs import mean_over_seeds
from genlab.studies.axes import axis_words
from genlab.studies.folder import StudyRecord
from genlab.studies.observations import observe

LENGTH = axis_words("seq_len")
MakeStudy = Callable[..., StudyRecord]
Drawn = Callable[..., dict[str, Figure]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Drawn:
    """``drawn(study, figure, ...)`` gives the figures by name, laid out but not written."""

    def draw(study: StudyRecord, *figures: Mapping[str, Any]) -> dict[str, Figure]:
        found: dict[str, Figure] = {}
        monkeypatch.setattr(
            study_figures, "write_figure", lambda figure, path, colours: found.update({path.stem: figure})
        )
        study.definition["figures"] = list(figures)
        draw_study(study, observe(study), tmp_path / "drawn")
        for figure in found.values():
            figure.draw_without_rendering()
        return found

    return draw


def _bits(study: StudyRecord, **arm: Any) -> list[float]:
    """What was measured of the runs of an arm that are done, straight from their files."""
    jobs = [job for job in study.jobs if job.state == "done" and arm.items() <= job.arm.items()]
    return [job.run.evaluation["bits_per_char"]["value"] for job in jobs if job.run is not None]


def _axes(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def _legend(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_every_figure_is_a_small_png_and_one_without_data_is_removed(capacity: StudyRecord, tmp_path: Path) -> None:
    stale = tmp_path / "figures" / "grids.png"
    stale.parent.mkdir()
    stale.write_bytes(b"of an earlier time")
    paths = draw_study(capacity, observe(capacity), tmp_path / "figures")
    names = [spec.name for spec in read_figures(capacity.definition)]
    assert [path.stem for path in paths] == names[:-1]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(path.name for path in paths)
    for path in paths:
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.width == 1120
        assert path.stat().st_size < 60_000


def test_lines_are_means_with_t_intervals_and_seeds_as_dots(capacity: StudyRecord, drawn: Drawn) -> None:
    figures = drawn(capacity, {"lines": "bits", "along": "seq_len", "by": "hidden_size"})
    (axes,) = _axes(figures["bits_lines_seq_len"])
    lines = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    for line, hidden_size in zip(lines, (100, 256), strict=True):
        arms = [{"hidden_size": hidden_size, "seq_len": length} for length in (20, 30, 50)]
        np.testing.assert_allclose(
            np.asarray(line.get_ydata(), float), [statistics.fmean(_bits(capacity, **arm)) for arm in arms]
        )
    bars = [segment for collection in axes.collections for segment in collection.get_segments()]  # type: ignore[attr-defined]
    assert len(bars) == 6
    values = _bits(capacity, hidden_size=100, seq_len=20)
    half = stats.t.ppf(0.975, 2) * statistics.stdev(values) / np.sqrt(3)
    np.testing.assert_allclose(bars[0][:, 1], [statistics.fmean(values) - half, statistics.fmean(values) + half])
    dots = [np.atleast_1d(line.get_ydata()) for line in axes.get_lines() if line.get_alpha() == 0.5]
    assert sorted(np.concatenate(dots)) == pytest.approx(sorted(_bits(capacity)))
    assert axes.get_ylabel() == "held-out text (bits/char)"
    assert axes.get_xlabel() == LENGTH
    assert _legend(figures["bits_lines_seq_len"]) == ["100", "256"]


def test_an_axis_that_a_figure_does_not_name_is_never_averaged(capacity: StudyRecord, drawn: Drawn) -> None:
    figures = drawn(
        capacity,
        {"lines": "bits", "along": "seq_len"},
        {"lines": "by_temperature", "along": "temperature", "by": "hidden_size"},
        {"curves": "train/loss", "by": "seed"},
        {"points": "bits", "along": "hidden_size"},
        {"lines": "by_temperature", "along": "seq_len", "of": {"hidden_size": 100}, "name": "of"},
    )
    assert _legend(figures["bits_lines_seq_len"]) == ["hidden size 100", "hidden size 256"]
    by_temperature = _legend(figures["by_temperature_lines_temperature"])
    assert by_temperature == [f"hidden size {h}, {LENGTH} {t}" for h in (100, 256) for t in (20, 30, 50)]
    assert len(_legend(figures["train_loss_curves"])) == 17  # each run that is done
    assert _legend(figures["bits_points"]) == [f"{LENGTH} {t}" for t in (20, 30, 50)]
    assert _legend(figures["of"]) == ["temperature 0.4", "temperature 0.8", "temperature 1.2"]


def test_points_have_a_row_an_arm_and_a_panel_a_quantity(capacity: StudyRecord, drawn: Drawn) -> None:
    figures = drawn(capacity, {"points": ["bits", "words"]})
    left, right = _axes(figures["bits_words_points"])
    arms = [f"hidden size {h}, {LENGTH} {t}" for h in (100, 256) for t in (20, 30, 50)]
    assert [label.get_text() for label in left.get_yticklabels()] == arms
    assert (left.get_xlabel(), right.get_xlabel()) == ("held-out text (bits/char)", "valid words")
    diamonds = [line for line in left.get_lines() if line.get_marker() == "D"]
    means = {float(np.atleast_1d(line.get_ydata())[0]): float(np.atleast_1d(line.get_xdata())[0]) for line in diamonds}
    assert means[1.0] == pytest.approx(statistics.fmean(_bits(capacity, hidden_size=100, seq_len=30)))
    assert sorted(means) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    bottom, top = left.get_ylim()
    assert bottom > top  # the first arm is on top


def test_a_map_has_its_values_and_is_darkest_where_it_is_best(capacity: StudyRecord, drawn: Drawn) -> None:
    figures = drawn(capacity, {"heat": "bits", "along": ["hidden_size", "seq_len"]})
    (axes,) = _axes(figures["bits_heat_hidden_size_seq_len"])
    texts = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    mean = statistics.fmean(_bits(capacity, hidden_size=256, seq_len=20))
    assert texts[0, 1].startswith(f"{mean:.3f}\n± ")
    (image,) = axes.get_images()
    depths = image.get_array()
    assert depths is not None
    assert depths.shape == (2, 3)
    assert depths.min() == 0
    assert depths[1, 2] == depths.max() == 1  # fewest bits


def test_a_scatter_has_one_dot_a_run(capacity: StudyRecord, drawn: Drawn) -> None:
    figures = drawn(capacity, {"scatter": ["bits", "by_temperature"], "by": "hidden_size", "of": {"temperature": 0.8}})
    (axes,) = _axes(figures["bits_by_temperature_scatter"])
    x = np.concatenate([np.asarray(line.get_xdata()) for line in axes.get_lines()])
    assert sorted(x) == pytest.approx(sorted(_bits(capacity)))
    assert len(x) == 17


def test_curves_are_means_between_the_lowest_and_the_highest_seed() -> None:
    steps = np.array([10, 20, 30, 40])
    one, two = (steps, np.array([1.0, 2.0, 3.0, 4.0])), (np.array([20, 40]), np.array([4.0, 8.0]))
    mean, lowest, highest = mean_over_seeds([one, two])
    np.testing.assert_array_equal(mean[0], [20, 30, 40])
    np.testing.assert_array_equal(mean[1], [3.0, 4.5, 6.0])
    np.testing.assert_array_equal(lowest[1], [2.0, 3.0, 4.0])
    np.testing.assert_array_equal(highest[1], [4.0, 6.0, 8.0])


def test_passes_are_told_apart_and_the_end_is_shown_otherwise(dropout: StudyRecord, drawn: Drawn) -> None:
    figures = drawn(
        dropout,
        {"lines": "fid", "along": "epoch", "by": "arm"},
        {"points": "fid"},
        {"lines": "fid", "along": "dropout"},
        {"points": "fid", "name": "early", "of": {"epoch": "first"}},
    )
    (axes,) = _axes(figures["fid_lines_epoch"])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4"]
    assert _legend(figures["fid_lines_epoch"]) == ["3 layers", "4 layers, dropout 0", "4 layers, dropout 0.4"]
    for name, epoch in (("fid_points", 4), ("early", 1)):
        (axes,) = _axes(figures[name])
        found = [float(np.atleast_1d(line.get_xdata())[0]) for line in axes.get_lines() if line.get_marker() == "D"]
        np.testing.assert_allclose(found, [52 / epoch, 40 / epoch, 72 / epoch], atol=1.5)
    (axes,) = _axes(figures["fid_lines_dropout"])
    assert _legend(figures["fid_lines_dropout"]) == []
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "0.4"]  # an arm without dropout has no place


def test_a_single_seed_has_a_dot_and_no_interval(dropout: StudyRecord, drawn: Drawn) -> None:
    dropout.definition["arms"] = {"3 layers": {}}
    (axes,) = _axes(drawn(dropout, {"points": "fid", "of": {"arm": "3 layers"}})["fid_points"])
    low, high = axes.get_xlim()
    assert low < 13 < high


def test_an_interval_that_is_cut_has_an_arrow(
    make_study: MakeStudy, capacity_definition: dict[str, Any], drawn: Drawn
) -> None:
    def measure(arm: Mapping[str, Any], seed: int, epoch: int) -> dict[str, dict[str, Any]]:
        return {"bits_per_char": {"value": 2.0 + seed}, "valid_words": {"value": 0.5}}

    del capacity_definition["quantities"]["by_temperature"]
    study = make_study("two", {**capacity_definition, "seeds": [0, 1]}, measure)
    (axes,) = _axes(
        drawn(study, {"lines": "bits", "along": "seq_len", "of": {"hidden_size": 100}})["bits_lines_seq_len"]
    )
    low, high = axes.get_ylim()
    arrows = [(line.get_marker(), float(np.atleast_1d(line.get_ydata())[0])) for line in axes.get_lines()]
    assert {("v", low), ("^", high)} <= set(arrows)
    assert low > 2.5 - stats.t.ppf(0.975, 1) * np.sqrt(0.5) / np.sqrt(2)


def test_many_ordered_groups_go_from_dark_to_light(
    make_study: MakeStudy, capacity_definition: dict[str, Any], measure_text: Any, drawn: Drawn
) -> None:
    sizes = [100, 150, 200, 250, 300]
    definition = {**capacity_definition, "grid": {"model.hidden_size": sizes, "data.seq_len": [20, 30]}}
    study = make_study("many", definition, measure_text)
    (axes,) = _axes(drawn(study, {"lines": "bits", "along": "seq_len", "by": "hidden_size"})["bits_lines_seq_len"])
    lines = [line for line in axes.get_lines() if line.get_linestyle() == "-"]
    brightness = [sum(to_rgb(line.get_color())) for line in lines]
    assert len(lines) == 5
    assert brightness == sorted(brightness)


def test_grids_are_the_first_images_of_each_arm_by_pass(dropout: StudyRecord, tmp_path: Path) -> None:
    dropout.definition["figures"] = [{"grids": True}]
    (path,) = draw_study(dropout, observe(dropout), tmp_path / "figures")
    with Image.open(path) as image:
        picture = np.asarray(image)
    sheet = dropout.jobs[0].folder / "samples" / "epoch_0002.png"
    with Image.open(sheet) as image:
        corner = np.asarray(image)[: 4 * 18 + 2, : 4 * 18 + 2]  # images of 8 pixels, twice as large, and gaps of 2
    windows = np.lib.stride_tricks.sliding_window_view(picture, corner.shape)
    hits = np.argwhere((windows[:, :, 0, :] == corner[0]).all(axis=-1))
    whole = [(top, left) for top, left in hits if (windows[top, left] == corner).all()]
    assert len(whole) == 3  # an arm a row: all three drew the same
    assert len({left for _, left in whole}) == 1


@pytest.mark.parametrize(("scale", "gap"), [(1, 1), (2, 2), (3, 4)])
def test_a_sheet_is_cut_between_its_images(scale: int, gap: int) -> None:
    images = np.random.default_rng(0).integers(100, 255, (30, 5, 7), dtype=np.uint8)
    sheet = np.asarray(contact_sheet(images, 6, scale=scale, gap=gap))
    chosen = images.reshape(5, 6, 5, 7)[:4, :4].reshape(16, 5, 7)
    np.testing.assert_array_equal(sheet_corner(sheet), contact_sheet(chosen, 4, scale=scale, gap=gap))
    few = np.asarray(contact_sheet(images[:6], 3, scale=scale, gap=gap))
    np.testing.assert_array_equal(sheet_corner(few), few)


def test_captions_say_what_is_shown_and_which_way_is_better(capacity_definition: dict[str, Any]) -> None:
    captions = {spec.name: figure_caption(capacity_definition, spec) for spec in read_figures(capacity_definition)}
    assert captions["bits_lines_seq_len"].endswith("faint dots are seeds; held-out text: lower is better.")
    assert captions["train_loss_curves"].endswith(f"{LENGTH} 20.")
    assert captions["bits_heat_hidden_size_seq_len"].endswith("darker is better.")
    assert captions["grids"] == "The same latents after each pass; one seed an arm."
