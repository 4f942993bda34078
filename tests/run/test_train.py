"""A run's folder: what is in it, how a run goes on in it, and that an end of any kind leaves it true."""

import csv
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from genlab.run import artifacts, fit


def status(folder: Path) -> dict:
    return json.loads((folder / "status.json").read_text())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def equal_weights(one: Path, other: Path) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_finished_runs_folder_is_the_contract(trained: Path, text: Path) -> None:
    names = {str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file()}
    assert names == {
        "config.yaml",
        "provenance.json",
        "status.json",
        "metrics.csv",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "samples/training.txt",
        "figures/loss.png",
        "figures/accuracy.png",
        "figures/valid_words.png",
    }
    assert (trained / "evaluation").is_dir()
    said = status(trained)
    assert (said["state"], said["reason"], said["iterations"]) == ("done", "", 60)
    assert said["started"] <= said["ended"]
    assert 0 < said["seconds"] < 600
    assert {"train/loss", "train/bits_per_char", "val/loss", "val/bits_per_char"} <= said["metrics"].keys()
    assert said["metrics"].keys().isdisjoint({"step", "epoch"})
    config_text = (trained / "config.yaml").read_text()
    config = yaml.safe_load(config_text)
    assert "${" not in config_text
    assert (config["name"], config["seed"], config["model"]["hidden_size"]) == ("char_rnn", 0, 8)
    assert config["data"]["text"] == str(text)


def test_figures_in_the_status_are_those_of_the_last_row_without_float_noise(trained: Path) -> None:
    last = rows(trained)[-1]
    for name, value in status(trained)["metrics"].items():
        if name != "train/iterations_per_second":
            assert value == float(f"{value:.7g}"), name
            assert value == pytest.approx(float(last[name]), rel=1e-6), name
    assert float(last["val/bits_per_char"]) == pytest.approx(float(last["val/loss"]) / math.log(2), rel=1e-5)


def test_metrics_have_one_row_a_step_and_samples_come_when_they_should(trained: Path) -> None:
    assert [row["step"] for row in rows(trained)] == ["20", "40", "60"]
    assert all(row["train/loss"] and row["val/loss"] for row in rows(trained))
    text = (trained / "samples" / "training.txt").read_text()
    assert [line.split()[2] for line in text.splitlines() if line.startswith("=== iteration")] == ["20", "40", "60"]


def test_rows_between_samples_keep_their_own_iterations(genlab, tiny, tmp_path: Path) -> None:
    words = (*tiny(), "callbacks.text_samples.every=50", "trainer.max_steps=120", "trainer.val_check_interval=2")
    assert genlab("train", f"run_dir={tmp_path}/run", *words).code == 0
    found = rows(tmp_path / "run")
    assert [row["step"] for row in found] == ["20", "40", "60", "80", "100", "120"]
    assert all(row["train/loss"] for row in found)
    assert [row["step"] for row in found if row["val/loss"]] == ["40", "80", "120"]
    assert {row["step"] for row in found if row["train/valid_words"]} <= {"60", "100"}


def test_provenance_says_what_it_takes_to_do_it_again(trained: Path) -> None:
    said = json.loads((trained / "provenance.json").read_text())
    assert said["command"].startswith("genlab train run_dir=")
    assert said["seed"] == 0
    assert {"python", "torch", "pytorch-lightning", "numpy"} <= said["versions"].keys()
    assert len(said["data"]["sha256"]) == 64
    assert {"commit", "dirty", "diff", "machine", "started"} <= said.keys()


def test_a_finished_run_says_so_and_changes_nothing(genlab, tiny, trained, files) -> None:
    before = files(trained)
    for max_steps in (60, 50):
        answer = genlab("train", *tiny(trainer__max_steps=max_steps), f"run_dir={trained}")
        assert answer == (0, f"{trained} is finished (60 iterations): nothing to do\n", "")
    assert files(trained) == before


def test_more_iterations_go_on_and_end_where_a_straight_run_does(genlab, tiny, trained, place: Path) -> None:
    answer = genlab("train", *tiny(trainer__max_steps=130), f"run_dir={trained}")
    assert answer.code == 0
    assert answer.out.startswith(f"going on from iteration 60 in {trained}\n")
    assert genlab("train", *tiny(trainer__max_steps=130), "run_dir=straight").code == 0
    assert equal_weights(trained, place / "straight")
    steps = [row["step"] for row in rows(trained)]
    assert steps == [row["step"] for row in rows(place / "straight")] == ["20", "40", "60", "80", "100", "120", "130"]
    for ours, theirs in zip(rows(trained), rows(place / "straight"), strict=True):
        ours.pop("train/iterations_per_second"), theirs.pop("train/iterations_per_second")
        assert ours == theirs
    samples = "samples/training.txt"
    assert (trained / samples).read_text() == (place / "straight" / samples).read_text()
    provenance = json.loads((trained / "provenance.json").read_text())
    assert len(provenance["resumed"]) == 1
    assert "max_steps=130" in provenance["resumed"][0]["command"]


