"""What holds for every measure of images: its config, its result, its settings, its independence of chunks."""

import ast
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

import genlab.evaluation
from genlab.evaluation import class_spread, image_data, memorisation, neighbourhoods

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "evaluators"
SOURCE = Path(genlab.evaluation.__path__[0])


def listed(model: str) -> list[str]:
    return list(OmegaConf.load(CONFIGS / f"{model}.yaml").defaults)


CLASSIFIER = listed("classifier")
STEERED = [name for name in listed("dcgan_control") if name != "dcgan"]
WITNESSED = [name for name in listed("dcgan_witnessed") if name != "dcgan"]
NAMES = [*listed("vae"), *STEERED, *WITNESSED, *CLASSIFIER]
NO_JUDGE = {"memorisation", "elbo", "iw_bound", "active_units", "reconstruction", *CLASSIFIER}
SMALL = {"count": 60, "styles": 6, "k": 4, "subsets": 5, "points": 3, "steps": 4}


def evaluator(name: str, **changes: Any) -> Any:
    config = OmegaConf.merge({"seed": 3}, OmegaConf.load(CONFIGS / f"{name}.yaml"))
    OmegaConf.update(config, name, changes)
    return instantiate(OmegaConf.select(config, name))


def small(name: str) -> Any:
    made = evaluator(name)
    fields = {field.name for field in dataclasses.fields(made)}
    return dataclasses.replace(made, **{key: value for key, value in SMALL.items() if key in fields})


def subject(name: str, fakes: SimpleNamespace) -> Any:
    """A classifier for its measures, a model with labels for theirs, else an autoencoder, a generator too."""
    if name in STEERED:
        return fakes.Steered(stands_for=(0, 1, 2, 2), width=0.3)
    return fakes.LinearJudge() if name in CLASSIFIER else fakes.LinearGaussian(latent_dim=3, widen=1.3)


