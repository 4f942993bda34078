from collections.abc import Callable
from pathlib import Path
from typing import Any

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

    def spy(axes: Axes, name: str, run_name: str, per_character: bool) -> None:
        dress(axes, name, run_name, per_character)
        drawn[name] = axes

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


def _noisy(start: float, end: float, count: int = 400, noise: float = 0.05) -> Series:
    steps = np.arange(1, count + 1) * 10
    draws = np.random.default_rng(0).normal(0, noise, count)
    return steps, end + (start - end) * np.exp(-steps / (0.4 * count)) + draws


def _axes_of(metrics: dict[str, Series], monkeypatch: pytest.MonkeyPatch) -> dict[str, Axes]:
    """The axes of each figure by name, drawn but not written."""
    drawn: dict[str, Axes] = {}
    monkeypatch.setattr(curves, "write_figure", lambda figure, path, colours: path)
    dress = curves._dress

    def spy(axes: Axes, name: str, *rest: Any) -> None:
        dress(axes, name, *rest)
        drawn[name] = axes

    monkeypatch.setattr(curves, "_dress", spy)
    curves.draw_curves(_record(metrics), Path())
    return drawn


def test_a_gans_losses_share_a_figure_and_its_accuracies_another(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["loss_discriminator", "loss_discriminator_real", "loss_discriminator_fake", "loss_generator"]
    metrics = {f"train/{name}": _noisy(0.7, 0.4 + place) for place, name in enumerate(names)}
    metrics |= {f"train/accuracy_{side}": _noisy(0.5, 0.8) for side in ("real", "fake")}
    metrics["val/accuracy_real"] = _series(0.6, 0.7)
    drawn = _axes_of(metrics, monkeypatch)
    assert list(drawn) == ["loss", "accuracy"]
    legends = {}
    for name, axes in drawn.items():
        legend = axes.get_legend()
        assert legend is not None
        legends[name] = [text.get_text() for text in legend.get_texts()]
    sides = ["discriminator on real images", "discriminator on fake images"]
    assert legends["loss"] == ["discriminator", *sides, "generator"]
    assert legends["accuracy"] == ["on real images", "on real images, held-out", "on fake images"]
    colours = [line.get_color() for line in drawn["loss"].get_lines() if not line.get_label().startswith("_")]  # type: ignore[union-attr]
    assert len(set(colours)) == 4


def test_a_loss_that_nobody_thought_of_joins_its_family(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = {"train/loss": _noisy(2, 1), "train/loss_of_its_own": _noisy(3, 1), "train/penalty": _noisy(3, 1)}
    assert list(_axes_of(metrics, monkeypatch)) == ["loss", "penalty"]
    assert curves.member_label("loss_of_its_own", "loss") == "of its own"
    assert curves.member_label("loss", "loss") == "all"


def test_an_autoencoder_has_its_bound_and_its_parts_in_nats_but_no_mirrored_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elbo = _noisy(-500, -100, noise=1.0)
    metrics = {"train/elbo": elbo, "train/log_likelihood": _noisy(-500, -90), "train/kl": _noisy(0, 10)}
    metrics |= {"val/elbo": _series(-120, -101), "train/loss": (elbo[0], -elbo[1])}
    drawn = _axes_of(metrics, monkeypatch)
    assert list(drawn) == ["elbo", "log_likelihood", "kl"]
    assert {axes.get_ylabel() for axes in drawn.values()} == {"nats an image"}
    assert drawn["elbo"].get_title(loc="left") == "ELBO of x"
    metrics["train/loss"] = (elbo[0], -elbo[1] + 5.0)  # a beta of other than 1: another quantity
    assert "loss" in _axes_of(metrics, monkeypatch)


def test_a_few_wild_steps_do_not_flatten_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, values = _noisy(2.0, 1.0)
    values[3] = 1e4
    axes = _axes_of({"train/loss_generator": (steps, values), "train/loss": _noisy(2, 1)}, monkeypatch)
    assert axes["loss"].get_ylim()[1] < 10


def test_a_classifiers_figures_show_the_end_of_training(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, errors = _noisy(0.9, 0.01, noise=0.001)
    accuracy, loss = (steps, 1 - errors), (steps, 3 * np.abs(errors))
    held_out = (np.array([1000, 4000]), np.array([0.97, 0.995]))
    metrics = {"train/loss": loss, "train/accuracy": accuracy, "val/accuracy": held_out}
    drawn = _axes_of(metrics, monkeypatch)
    low, high = drawn["accuracy"].get_ylim()
    assert 0.9 < low < 0.97
    assert high > 0.995
    assert drawn["loss"].get_yscale() == "log"


def test_a_running_mean_is_the_mean_of_neighbours() -> None:
    values = np.random.default_rng(1).normal(size=300)
    steps, mean = curves.running_mean((np.arange(300), values))
    np.testing.assert_array_equal(steps, np.arange(300))
    for place in (0, 1, 150, 299):
        np.testing.assert_allclose(mean[place], values[max(0, place - 3) : place + 4].mean())


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