def test_random_states_are_taken_up_too(genlab, tiny, place: Path) -> None:
    with_dropout = {"model__num_layers": 2, "model__dropout": 0.5, "callbacks__text_samples__every": 10**6}
    assert genlab("train", *tiny(**with_dropout, trainer__max_steps=50), "run_dir=parts").code == 0
    assert genlab("train", *tiny(**with_dropout), "run_dir=parts").code == 0
    assert genlab("train", *tiny(**with_dropout), "run_dir=straight").code == 0
    # 50 is no multiple of the 20 windows of a step: the random state, not the step's size, decides
    assert equal_weights(place / "parts", place / "straight")


def test_double_precision_is_not_rounded_by_going_on(genlab, tiny, place: Path) -> None:
    double = ("trainer.precision=64-true", "callbacks.text_samples.every=1000000")
    assert genlab("train", *tiny(trainer__max_steps=40), *double, "run_dir=parts").code == 0
    assert genlab("train", *tiny(), *double, "run_dir=parts").code == 0
    assert genlab("train", *tiny(), *double, "run_dir=straight").code == 0
    assert {weight.dtype for weight in weights(place / "parts").values()} == {torch.float64}
    assert equal_weights(place / "parts", place / "straight")


def test_passes_over_the_data_are_counted_when_a_run_goes_on(genlab, tiny, place: Path) -> None:
    def train(epochs: int) -> tuple:
        return genlab(
            "train", *tiny(trainer__max_steps=-1, data__seq_len=50), f"trainer.max_epochs={epochs}", "run_dir=run"
        )

    assert train(1).code == 0
    once = status(place / "run")["iterations"]
    assert train(1).out.endswith("nothing to do\n")
    assert train(2).code == 0
    assert status(place / "run")["iterations"] == 2 * once


def test_a_loss_that_is_no_number_fails_the_run_and_keeps_its_checkpoint(genlab, tiny, place: Path) -> None:
    answer = genlab(
        "train",
        *tiny(optimizer="sgd", optimizer__lr=3e37, data__windows_per_step=1, callbacks__last__every_seconds=1e-9),
        "run_dir=run",
    )
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "lower optimizer.lr" in answer.err
    said = status(place / "run")
    assert said["state"] == "failed"
    assert said["reason"].startswith("FloatingPointError: the loss is inf at iteration")
    assert all(math.isfinite(value) for value in said["metrics"].values())
    assert said["iterations"] > 1
    assert all(bool(tensor.isfinite().all()) for tensor in weights(place / "run").values())
    assert genlab("sample", "run=run", "checkpoint=last", "length=5").code == 0


def test_a_monitor_that_is_not_logged_is_named_with_those_that_are(genlab, tiny, place: Path) -> None:
    answer = genlab("train", *tiny(monitor="val/los"), "run_dir=run")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "`monitor` must be one of val/loss, val/bits_per_char; got 'val/los' (monitor; did you mean" in answer.err
    assert not (place / "run").exists()


