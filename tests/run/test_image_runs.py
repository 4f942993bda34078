"""Runs of the image models as people start them: their folders, and that they go on where they were stopped."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from genlab.datasets import image_datamodule
from genlab.run.trained import load_trained

pytestmark = pytest.mark.usefixtures("sixty_four_digits")

EXPERIMENTS = ("classifier", "dcgan", "vae")
WORDS = ["data.dataset=digits", "data.batch_size=8", "data.val_size=16", "trainer.accelerator=cpu"]
PER_PASS = 6


def words(experiment: str, *more: str) -> list[str]:
    grids = [] if experiment == "classifier" else ["callbacks.image_grids.epochs=[1]", "callbacks.image_grids.count=5"]
    return ["train", f"experiment={experiment}", *WORDS, "trainer.log_every_n_steps=1", *grids, *more]


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_run_of_two_passes_straight_and_in_parts(experiment: str, genlab, place: Path) -> None:
    """The parts: four iterations, which is in the middle of a pass, and the rest."""
    whole = words(experiment, "trainer.max_epochs=2")
    assert genlab(*whole, "run_dir=straight").code == 0
    check_contract(experiment, place / "straight")
    assert genlab(*whole, "run_dir=straight").out.endswith("nothing to do\n")
    if experiment == "classifier":
        return  # its rates follow the length of the run, which would be another one at first
    assert genlab(*whole, "trainer.max_steps=4", "run_dir=parts").code == 0
    check_best(place / "parts")
    answer = genlab(*whole, "run_dir=parts")
    assert answer.out.startswith("going on from iteration 4 in parts\n")
    assert f"done: {2 * PER_PASS} iterations" in answer.out
    check_same(place / "parts", place / "straight")


def check_contract(experiment: str, folder: Path) -> None:
    found = files(folder)
    assert {"config.yaml", "provenance.json", "status.json", "metrics.csv"} <= found
    said = json.loads((folder / "status.json").read_text())
    assert (said["state"], said["iterations"]) == ("done", 2 * PER_PASS)
    assert said["metrics"].keys() >= {name for name in rows(folder)[-1] if name.startswith("val/")}
    record = json.loads((folder / "provenance.json").read_text())["data"]
    assert (record["name"], len(record["sha256"])) == ("digits", 64)
    assert record["split"].startswith("48 to train on, 16 held out by seed 0, ")
    assert "warning" not in record
    assert load_trained(str(folder), "last").iteration == 2 * PER_PASS
    best = load_trained(str(folder), "best").iteration
    assert best == 2 * PER_PASS or (best == PER_PASS and experiment != "dcgan")
    if experiment != "classifier":
        assert "samples/epoch_0001.png" in found
        assert load_trained(str(folder), "epoch_0001").iteration == PER_PASS


def check_best(folder: Path) -> None:
    """There are weights to judge, though the run has ended in the middle of a pass."""
    best, last = (load_trained(str(folder), name) for name in ("best", "last"))
    assert best.iteration == last.iteration == 4
    theirs = last.module.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in best.module.state_dict().items())
    assert not (folder / "samples" / "epoch_0001.png").exists(), "the pass was not gone through"


def check_same(parts: Path, straight: Path) -> None:
    assert files(parts) == files(straight)
    ours, theirs = (torch.load(path / "checkpoints" / "last.ckpt", weights_only=True) for path in (parts, straight))
    assert ours["state_dict"].keys() == theirs["state_dict"].keys()
    for name, weight in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], weight), name
    expected = [row for row in rows(straight) if row["step"] != "4"]
    assert [row for row in rows(parts) if row["step"] != "4"] == expected, "but for the validation at the end"
    for grid in (straight / "samples").glob("*.png"):
        assert (parts / "samples" / grid.name).read_bytes() == grid.read_bytes()


def note_of(path: Path) -> str | None:
    """What a picture's file says beside the picture."""
    with Image.open(path) as picture:
        return picture.info["comment"].decode() if path.suffix == ".gif" else picture.info.get("Warning")


def test_a_stand_in_is_said_to_be_one_in_all_that_comes_of_it(genlab, place: Path, monkeypatch) -> None:
    said = "this is not MNIST: nobody has it"
    few = replace(image_datamodule.load_images("digits", Path(), True), warning=said)
    monkeypatch.setattr(image_datamodule, "load_images", lambda *_: few)
    answers = [
        genlab(*words("vae", "trainer.max_epochs=1", "run_dir=run")),
        genlab("evaluate", "run=run", "only=[elbo]"),
        genlab("sample", "run=run", "kind=grid", "count=4"),
        genlab("sample", "run=run", "kind=walk", "points=2", "steps=2"),
        genlab("report", "runs=run", "output=report.html"),
    ]
    assert [answer.code for answer in answers] == [0] * len(answers)
    for answer in answers[:4]:
        assert f"warning: {said}\n" in answer.err
    pictures = [path for path in (place / "run").rglob("*") if path.suffix in (".png", ".gif")]
    assert {path.parent.name for path in pictures} == {"figures", "samples"}
    assert [path for path in pictures if note_of(path) != said] == []
    for name in ("status.json", "evaluation/elbo.json"):
        assert json.loads((place / "run" / name).read_text())["warning"] == said
    for name in ("best", "last"):
        content = torch.load(place / "run/checkpoints" / f"{name}.ckpt", weights_only=True)
        assert {"warning": said} in content.values(), name
    assert said in (place / "report.html").read_text()


def test_images_that_were_asked_for_bear_no_warning(genlab, place: Path) -> None:
    answer = genlab(*words("vae", "trainer.max_epochs=1", "run_dir=run"))
    assert "warning" not in answer.err
    assert "warning" not in json.loads((place / "run/status.json").read_text())
    assert note_of(place / "run/samples/epoch_0001.png") is None
