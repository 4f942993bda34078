"""Which classifier judges: the one that is named, or the nearest finished one of the same data."""

import json
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from genlab.classifier.module import ClassifierModule
from genlab.evaluation.image_data import ImageData, LabelledImages
from genlab.run import evaluate
from genlab.run.bench import Bench
from genlab.run.judge import load_judge, load_reader, reader_of

DATA, OTHER_DATA = "ab" * 32, "cd" * 32

MakeRun = Callable[..., Path]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    torch.manual_seed(0)
    module = ClassifierModule(partial(torch.optim.AdamW, lr=1e-3), embedding_dim=4)
    content: dict[str, Any] = {"state_dict": module.state_dict(), "global_step": 7}
    module.on_save_checkpoint(content)
    path = tmp_path_factory.mktemp("judge") / "best.ckpt"
    torch.save(content, path)
    return path.read_bytes()


@pytest.fixture
def make_run(place: Path, checkpoint: bytes) -> MakeRun:
    """A classifier's run folder as it is after training."""

    def make(name: str, ended: str = "2026-01-01T00:00:00+00:00", state: str = "done", data: str = DATA) -> Path:
        folder = place / name
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "checkpoints" / "best.ckpt").write_bytes(checkpoint)
        model = {"_target_": "genlab.classifier.module.ClassifierModule", "embedding_dim": 4}
        optimizer = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 1e-3}
        config = {
            "model": model,
            "optimizer": optimizer,
            "data": {"_target_": "genlab.classifier.data.ClassifierDataModule"},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "provenance.json").write_text(json.dumps({"data": {"sha256": data}}))
        (folder / "status.json").write_text(json.dumps({"state": state, "iterations": 7, "ended": ended}))
        return folder

    return make


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content) if path.suffix == ".yaml" else json.dumps(content))


# --- one that is named -------------------------------------------------------------------------------------------


def test_a_named_classifier_judges(make_run: MakeRun, place: Path, checkpoint: bytes) -> None:
    make_run("named")
    make_run("runs/nearer", ended="2030-01-01")
    judge = load_judge("named", place / "runs" / "gan", DATA)
    assert judge is not None
    assert judge.folder == Path("named")
    assert judge.sha256 == sha256(checkpoint).hexdigest()
    assert judge.module.num_classes == 10
    assert judge.module.embed(torch.rand(3, 1, 28, 28)).shape == (3, 4)


def test_one_that_has_not_finished_may_be_named(make_run: MakeRun, place: Path) -> None:
    make_run("named", state="interrupted")
    assert load_judge("named", place / "gan", DATA) is not None


def to_vae(content: dict[str, Any]) -> None:
    content["model"]["_target_"] = "genlab.vae.module.VaeModule"


@pytest.mark.parametrize(
    ("name", "file", "change", "says"),
    [
        ("absent", None, None, "be a run's folder with a readable config.yaml; got 'absent'"),
        ("run", "config.yaml", to_vae, "be the run of a classifier; got 'run'"),
        ("run", "config.yaml", lambda c: c.pop("model"), "be a run's folder, with a run's config.yaml; got 'run'"),
        ("run", "provenance.json", lambda c: c["data"].update(sha256=OTHER_DATA), f"'run, trained on {OTHER_DATA}'"),
        ("run", "provenance.json", lambda c: c.clear(), "be a run's folder with a readable provenance.json"),
    ],
    ids=["absent", "a vae", "no model", "other data", "no data"],
)
def test_what_cannot_judge_is_refused_in_one_line(
    make_run: MakeRun, place: Path, name: str, file: str | None, change: Callable[[Any], None], says: str
) -> None:
    folder = make_run("run")
    if file is not None:
        edit(folder / file, change)
    with pytest.raises(ValueError, match=r"^`judge` must .* \(judge\)$") as error:
        load_judge(name, place / "gan", DATA)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_record_that_is_damaged_or_gone_is_refused(make_run: MakeRun, place: Path) -> None:
    file = make_run("run") / "provenance.json"
    file.write_text("{")
    with pytest.raises(ValueError, match=r"^`judge` must .* readable provenance\.json; got 'run' \(judge\)$"):
        load_judge("run", place / "gan", DATA)
    file.unlink()
    with pytest.raises(ValueError, match=r"^`judge` must have been trained on .*'run, trained on None' \(judge\)$"):
        load_judge("run", place / "gan", DATA)


