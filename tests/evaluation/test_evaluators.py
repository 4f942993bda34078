"""What holds for every measure of text: its config, its result, its imports."""

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

import genlab.evaluation
from genlab.evaluation.protocols import TextData

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "evaluators"
NAMES: list[str] = list(OmegaConf.load(CONFIGS / "char_rnn.yaml").defaults)
DATA = TextData(train="The cat sat on the mat. " * 9, held_out="The dog sat on it. " * 9, prompts=("Th", "ma"))
TEXTS = ["", "a", "!?", "the cat", "The cat sat on the mat and the mat, the mat."]


def evaluator(name: str, **changes: Any) -> Any:
    config = OmegaConf.merge({"seed": 3}, OmegaConf.load(CONFIGS / f"{name}.yaml"))
    OmegaConf.update(config, name, changes)
    return instantiate(OmegaConf.select(config, name))


def test_the_list_has_every_text_measure() -> None:
    assert sorted(NAMES) == sorted(path.stem for path in CONFIGS.glob("*.yaml") if in_text_room(path))


def in_text_room(path: Path) -> bool:
    """Whether the file configures one measure of text (other rooms may add theirs beside them)."""
    source = Path(genlab.evaluation.__path__[0]) / f"{path.stem}.py"
    return source.is_file() and "TextModel" in source.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_config_sets_every_field_to_its_default(name: str) -> None:
    made = evaluator(name)
    defaults = type(made)()
    if hasattr(defaults, "seed"):
        defaults = dataclasses.replace(defaults, seed=3)
    config = OmegaConf.select(OmegaConf.load(CONFIGS / f"{name}.yaml"), name)
    assert made == defaults
    assert set(config) - {"_target_"} == {field.name for field in dataclasses.fields(made)}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("data", [DATA, TextData(train="", held_out="")], ids=["data", "no data"])
def test_every_result_is_json_with_the_agreed_keys(fake_model: Any, name: str, text: str, data: TextData) -> None:
    changes = {"temperatures": [0.5, 1.5]} if hasattr(evaluator(name), "temperatures") else {}
    result = evaluator(name, **changes)(fake_model(says=lambda *_: text), data)
    assert json.loads(json.dumps(result, allow_nan=False)) == result, "stored, it must come back the same"
    assert {"value", "unit", "count", "seed"} <= set(result)
    assert result["value"] is None or isinstance(result["value"], int | float)
    assert isinstance(result["unit"], str)
    assert isinstance(result["count"], int)
    assert (result["seed"] == 3) == hasattr(evaluator(name), "seed")
    if changes:
        assert [figure["temperature"] for figure in result["by_temperature"]] == [0.5, 1.5]
        assert all("value" in figure for figure in result["by_temperature"])


@pytest.mark.parametrize("name", NAMES)
def test_an_evaluator_is_frozen(name: str) -> None:
    made = evaluator(name)
    field = dataclasses.fields(made)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, field, 1)
    assert made == evaluator(name)


@pytest.mark.parametrize("name", NAMES)
def test_text_measures_need_no_model_code(name: str) -> None:
    source = Path(genlab.evaluation.__path__[0]) / f"{name}.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    imported = [
        module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    ]
    allowed = ("genlab.evaluation", "genlab.checks", "genlab.baselines")
    assert [m for m in imported if m.startswith("genlab") and not m.startswith(allowed)] == []
    assert not {"torch", "pytorch_lightning", "hydra", "omegaconf"} & {m.split(".")[0] for m in imported}
