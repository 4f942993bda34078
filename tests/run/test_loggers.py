"""The mirrors of a run, each one override away: TensorBoard, and W&B without account or network."""

from pathlib import Path

import pytest


def test_tensorboard_gets_event_files_with_figures_config_and_samples(genlab, tiny, place: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert genlab("train", *tiny(), "run_dir=run", "logger=tensorboard").code == 0
    events = EventAccumulator(str(place / "run" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "val/bits_per_char"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == [20, 40, 60]
    assert "samples/text_summary" in tags["tensors"]
    assert "hidden_size: 8" in (place / "run" / "tensorboard" / "hparams.yaml").read_text()
    assert (place / "run" / "metrics.csv").is_file()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_wandb_mirrors_a_sweep_one_run_each_without_account_or_network(genlab, tiny, offline: Path, wandb_runs) -> None:
    answer = genlab("train", "-m", *tiny(model__hidden_size="4,8"), "logger=wandb", "hydra.sweep.dir=sweep")
    assert answer.code == 0, answer
    for size in (4, 8):
        (run,) = wandb_runs(offline / "sweep" / f"model.hidden_size={size}")
        assert run.config["model"]["hidden_size"] == size
        assert [iteration for iteration, _ in run.series("train/loss")] == [20, 40, 60]
        assert len(run.series("samples")) == 3  # after 1, 2 and, at the end, 3 samples
        assert run.exit_code == 0
    assert {path.name for path in offline.iterdir()} == {"sweep", "home"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_wandb_is_told_of_a_failure(genlab, tiny, offline: Path, wandb_runs) -> None:
    answer = genlab("train", *tiny(optimizer="sgd", optimizer__lr=3e37), "logger=wandb", f"run_dir={offline / 'run'}")
    assert answer.code == 1
    assert [run.exit_code for run in wandb_runs(offline / "run")] == [1]
