"""Study tables of image runs: whatever was measured, seeds as one row, real data below."""

import statistics
from pathlib import Path
from typing import Any

import pytest

from genlab.reporting.image_tables import image_setting
from genlab.reporting.markdown import write_markdown
from genlab.reporting.runs import RunRecord

CONFIGS: dict[str, dict[str, Any]] = {
    "vae": {"latent_dim": 2, "likelihood": "bernoulli", "binarize": "dynamic", "beta": 1.0},
    "dcgan": {"latent_dim": 100, "generator": {"num_layers": 3}, "dropout": 0.4, "init": "normal"},
    "classifier": {"dropout": 0.0},
}


def record(model: str, seed: int, evaluation: dict[str, dict[str, Any]], **settings: Any) -> RunRecord:
    config = {
        "name": model,
        "seed": seed,
        "data": {"dataset": "MNIST", "batch_size": 128},
        "model": {"_target_": f"genlab.{model}.module.X", **CONFIGS[model], **settings},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.0002},
    }
    status = {"state": "done", "seconds": 100.0 + seed, "iterations": 12000}
    provenance = {"commit": "0123456789abcdef", "machine": {"processor": "a CPU"}}
    results = {name: {"checkpoint_sha256": f"{seed}" * 64, **result} for name, result in evaluation.items()}
    return RunRecord(Path(f"runs/{model}{seed}"), config, status, provenance, {}, results, {}, ())


def fid(value: float) -> dict[str, Any]:
    return {"value": value, "unit": "distance", "floor": {"value": 0.4}, "judge_sha256": "ab" * 32}


def rows_of(page: str, first_cell: str) -> list[list[str]]:
    lines = [line for line in page.splitlines() if line.startswith(f"| {first_cell}")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_a_setting_says_what_its_config_has_and_leaves_out_what_is_off() -> None:
    assert image_setting(record("vae", 0, {})) == (
        "vae: MNIST, latent 2, bernoulli likelihood, dynamic binarisation, batch 128, Adam 0.0002"
    )
    assert image_setting(record("dcgan", 0, {})) == (
        "dcgan: MNIST, latent 100, 3-layer generator, dropout 0.4, normal init, batch 128, Adam 0.0002"
    )
    assert "KL x 4" in image_setting(record("vae", 0, {}, beta=4.0))


def test_columns_are_what_was_measured_and_seeds_are_one_row(tmp_path: Path) -> None:
    values = (3.21, 3.05, 3.60)
    runs = [record("dcgan", seed, {"fid_mnist_cnn": fid(value)}) for seed, value in enumerate(values)]
    runs[0].evaluation["precision"] = {"value": 0.9123, "unit": "share of images", "floor": {"value": 0.97}}
    page = write_markdown(runs, tmp_path / "page.md", "genlab report").read_text()
    header = "| setting | seeds | FID (mnist_cnn) | precision (%) | iterations | seconds of training |"
    assert header in page
    summary, *single = rows_of(page, "dcgan:")
    assert summary[1:] == ["3", f"3.287 ± {statistics.stdev(values):.3f}", "91.23", "12,000", "101 ± 1"]
    (real,) = rows_of(page, "real test images")
    assert real == ["real test images", "", "0.4000 ± 0.0000", "97.00", "", ""]
    assert single[1][1:] == ["1", "3.0500", "not measured", "1" * 12, "0123456789ab", "a CPU", "101"]
    assert "Judged by the classifier with checkpoint abababababab." in page


def test_models_have_tables_of_their_own_and_settings_rows_of_their_own(tmp_path: Path) -> None:
    elbo = {"value": -139.2, "unit": "nats an image"}
    runs = [record("vae", 0, {"elbo": elbo}), record("vae", 0, {"elbo": elbo}, latent_dim=20)]
    runs.append(record("classifier", 0, {"accuracy": {"value": 0.9953, "unit": "share of test images"}}))
    page = write_markdown(runs, tmp_path / "page.md", "genlab report").read_text()
    assert "| setting | seeds | ELBO | iterations |" in page
    assert "| setting | seeds | accuracy (%) | iterations |" in page
    assert "real test images" not in page
    assert len(rows_of(page, "vae:")) == 4
    assert rows_of(page, "classifier:")[0][2] == "99.53"


def test_a_warning_stands_above_the_figures(tmp_path: Path) -> None:
    run = record("vae", 0, {"elbo": {"value": -1.0, "warning": "stand-in digits"}})
    page = write_markdown([run], tmp_path / "page.md", "genlab report").read_text()
    assert page.index("**Warning.** stand-in digits") < page.index("| setting |")


@pytest.mark.parametrize("value", [0.0, 1e-9, 12345.6, -0.002])
def test_figures_of_any_size_are_written(value: float, tmp_path: Path) -> None:
    page = write_markdown([record("dcgan", 0, {"fid_mnist_cnn": fid(value)})], tmp_path / "p.md", "x").read_text()
    assert float(rows_of(page, "dcgan:")[0][2]) == pytest.approx(value, rel=1e-3, abs=1e-6)