def test_runs_go_below_genlab_runs_and_never_share_a_folder(
    genlab, tiny, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        @staticmethod
        def now(zone: object = None) -> artifacts.datetime:
            return artifacts_datetime(2026, 1, 31, 12, tzinfo=zone)

    artifacts_datetime = artifacts.datetime
    monkeypatch.setattr(artifacts, "datetime", Clock)
    monkeypatch.setenv("GENLAB_RUNS", str(place / "here"))
    for _ in range(2):
        assert genlab("train", *tiny(trainer__max_steps=1)).code == 0
    runs = sorted(path.name for path in (place / "here" / "char_rnn").iterdir())
    assert runs == ["2026-01-31_12-00-00", "2026-01-31_12-00-00-1"]


def test_a_folder_in_use_is_refused(genlab, tiny, place: Path) -> None:
    folder = artifacts.RunFolder(place / "run")
    with folder.locked():
        answer = genlab("train", *tiny(), "run_dir=run")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "`run_dir` must not be in use: a run is being trained there now" in answer.err
    assert genlab("train", *tiny(trainer__max_steps=1), "run_dir=run").code == 0


def after_another_command(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """Have another command do all of its work while one has looked at the folder, and not locked it yet."""
    make = fit._make

    def late(*options: Any) -> Any:
        made = make(*options)
        subprocess.run([sys.executable, "-m", "genlab", "train", *words], check=True, capture_output=True)
        return made

    monkeypatch.setattr(fit, "_make", late)


def test_what_another_command_has_trained_meanwhile_is_not_trained_again(
    genlab, tiny, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert genlab("train", *tiny(trainer__max_steps=20), "run_dir=run").code == 0
    after_another_command(monkeypatch, [*tiny(), "run_dir=run"])
    answer = genlab("train", *tiny(), "run_dir=run")
    assert (answer.code, answer.err) == (0, "")
    assert "run is finished (60 iterations): nothing to do" in answer.out
    steps = [line.partition(",")[0] for line in (place / "run/metrics.csv").read_text().splitlines()[1:]]
    assert steps == ["20", "40", "60"]


def test_a_folder_that_another_run_has_taken_meanwhile_is_refused(
    genlab, tiny, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_another_command(monkeypatch, [*tiny(model__hidden_size=4), "run_dir=run"])
    answer = genlab("train", *tiny(), "run_dir=run")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "model.hidden_size=4, not 8 (run_dir)" in answer.err
    assert weights(place / "run")["net.head.weight"].shape[1] == 4


@pytest.mark.parametrize("content", [None, "", "[]", '{"data": 3}', '{"da'])
def test_a_provenance_that_is_lost_is_said_before_a_run_goes_on(genlab, tiny, place: Path, content) -> None:
    assert genlab("train", *tiny(), "run_dir=run").code == 0
    path = place / "run/provenance.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    answer = genlab("train", *tiny(trainer__max_steps=80), "run_dir=run")
    assert (answer.code, answer.err.count("\n")) == (2, 1), answer
    assert "`run_dir` must hold a readable provenance.json; got" in answer.err
    assert status(place / "run")["iterations"] == 60


def test_samples_that_a_full_disk_has_cut_short_are_drawn_again(genlab, tiny, place: Path) -> None:
    assert genlab("train", *tiny(), "run_dir=straight", "trainer.max_steps=100").code == 0
    assert genlab("train", *tiny(), "run_dir=run").code == 0
    path = place / "run/samples/training.txt"
    path.write_text(path.read_text() + "=== itera")
    assert genlab("train", *tiny(), "run_dir=run", "trainer.max_steps=100").code == 0
    assert path.read_text() == (place / "straight/samples/training.txt").read_text()


def test_a_moved_run_is_sampled_judged_and_reported_from_anywhere(genlab, trained, place: Path) -> None:
    answer = genlab("sample", f"run={trained}", "length=12", "prompt=Harry, (and on")
    assert (answer.code, answer.err) == (0, "")
    written = (trained / "samples" / "generated_text.txt").read_text()
    assert written.startswith("Harry, (and on")
    assert len(written) == len("Harry, (and on") + 12 + 1
    assert genlab("sample", f"run={trained}", "length=5", "temperature=[0.4,1.4]").code == 0
    sweep = (trained / "samples" / "temperature.txt").read_text()
    assert sweep.count("=== temperature") == 2
    assert genlab("evaluate", f"run={trained}", "only=bits_per_char").code == 0
    judged = json.loads((trained / "evaluation" / "bits_per_char.json").read_text())
    assert judged["iteration"] == 60
    assert len(judged["checkpoint_sha256"]) == 64
    answer = genlab("report", f"runs={place}", "output=a b, c=1.html")
    assert answer.code == 0
    assert "bits per character" in (place / "a b, c=1.html").read_text().lower()


def test_the_next_command_that_is_printed_works_whatever_the_folder_is_called(genlab, tiny, place: Path) -> None:
    import shlex

    answer = genlab("train", *tiny(), "run_dir=it's a=b, (c) é")
    assert answer.code == 0, answer
    words = shlex.split(answer.out.splitlines()[-1].partition("; ")[2])
    assert words[:2] == ["genlab", "evaluate"]
    assert genlab(*words[1:], "only=bits_per_char").code == 0


def test_an_evaluation_draws_the_curves_where_training_has_not(genlab, trained: Path, files) -> None:
    """Figures younger than the last line of ``metrics.csv`` are left alone; older ones are drawn anew."""
    metrics, figures = trained / "metrics.csv", trained / "figures"
    os.utime(metrics, (0, 0))
    before = files(figures)
    assert "loss.png" in before
    assert genlab("evaluate", f"run={trained}", "only=[bits_per_char]").code == 0
    assert files(figures) == before
    later = time.time() + 60
    os.utime(metrics, (later, later))
    assert genlab("evaluate", f"run={trained}", "only=[bits_per_char]").code == 0
    assert {name for name, content in files(figures).items() if content != before[name]} == set(before)
    shutil.rmtree(figures)
    assert genlab("evaluate", f"run={trained}", "only=[bits_per_char]").code == 0
    assert set(files(figures)) == set(before)
