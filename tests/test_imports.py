"""The import law, held by walking the syntax of every module: who may know what.

Rooms are the folders of ``src/genlab``; a new room that is not among the shared ones is a model's.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import genlab
from genlab.run.config_files import config_dir

SOURCE = Path(genlab.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
SHARED = {"baselines", "benchmarks", "datasets", "evaluation", "reporting", "run", "studies", "torture"}
ROOMS = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file()} - SHARED
LAYERS = {"channels_last", "dropout", "transposed_convolution"}  # of torch alone, for the networks of every room
HYDRA = {"hydra", "omegaconf"}
LIGHTNING = {"pytorch_lightning", "lightning", "lightning_fabric"}
LOGGERS = ("wandb", "wandb_workspaces", "WandbLogger", "TensorBoardLogger", "tensorboard", "CSVLogger")
# Reports are made through W&B's own library: docs/adr/0007 says why this module may know it, and no other.
KNOWS_WANDB = SOURCE / "run" / "wandb_reports.py"


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def third_party(path: Path) -> set[str]:
    return tops(path) - set(sys.stdlib_module_names) - {"genlab"}


def own_rooms(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("genlab.")}


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0]


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def in_model_room(*stems: str) -> list[Path]:
    return [path for path in MODULES if room(path) in ROOMS and path.stem in stems]


def test_there_is_something_to_walk() -> None:
    assert "char_rnn" in ROOMS
    assert len(MODULES) > 20
    assert in_model_room("cell") and in_model_room("nets") and in_model_room("module")  # noqa: PT018


@pytest.mark.parametrize("path", in_model_room("cell", "nets", "losses"), ids=named)
def test_mathematics_knows_torch_and_nothing_of_lightning(path: Path) -> None:
    assert third_party(path) <= {"torch", "numpy"}
    mathematics = {"cell", "nets", "losses"}
    for name in imports(path):
        if name.startswith("genlab.") and name.split(".")[1] not in {"checks", *LAYERS}:
            assert name.split(".")[1] == room(path)
            assert name.split(".")[2] in mathematics


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layers_for_every_room_know_torch_alone(name: str) -> None:
    path = SOURCE / f"{name}.py"
    assert third_party(path) == {"torch"}
    assert not own_rooms(path)


@pytest.mark.parametrize(
    "path", [path for path in MODULES if room(path) in ROOMS and path.stem.startswith("numpy_")], ids=named
)
def test_the_numpy_twin_knows_numpy_alone(path: Path) -> None:
    assert third_party(path) <= {"numpy"}
    for name in imports(path):
        if name.startswith("genlab.") and not name.startswith("genlab.checks"):
            own = name.split(".")[1] == room(path) and name.split(".")[2].startswith(("numpy_", "text"))
            assert own or (path.stem != "numpy_twin" and name.split(".")[1] == "datasets")


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) in ROOMS], ids=named)
def test_rooms_know_neither_each_other_nor_the_commands(path: Path) -> None:
    assert own_rooms(path).isdisjoint((ROOMS - {room(path)}) | {"run", "reporting", "studies"})


@pytest.mark.parametrize(
    "path", [path for path in MODULES if room(path) in {"evaluation", "baselines", "datasets"}], ids=named
)
def test_evaluation_knows_protocols_and_no_model(path: Path) -> None:
    assert own_rooms(path).isdisjoint(ROOMS | {"run"})


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) == "reporting"], ids=named)
def test_reporting_reads_files_and_needs_no_torch(path: Path) -> None:
    assert tops(path).isdisjoint({"torch", *LIGHTNING})
    assert own_rooms(path) <= {"reporting", "studies", "checks", "whole_file"}


@pytest.mark.parametrize("path", [path for path in MODULES if room(path) not in {"run"}], ids=named)
def test_only_the_commands_know_hydra(path: Path) -> None:
    assert tops(path).isdisjoint(HYDRA)


@pytest.mark.parametrize("path", [path for path in MODULES if path != KNOWS_WANDB], ids=named)
def test_only_configs_name_loggers(path: Path) -> None:
    code = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(code) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(code) if isinstance(node, ast.Attribute)}
    assert names.isdisjoint(LOGGERS)
    assert tops(path).isdisjoint(LOGGERS)


def test_what_knows_wandb_is_imported_by_the_one_command_that_asks_for_it() -> None:
    assert {"wandb", "wandb_workspaces"} <= tops(KNOWS_WANDB)
    users = [path for path in MODULES if any(name.startswith("genlab.run.wandb_reports") for name in imports(path))]
    assert [named(path) for path in users] == ["run/dashboard.py"]
    assert loaded_by("import genlab.run.dashboard").isdisjoint({"wandb", "wandb_workspaces"})


def test_only_the_logger_group_names_loggers_among_configs() -> None:
    for path in config_dir().rglob("*.yaml"):
        targets = [line for line in path.read_text().splitlines() if "_target_" in line]
        if path.parent.name != "logger":
            assert not any(name in line for line in targets for name in LOGGERS), path


def test_no_module_does_work_at_import() -> None:
    """Nothing but definitions, constants and imports at the top of a module; ``__main__`` is there to run."""
    allowed = (
        ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign | ast.Try | ast.If
    )
    for path in MODULES:
        if path.stem == "__main__":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert docstring or isinstance(node, allowed), f"{path}: line {node.lineno}"


def loaded_by(code: str) -> set[str]:
    """The top-level modules that are loaded after ``code`` ran in a fresh interpreter."""
    script = f"import sys\n{code}\nprint('LOADED', *sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_help_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "hydra", "matplotlib", "numba", "wandb", *LIGHTNING}
    assert loaded_by("from genlab.run.cli import main; main(['--help']); main(['train', '--help'])").isdisjoint(heavy)


def test_a_mistyped_key_and_a_finished_run_are_answered_without_torch(tmp_path: Path) -> None:
    heavy = {"torch", "matplotlib", "numba", "wandb", *LIGHTNING}
    call = "from genlab.run.cli import main; assert main({}) == {}"
    assert loaded_by(call.format(["train", "model.hiden_size=3"], 2)).isdisjoint(heavy)
    assert loaded_by(call.format(["train", "optimizer.lr=-1"], 2)).isdisjoint(heavy)
    (tmp_path / "status.json").write_text('{"state": "done", "iterations": 7}')
    compose = (
        "from hydra import compose, initialize_config_dir; from omegaconf import OmegaConf\n"
        f"with initialize_config_dir({str(config_dir())!r}, version_base='1.3'): cfg = compose('train', "
        f"overrides=['run_dir={tmp_path}', 'trainer.max_steps=7'])\n"
        "import os; cfg.data.root = os.path.abspath(cfg.data.root); OmegaConf.resolve(cfg)\n"
        f"OmegaConf.save(cfg, {str(tmp_path / 'config.yaml')!r})\n"
    )
    finished = call.format(["train", f"run_dir={tmp_path}", "trainer.max_steps=7"], 0)
    assert loaded_by(compose + finished).isdisjoint(heavy)


def test_config_files_are_yaml_with_their_purpose_on_top() -> None:
    for path in config_dir().rglob("*.yaml"):
        assert yaml.safe_load(path.read_text()) is not None
