from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from genlab.reporting import curves
from genlab.reporting.runs import RunRecord, Series, read_run

MakeRun = Callable[..., Path]


def _series(*values: float) -> Series:
    return np.arange(1, len(values) + 1) * 100, np.array(values)


def _record(metrics: dict[str, Series]) -> RunRecord:
    return RunRecord(Path("runs/x"), {"name": "x"}, {"state": "done"}, {}, metrics, {}, {}, ())


@pytest.mark.parametrize("rows", [1, 300, 30000])
def test_a_text_run_has_a_loss_and_an_accuracy_curve(make_run: MakeRun, tmp_path: Path, rows: int) -> None:
    paths = curves.draw_curves(read_run(make_run(rows=rows)), tmp_path / "figures")
    assert [path.name for path in paths] == ["loss.png", "accuracy.png"]
    for path in paths:
        assert 5_000 < path.stat().st_size < 60_000
        with Image.open(path) as image:
            image.load()
            assert image.format == "PNG"
            assert image.size == (1280, 700)


def test_the_drawn_lines_are_the_logged_values(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: dict[str, Axes] = {}
    dress = curves._dress

    def spy(axes: Axes, quantity: curves.Quantity, run_name: str, per_character: bool) -> None:
        dress(axes, quantity, run_name, per_character)
        drawn[quantity.name] = axes

    monkeypatch.setattr(curves, "_dress", spy)
    record = read_run(make_run())
    curves.draw_curves(record, tmp_path)
    lines = drawn["loss"].get_lines()
    for line, metric in zip(lines, ("train/loss", "train/smoothed_loss", "val/loss"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), record.metrics[metric][0])
        np.testing.assert_array_equal(line.get_ydata(), record.metrics[metric][1])
    raw, smoothed, held_out = lines
    assert (raw.get_alpha() or 1) < 0.5 < (smoothed.get_alpha() or 1)
    assert held_out.get_marker() == "o"
    assert drawn["loss"].get_ylabel() == "nats per character"
    (bits,) = drawn["loss"].child_axes
    np.testing.assert_allclose(bits.get_ylim(), np.array(drawn["loss"].get_ylim()) / np.log(2))
    assert drawn["accuracy"].child_axes == []


def test_quantities_are_grouped_by_name_without_bookkeeping() -> None:
    one = _series(1.0, 2.0)
    names = ["train/loss_generator", "train/loss_discriminator", "val/elbo", "train/lr", "lr-Adam", "epoch"]
    names += ["train/iterations_per_second", "train/smoothed_loss_generator", "train/step"]
    groups = curves.group_quantities({name: one for name in names})
    assert [group.name for group in groups] == ["loss_generator", "loss_discriminator", "elbo"]
    assert groups[0].smoothed is not None
    assert groups[1].smoothed is None
    assert groups[2].raw is None
    assert groups[2].held_out is not None


def test_bits_per_char_without_a_loss_has_its_own_figure(tmp_path: Path) -> None:
    (path,) = curves.draw_curves(_record({"val/bits_per_char": _series(3.0, 2.5)}), tmp_path)
    assert path.name == "bits_per_char.png"


def test_values_that_are_not_finite_are_not_drawn(tmp_path: Path) -> None:
    record = _record({"train/loss": _series(3.0, np.inf, np.nan, 2.0), "train/accuracy": _series(np.nan, np.nan)})
    (group,) = curves.group_quantities(record.metrics)
    assert group.raw is not None
    np.testing.assert_array_equal(group.raw, ([100, 400], [3.0, 2.0]))
    assert [path.name for path in curves.draw_curves(record, tmp_path)] == ["loss.png"]


def test_a_run_without_metrics_has_no_curves(tmp_path: Path) -> None:
    assert curves.draw_curves(_record({}), tmp_path / "figures") == []
