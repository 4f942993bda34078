"""Every config file, by glob: it composes, what it names can be made, and what it monitors is logged."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from genlab.classifier.nets import LeNet
from genlab.run.config_files import config_dir, experiments
from genlab.run.config_values import refuse_values
from genlab.run.fit import make_module

DIGITS = {"dataset": "digits", "batch_size": 4, "val_size": 20}

SMALL = {
    "genlab.classifier.data.ClassifierDataModule": DIGITS,
    "genlab.dcgan.data.DcganDataModule": DIGITS,
    "genlab.vae.data.VaeDataModule": DIGITS,
    "genlab.char_rnn.data.CharRnnDataModule": {"seq_len": 5, "batch_size": 2, "windows_per_step": 3, "val_streams": 4},
    "genlab.char_rnn.module.CharRnnModule": {"hidden_size": 8, "engine": "torch"},
}
"""What makes a data set or a model small; a class that is not listed is made as its config says."""


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))


def composed(root: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose(root, overrides=list(overrides))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "tiny.txt"
    path.write_text("Harry went down and Ron saw Hermione (again), so Harry said: 'no!'\n" * 20)
    return path


def small(cfg: DictConfig, run_dir: Path, text: Path) -> DictConfig:
    """``cfg`` cut down to a few iterations on a tiny text."""
    cfg.run_dir = str(run_dir)
    for part in (cfg.data, cfg.model):
        part.update(SMALL.get(part._target_, {}))
    if "text" in cfg.data:
        cfg.data.text = str(text)
    cfg.trainer.update(max_steps=6, max_epochs=-1, val_check_interval=2, accelerator="cpu")
    cfg.trainer.check_val_every_n_epoch = None
    OmegaConf.resolve(cfg)
    return cfg


def train(cfg: DictConfig) -> pl.Trainer:
    data = instantiate(cfg.data)
    module = make_module(cfg, data, LeNet().requires_grad_(False))
    callbacks = [instantiate(callback) for callback in cfg.callbacks.values()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on workers, and of libraries that it imports
        trainer: pl.Trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=False)
        trainer.fit(module, data)
    return trainer


@pytest.mark.parametrize("experiment", experiments())
def test_every_experiment_trains_and_logs_what_it_monitors(experiment: str, tmp_path: Path, text: Path) -> None:
    cfg = small(composed("train", f"experiment={experiment}"), tmp_path, text)
    assert cfg.name == experiment, "runs of an experiment go to a folder of its name"
    refuse_values(cfg)
    trainer = train(cfg)
    assert trainer.global_step == 6
    assert cfg.monitor is None or cfg.monitor in trainer.callback_metrics
    assert any(name.startswith("val/") for name in trainer.callback_metrics)
    assert (tmp_path / "checkpoints" / "best.ckpt").is_file()
    for evaluator in cfg.evaluators.values():
        instantiate(evaluator)


@pytest.mark.parametrize("experiment", experiments())
def test_every_experiment_has_its_line_in_the_help_and_its_command(experiment: str) -> None:
    assert experiments()[experiment]
    text = (config_dir() / "experiment" / f"{experiment}.yaml").read_text()
    assert text.startswith("# @package _global_\n# ")
    assert f"# genlab train experiment={experiment}" in text


@pytest.mark.parametrize("optimizer", options("optimizer"))
def test_every_optimizer_trains(optimizer: str, tmp_path: Path, text: Path) -> None:
    cfg = small(composed("train", f"optimizer={optimizer}"), tmp_path, text)
    refuse_values(cfg)
    assert train(cfg).global_step == 6


def _others(group: str) -> list[str]:
    return [name for name in options(group) if name != "csv"]


@pytest.mark.parametrize("logger", options("logger"))
def test_every_logger_is_made_and_stands_beside_metrics_csv(logger: str, tmp_path: Path, text: Path) -> None:
    cfg = small(composed("train", f"logger={logger}"), tmp_path, text)
    made: dict[Any, Any] = {name: instantiate(config) for name, config in cfg.logger.items()}
    assert {"csv", logger} == set(made)


@pytest.mark.parametrize("model", options("model"))
def test_a_model_and_its_config_have_the_same_fields(model: str) -> None:
    """A default that stands in the class alone cannot be seen with --cfg job, nor be overridden without a plus."""
    import inspect

    from hydra.utils import get_object

    config = OmegaConf.load(config_dir() / "model" / f"{model}.yaml")
    assert isinstance(config, DictConfig)
    parameters = set(inspect.signature(get_object(config._target_)).parameters)
    fields = {str(key) for key in config if key != "_target_"}
    assert fields <= parameters
    with_default = {
        name
        for name, parameter in inspect.signature(get_object(config._target_)).parameters.items()
        if parameter.default is not parameter.empty
    }
    # The datamodule hands these in.
    facts = {"symbols", "prompts", "windows_per_pass", "image_shape", "num_classes", "iterations_per_pass"}
    assert with_default - facts <= fields


@pytest.mark.parametrize("data", options("data"))
def test_a_datamodule_and_its_config_have_the_same_fields(data: str) -> None:
    import inspect

    from hydra.utils import get_object

    config = composed("train", f"data={data}").data
    parameters = inspect.signature(get_object(config._target_)).parameters
    handed_in = {"processes"}  # by the run, from trainer.devices
    assert {str(key) for key in config} - {"_target_"} == set(parameters) - handed_in


@pytest.mark.parametrize("data", options("data"))
def test_every_data_config_can_be_composed(data: str) -> None:
    assert composed("train", f"data={data}").data._target_.startswith("genlab.")


@pytest.mark.parametrize("evaluators", options("evaluators"))
def test_every_evaluator_is_made_with_the_seed_of_the_command(evaluators: str) -> None:
    cfg = composed("evaluate", f"evaluators={evaluators}", "run=x", "seed=7")
    for config in cfg.evaluators.values():
        evaluator = instantiate(config)
        assert getattr(evaluator, "seed", 7) == 7


@pytest.mark.parametrize("path", sorted(config_dir().glob("*.yaml")), ids=lambda path: path.stem)
def test_every_root_composes_and_belongs_to_a_verb(path: Path) -> None:
    from genlab.run.cli import VERBS

    assert path.stem in VERBS
    assert composed(path.stem)