def test_a_checkpoint_that_is_gone_is_named(make_run: MakeRun, place: Path) -> None:
    (make_run("run") / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(ValueError, match=r"^`checkpoint` must be there; got 'best', but run/checkpoints/best\.ckpt"):
        load_judge("run", place / "gan", DATA)


# --- the nearest -------------------------------------------------------------------------------------------------


def found(place: Path, run: str = "demo/gan") -> Path | None:
    judge = load_judge(None, place / run, DATA)
    return None if judge is None else judge.folder.absolute().relative_to(place)


def test_there_may_be_none(place: Path) -> None:
    assert found(place) is None


def test_one_beside_the_run_comes_before_a_newer_one_elsewhere(make_run: MakeRun, place: Path) -> None:
    make_run("demo/classifier", ended="2026-01-01")
    make_run("runs/classifier/later", ended="2026-06-01")
    assert found(place) == Path("demo/classifier")
    assert found(place, "elsewhere/gan") == Path("runs/classifier/later")


def test_of_several_the_one_that_ended_last_is_taken(make_run: MakeRun, place: Path) -> None:
    for name, ended in (("b", "2026-02-01"), ("c", "2026-03-01"), ("a", "2026-01-01")):
        make_run(f"demo/{name}", ended=ended)
        make_run(f"runs/x/y/{name}", ended=ended)
    assert found(place) == Path("demo/c")
    assert found(place, "elsewhere/gan") == Path("runs/x/y/c")


def test_genlab_runs_says_where_else_to_look(make_run: MakeRun, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run("here/classifier/one")
    assert found(place) is None
    monkeypatch.setenv("GENLAB_RUNS", str(place / "here"))
    assert found(place) == Path("here/classifier/one")


@pytest.mark.parametrize("where", ["demo/other", "runs/other"])
@pytest.mark.parametrize(
    "why", ["unfinished", "other data", "a vae", "damaged status", "no config", "a list", "no data"]
)
def test_what_cannot_judge_is_passed_over(make_run: MakeRun, place: Path, why: str, where: str) -> None:
    folder = make_run(
        where,
        ended="2030-01-01",
        state="failed" if why == "unfinished" else "done",
        data=OTHER_DATA if why == "other data" else DATA,
    )
    if why == "a vae":
        edit(folder / "config.yaml", to_vae)
    elif why == "damaged status":
        (folder / "status.json").write_text("{")
    elif why == "no config":
        (folder / "config.yaml").unlink()
    elif why == "a list":
        (folder / "status.json").write_text("[]")
    elif why == "no data":
        (folder / "provenance.json").write_text("[]")
    assert found(place) is None
    make_run("runs/good", ended="2026-01-01")
    assert found(place) == Path("runs/good")


# --- one that helps to train -------------------------------------------------------------------------------------


def teach(folder: Path, checkpoint: bytes) -> Path:
    """A generator's run that was trained with the classifier of ``checkpoint``."""
    folder.mkdir(parents=True)
    reader = {"run": "somewhere", "checkpoint_sha256": sha256(checkpoint).hexdigest()}
    (folder / "provenance.json").write_text(json.dumps({"data": {"sha256": DATA}, "reader": reader}))
    return folder


def test_who_has_taught_does_not_judge(make_run: MakeRun, place: Path, checkpoint: bytes) -> None:
    run = teach(place / "runs" / "gan", checkpoint)
    teacher = make_run("runs/classifier")
    assert reader_of(run) == sha256(checkpoint).hexdigest()
    with pytest.raises(ValueError, match=r"^`judge` must be another classifier than .*; got .* \(judge\)$"):
        load_judge(str(teacher), run, DATA)
    assert load_judge(None, run, DATA) is None, "the nearest is passed over as well"
    assert load_judge(None, place / "runs" / "another", DATA) is not None


def test_a_reader_is_frozen_and_lets_gradients_through(make_run: MakeRun) -> None:
    assert load_reader(None, DATA) is None
    reader = load_reader(str(make_run("reader")), DATA)
    assert reader is not None
    images = torch.rand(2, 1, 28, 28, requires_grad=True)
    reader.module.net.embed(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0
    assert all(not p.requires_grad and p.grad is None for p in reader.module.parameters())


def test_a_bad_reader_is_refused_under_its_own_name(make_run: MakeRun, place: Path) -> None:
    with pytest.raises(ValueError, match=r"^`reader` must .* \(model\.reader\)$"):
        load_reader(str(place / "nowhere"), DATA)
    with pytest.raises(ValueError, match=r"^`reader` must have been trained on the run's data.* \(model\.reader\)$"):
        load_reader(str(make_run("other", data=OTHER_DATA)), DATA)


# --- two that are to agree ---------------------------------------------------------------------------------------


def hand_in(place: Path, judge: str | None, witness: str | None) -> ImageData:
    """The data of a generator in ``place``, after its classifiers were handed in."""
    none = LabelledImages(torch.zeros(0, 1, 28, 28, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    against = ImageData(none, none, none, 10, "fake")
    against.judge_sha256 = against.witness_sha256 = "of the evaluation before"
    cfg = OmegaConf.create({"judge": judge, "witness": witness})
    generator: Any = SimpleNamespace(folder=place / "runs" / "gan", module=SimpleNamespace(sample=None))
    evaluate._hand_in_judge(cfg, generator, against, DATA, Bench())
    return against


def test_a_judge_is_no_witness_of_itself(make_run: MakeRun, place: Path) -> None:
    """Whether both are named, or the nearest classifier is the witness; with another one nearby it is passed over."""
    make_run("runs/witness", ended="2030-01-01")
    with pytest.raises(ValueError, match=r"^`witness` must be another classifier than the judge; got .* \(witness\)$"):
        hand_in(place, "runs/witness", "runs/witness")
    assert hand_in(place, None, "runs/witness").judge is None
    other = make_run("runs/other") / "checkpoints" / "best.ckpt"
    content = torch.load(other, weights_only=True)
    torch.save({**content, "global_step": 8}, other)
    against = hand_in(place, None, "runs/witness")
    assert against.judge_run == str(place / "runs" / "other")
    assert against.judge_sha256 == sha256(other.read_bytes()).hexdigest() != against.witness_sha256


def test_classifiers_of_the_evaluation_before_are_forgotten(place: Path) -> None:
    against = hand_in(place, None, None)
    assert (against.judge_sha256, against.witness_sha256) == (None, None)