def same(ours: Any, theirs: Any) -> bool:
    """Equal but for the rounding of floats."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == (pytest.approx(theirs, rel=1e-5, abs=1e-7) if isinstance(theirs, float) else theirs))


def test_every_measure_of_images_is_in_the_list_of_its_model() -> None:
    configured = {path.stem for path in CONFIGS.glob("*.yaml") if (SOURCE / f"{path.stem}.py").is_file()}
    of_images = {name for name in configured if "ImageData" in (SOURCE / f"{name}.py").read_text(encoding="utf-8")}
    assert sorted(NAMES) == sorted(of_images)
    assert set(listed("dcgan")) == set(listed("vae")) - {"elbo", "iw_bound", "active_units", "reconstruction"}
    assert configured == of_images | set(listed("char_rnn")), "a measure is of texts or of images"


@pytest.mark.parametrize("name", NAMES)
def test_the_config_sets_every_field_to_its_default(name: str) -> None:
    made = evaluator(name)
    defaults = type(made)()
    if hasattr(defaults, "seed"):
        defaults = dataclasses.replace(defaults, seed=3)
    config = OmegaConf.select(OmegaConf.load(CONFIGS / f"{name}.yaml"), name)
    assert made == defaults
    assert set(config) - {"_target_"} == {field.name for field in dataclasses.fields(made)}
    assert made.name == name
    assert (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_every_result_is_json_with_the_agreed_keys(fakes: SimpleNamespace, name: str) -> None:
    result = small(name)(subject(name, fakes), fakes.image_data())
    assert json.loads(json.dumps(result, allow_nan=False)) == result, "stored, it must come back the same"
    assert {"value", "unit", "count", "seed"} <= set(result)
    assert isinstance(result["value"], int | float)
    assert isinstance(result["unit"], str)
    assert isinstance(result["count"], int)
    assert result["count"] > 0
    assert (result["seed"] == 3) == hasattr(evaluator(name), "seed")
    assert ("judge_sha256" in result) == (name not in NO_JUDGE)
    assert result.get("judge_sha256", "1234") == "1234"
    if name in listed("dcgan"):
        assert isinstance(result["floor"]["value"], float)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_judge_is_named_where_one_is_needed(fakes: SimpleNamespace, name: str) -> None:
    data = dataclasses.replace(fakes.image_data(), judge=None, judge_sha256=None)
    if name in NO_JUDGE:
        assert small(name)(subject(name, fakes), data)["value"] is not None
    else:
        with pytest.raises(ValueError, match=r"^`judge` must be a classifier's run; got None \(judge\)$"):
            small(name)(subject(name, fakes), data)


@pytest.mark.parametrize("name", NAMES)
def test_chunks_do_not_matter(fakes: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    expected = small(name)(subject(name, fakes), fakes.image_data())
    monkeypatch.setattr(image_data, "CHUNK", 7)
    monkeypatch.setattr(memorisation, "ROWS", 7)
    monkeypatch.setattr(memorisation, "COLUMNS", 11)
    monkeypatch.setattr(neighbourhoods, "ROWS", 7)
    monkeypatch.setattr(class_spread, "ROWS", 7)
    assert same(small(name)(subject(name, fakes), fakes.image_data()), expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_figures_and_another_seed_others(fakes: SimpleNamespace, name: str) -> None:
    model, measure = subject(name, fakes), small(name)
    result = measure(model, fakes.image_data())
    assert measure(model, fakes.image_data()) == result
    if hasattr(measure, "seed") and name not in {
        "precision",
        "recall",
        "coverage",
        "density",
        "memorisation",
        "judge_agreement",
    }:
        other = dataclasses.replace(measure, seed=4)(model, fakes.image_data())
        assert {**other, "seed": 3} != result


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(evaluator(name), "count")])
def test_counts_are_what_was_looked_at(fakes: SimpleNamespace, name: str) -> None:
    """A data set with fewer images than asked for is used whole, and the result says so."""
    data = fakes.image_data(train=50, val=20, test=30)
    result = small(name)(subject(name, fakes), data)
    limits = {
        "fid_mnist_cnn": 60,
        "class_histogram": 60,
        "judge_confidence": 60,
        "memorisation": 60,
        "iw_bound": 30,
        **dict.fromkeys(STEERED + WITNESSED, 60),
    }
    assert result["count"] == limits.get(name, 50)


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(evaluator(name), "count")])
@pytest.mark.parametrize(("field", "value"), [("count", 1), ("count", 2.5), ("count", True), ("seed", -1)])
def test_settings_out_of_range_are_refused_in_one_line(name: str, field: str, value: object) -> None:
    made = evaluator(name)
    with pytest.raises(ValueError, match=rf"`{field}` must .*\(evaluators.{name}.{field}\)") as error:
        dataclasses.replace(made, **{field: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "field", "value", "rule"),
    [
        ("density", "k", 0, "be an integer >= 1"),
        ("style_spread", "styles", 1, "be an integer >= 2"),
    ],
)
def test_a_setting_of_its_own_is_refused_by_its_name(name: str, field: str, value: object, rule: str) -> None:
    with pytest.raises(ValueError, match=rf"^`{field}` must {rule}; got {value} \(evaluators.{name}.{field}\)$"):
        dataclasses.replace(evaluator(name), **{field: value})


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("density", "of what real images have"),
        ("recall", "share of real images"),
        ("path_length", "feature distance"),
    ],
)
def test_the_unit_is_told(fakes: SimpleNamespace, name: str, unit: str) -> None:
    assert small(name)(subject(name, fakes), fakes.image_data())["unit"] == unit


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluator_is_frozen(name: str) -> None:
    made = evaluator(name)
    fields = dataclasses.fields(made)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, fields[0].name if fields else "anything", 1)
    assert made == evaluator(name)
    assert hash(made) == hash(evaluator(name))


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*.py")), ids=lambda path: path.stem)
def test_measures_need_no_model_code(path: Path) -> None:
    imported = [
        node.module or ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    ]
    allowed = ("genlab.evaluation", "genlab.checks", "genlab.baselines", "genlab.datasets.image_batches")
    assert [m for m in imported if m.startswith("genlab") and not m.startswith(allowed)] == []
