"""A run's folder and what W&B has of it offline: config, figures, pictures, texts and results, and no secret."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from omegaconf import OmegaConf
from PIL import Image

from genlab.reporting.runs import read_metrics, read_run
from genlab.run.config_files import config_dir
from genlab.run.loggers import make_loggers
from genlab.run.mirror import mirror_results

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

SECRET = "feedbeef" * 5
IMAGES = ["data.dataset=digits", "data.batch_size=8", "data.val_size=16", "trainer.accelerator=cpu"]
SAMPLE = re.compile(
    r"^=== iteration (\d+) \|[^\n]*\| prompt ([^\n]*) ===$\n(.*?)\n\n(?=^===|\Z)", re.MULTILINE | re.DOTALL
)


@pytest.fixture
def keyed(offline: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody who has an account, in a folder of their own."""
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    return offline


def as_logged(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Every column of metrics.csv as pairs of iteration and value."""
    return {
        name: list(zip(iterations.tolist(), values.tolist(), strict=True))
        for name, (iterations, values) in read_metrics(folder / "metrics.csv").items()
    }


def check_series(run: Any, folder: Path) -> None:
    expected = as_logged(folder)
    assert expected
    for name, pairs in expected.items():
        logged = run.series(name)
        assert [iteration for iteration, _ in logged] == [iteration for iteration, _ in pairs], name
        assert [value for _, value in logged] == pytest.approx([value for _, value in pairs], rel=1e-6), name


def check_config(run: Any, folder: Path) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    mirrored = {key: value for key, value in run.config.items() if key != "_wandb"}
    assert mirrored == json.loads(json.dumps(config))


def check_no_secret(place: Path) -> None:
    files = [path for path in place.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert any(path.name == "provenance.json" for path in files)
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_a_text_run_has_its_config_curves_and_texts_in_wandb(genlab, tiny, keyed: Path, wandb_runs) -> None:
    folder = keyed / "some" / "place"
    assert genlab("train", *tiny(), "logger=wandb", "name=tries", f"run_dir={folder}").code == 0
    (run,) = wandb_runs(folder)
    assert (run.about.display_name, run.about.run_group, run.about.job_type) == ("place", "tries", "train")
    assert (run.about.project, list(run.about.tags), run.exit_code) == ("genlab", ["tries"], 0)
    assert run.steps["*"] == "trainer/global_step"
    check_config(run, folder)
    check_series(run, folder)
    table = run.table(run.series("samples")[-1][1])
    written = SAMPLE.findall((folder / "samples" / "training.txt").read_text())
    assert table["columns"] == ["iteration", "prompt", "text"]
    assert [row[0] for row in table["data"]] == [20, 40, 60]
    for (iteration, prompt, text), (said, quoted, whole) in zip(table["data"], written, strict=True):
        assert (iteration, prompt + text, repr(prompt)) == (int(said), whole, quoted)
    check_no_secret(keyed)


def test_a_run_that_goes_on_is_told_again_from_its_beginning(genlab, tiny, offline: Path, wandb_runs) -> None:
    for steps in (40, 80):
        words = tiny(trainer__max_steps=steps)
        assert genlab("train", *words, "logger=wandb", f"run_dir={offline / 'run'}").code == 0
    first, second = wandb_runs(offline / "run")
    assert [iteration for iteration, _ in first.series("train/loss")] == [20, 40]
    assert [iteration for iteration, _ in second.series("train/loss")] == [20, 40, 60, 80]
    check_series(second, offline / "run")


def test_an_image_run_has_its_grids_in_wandb(genlab, sixty_four_digits, offline: Path, wandb_runs) -> None:
    grids = ["callbacks.image_grids.epochs=[1,2]", "callbacks.image_grids.count=5", "trainer.max_epochs=2"]
    words = ["train", "experiment=vae", *IMAGES, *grids, "trainer.log_every_n_steps=1", "logger=wandb", "run_dir=run"]
    assert genlab(*words).code == 0
    (run,) = wandb_runs(offline / "run")
    check_config(run, offline / "run")
    check_series(run, offline / "run")
    pictures = run.series("samples")
    assert [iteration for iteration, _ in pictures] == [6, 12]
    for epoch, (_, said) in enumerate(pictures, start=1):
        (path,) = (run.folder / "files" / name for name in said["filenames"])
        assert said["captions"] == [f"epoch_{epoch:04d}"]
        assert np.array_equal(pixels(path), pixels(offline / "run" / "samples" / f"epoch_{epoch:04d}.png"))


def test_an_evaluation_is_a_run_of_its_own_in_the_same_group(genlab, trained: Path, keyed: Path, wandb_runs) -> None:
    assert genlab("sample", f"run={trained}", "temperature=[0.5,1.0]", "length=20").code == 0
    answer = genlab("evaluate", f"run={trained}", "only=[bits_per_char,valid_words,ngram_floor]", "logger=wandb")
    assert answer.code == 0, answer
    (run,) = wandb_runs(trained)
    assert (run.about.display_name, run.about.run_group, run.about.job_type) == ("trained", "char_rnn", "evaluate")
    check_config(run, trained)
    record = read_run(trained)
    for name, result in record.evaluation.items():
        assert run.series(f"evaluation/{name}") == [(result["iteration"], result["value"])]
        assert run.summary[f"evaluation/{name}"] == result["value"]
        for field in ("count", "seed", "checkpoint_sha256", "checkpoint", "unit", "standard_error"):
            if result.get(field) is not None:
                assert run.summary[f"evaluation/{name}/{field}"] == result[field], (name, field)
    low, high = record.evaluation["valid_words"]["interval"]
    assert (run.summary["evaluation/valid_words/low"], run.summary["evaluation/valid_words/high"]) == (low, high)
    assert run.summary["val/bits_per_char"] == record.metrics["val/bits_per_char"][1][-1]
    orders = run.table(run.series("evaluation/ngram_floor/by_order")[0][1])
    by_order = record.evaluation["ngram_floor"]["by_order"]
    assert [dict(zip(orders["columns"], row, strict=True))["order"] for row in orders["data"]] == [
        entry["order"] for entry in by_order
    ]
    texts = run.table(run.series("texts")[0][1])
    assert {row[0]: row[1] for row in texts["data"]} == record.samples
    for path in record.figures:
        ((_, said),) = run.series(f"figures/{path.stem}")
        assert np.array_equal(pixels(run.folder / "files" / said["filenames"][0]), pixels(path))
    check_no_secret(keyed)


def test_a_results_own_metrics_csv_is_left_as_it_is(genlab, trained: Path, offline: Path) -> None:
    before = (trained / "metrics.csv").read_bytes()
    assert genlab("evaluate", f"run={trained}", "only=[bits_per_char]", "logger=wandb").code == 0
    assert (trained / "metrics.csv").read_bytes() == before
    shutil.rmtree(trained / "wandb")
    assert genlab("evaluate", f"run={trained}", "only=[bits_per_char]", "logger=csv").code == 0
    assert (trained / "metrics.csv").read_bytes() == before
    assert not (trained / "wandb").exists()


def test_results_are_mirrored_again_without_measuring(genlab, image_run: Path, offline: Path, wandb_runs) -> None:
    """What the two runs of W&B have of it is the same: each holds all that the folder holds."""
    for _ in range(2):
        assert genlab("evaluate", f"run={image_run}", "only=[]", "logger=wandb", "+logger.wandb.notes=again").code == 0
    first, second = wandb_runs(image_run)
    assert first.about.run_id != second.about.run_id
    assert (first.about.notes, second.about.job_type) == ("again", "evaluate")
    for name in ("evaluation/fid_mnist_cnn", "evaluation/fid_mnist_cnn/count", "val/bits_per_char"):
        assert first.summary[name] == second.summary[name]
    assert sorted(path.name for path in (image_run / "evaluation").glob("*.json")) == ["fid_mnist_cnn.json"]


@pytest.fixture
def image_run(trained: Path) -> Path:
    """A run's folder as one of images has it: passes that were measured, a grid of each, and a walk."""
    for epoch, fid in ((1, 9.0), (2, 4.0)):
        result = {"value": fid, "iteration": 6 * epoch, "checkpoint": f"epoch_{epoch:04d}", "count": 10}
        folder = trained / "evaluation" / f"epoch_{epoch:04d}"
        folder.mkdir(parents=True)
        (folder / "fid_mnist_cnn.json").write_text(json.dumps(result))
        Image.new("L", (4, 4), 10 * epoch).save(trained / "samples" / f"epoch_{epoch:04d}.png")
    final = {"value": 5.0, "iteration": 9, "checkpoint": "best", "count": 10, "by_class": [{"class": 3, "share": 0.5}]}
    (trained / "evaluation" / "fid_mnist_cnn.json").write_text(json.dumps(final))
    frames = [Image.new("L", (4, 4), grey) for grey in (0, 128, 255)]
    frames[0].save(trained / "samples" / "walk.gif", save_all=True, append_images=frames[1:])
    frames[1].save(trained / "samples" / "walk.png")
    return trained


def wandb_node(**changes: Any) -> dict[str, Any]:
    node = OmegaConf.to_container(OmegaConf.load(config_dir() / "logger" / "wandb.yaml").wandb)
    assert isinstance(node, dict)
    return {"wandb": {**node, **changes}}


def test_passes_are_a_curve_and_a_walk_moves(image_run: Path, offline: Path, wandb_runs) -> None:
    mirror_results(image_run, wandb_node())
    (run,) = wandb_runs(image_run)
    assert run.series("evaluation/fid_mnist_cnn") == [(6, 9.0), (9, 5.0), (12, 4.0)]
    assert run.summary["evaluation/fid_mnist_cnn"] == 5.0, "of the best weights, though a pass was logged after them"
    ((_, grids),) = run.series("samples/passes")
    assert grids["captions"] == ["epoch_0001", "epoch_0002"]
    ((_, still),) = run.series("samples/walk")
    assert np.array_equal(pixels(run.folder / "files" / still["filenames"][0]), pixels(image_run / "samples/walk.png"))
    ((_, moving),) = run.series("samples/walk_animation")
    assert moving["captions"] == ["walk.gif"]
    assert run.file(moving["videos"][0]).read_bytes() == (image_run / "samples" / "walk.gif").read_bytes()
    assert run.table(run.series("evaluation/fid_mnist_cnn/by_class")[0][1])["data"] == [[3, 0.5]]


def test_what_a_study_reads_of_a_run_is_in_its_row(image_run: Path, offline: Path, wandb_runs) -> None:
    definition = {
        "quantities": {
            "fid": {"from": "fid_mnist_cnn"},
            "final_loss": {"logged": "train/loss", "take": "last"},
            "images": {"from": "fid_mnist_cnn.count"},
            "by_class": {"from": "fid_mnist_cnn.share", "each": "by_class.class"},
            "absent": {"from": "recall"},
        }
    }
    mirror_results(image_run, wandb_node(), definition)
    summary = wandb_runs(image_run)[0].summary
    losses = read_run(image_run).metrics["train/loss"][1]
    read = {name: value for name, value in summary.items() if name.startswith("quantity/")}
    assert read == {"quantity/fid": 5.0, "quantity/final_loss": losses[-1], "quantity/images": 10}


def test_tensorboard_gets_results_too(genlab, image_run: Path, place: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert genlab("evaluate", f"run={image_run}", "only=[bits_per_char]", "logger=tensorboard").code == 0
    events = EventAccumulator(str(image_run / "tensorboard"))
    events.Reload()
    fids = [(event.step, event.value) for event in events.Scalars("evaluation/fid_mnist_cnn")]
    assert fids == [(6, 9.0), (9, 5.0), (12, 4.0)]
    assert {"samples/walk", "figures/loss", "samples/passes/epoch_0001"} <= set(events.Tags()["images"])


Made = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def init_options(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What W&B would be begun with for a run of this config."""

    def made(root: dict[str, Any], job_type: str | None = None, **changes: Any) -> list[dict[str, Any]]:
        config = OmegaConf.create({**root, "logger": wandb_node(**changes)})
        return [logger._wandb_init for logger in make_loggers(config, job_type)]  # type: ignore[attr-defined]

    return made


@pytest.mark.parametrize(
    ("root", "tags"),
    [
        ({"name": "dcgan"}, ["dcgan"]),
        ({"name": "dcgan", "study": None, "budget": None}, ["dcgan"]),
        ({"name": "gan_lr", "study": {"experiment": "dcgan"}, "budget": "quick"}, ["dcgan", "gan_lr", "quick"]),
        ({"name": "gan_lr", "budget": "full"}, ["gan_lr", "full"]),
    ],
    ids=str,
)
def test_tags_are_experiment_study_and_budget_where_there_are_any(root: dict, tags: list[str], init_options) -> None:
    (options,) = init_options({**root, "run_dir": "runs/a/lr=1,seed=0"})
    assert (options["tags"], options["group"], options["name"]) == (tags, root["name"], "lr=1,seed=0")
    assert (options["job_type"], options["dir"]) == ("train", str(Path("runs/a/lr=1,seed=0").absolute()))


def test_what_was_said_in_the_config_stands(init_options) -> None:
    root = {"name": "dcgan", "run_dir": "x/" + "y" * 200}
    (options,) = init_options(root, "evaluate", name="mine", tags=["a", "b", "a"], group="ours")
    assert (options["name"], options["tags"], options["group"]) == ("mine", ["a", "b"], "ours")
    assert options["job_type"] == "evaluate"
    assert init_options(root)[0]["name"] == "y" * 128, "W&B takes no longer one"
