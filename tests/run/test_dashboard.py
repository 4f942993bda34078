"""Reports and sweeps for W&B: made of what the configs say, of names that runs really log, and without a network."""

import itertools
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from genlab.reporting.judgements import FIGURES
from genlab.reporting.runs import read_metrics
from genlab.run.agent_sweep import sweeps_of, write_sweeps
from genlab.run.config_files import config_dir, studies
from genlab.run.dashboard_plan import COORDINATES, config_key, of_study, outline, varied
from genlab.run.identity import identity
from genlab.run.pictures import KINDS
from genlab.run.study_plan import compose_run, composing, load_definition
from genlab.run.study_words import as_word
from genlab.studies.study import Study, at_budget, read_definition

MODELS = sorted(path.stem for path in (config_dir() / "panels").glob("*.yaml"))

DEFINITION: dict[str, Any] = {
    "question": "What does a fixture do?",
    "experiment": "char_rnn",
    "settings": {"data.corpus": "python_docs", "trainer.max_steps": 5},
    "grid": {"model.hidden_size": [8, 16], "optimizer.lr": [1e-5, 0.1]},
    "seeds": [0, 3],
    "evaluate": {"measures": ["bits_per_char", "valid_words"], "passes": [1]},
    "quantities": {
        "bits": {"from": "bits_per_char", "label": "held-out bits/char", "better": "lower"},
        "words": {"from": "valid_words", "each": "by_temperature.temperature", "label": "valid words"},
        "speed": {"logged": "train/iterations_per_second", "take": "last", "better": "higher"},
    },
    "claims": {"R1": {"statement": "it is near", "all": [{"near": "bits", "low": 0, "high": 9}]}},
}


def a_study(**changes: Any) -> Study:
    return read_definition({**DEFINITION, **changes})


def panels_of(model: str) -> dict[str, Any]:
    content = yaml.safe_load((config_dir() / "panels" / f"{model}.yaml").read_text())
    assert isinstance(content, dict)
    return content


# --- what a report holds -----------------------------------------------------------------------------------------


def test_there_is_a_report_for_every_model() -> None:
    assert sorted(path.stem for path in (config_dir() / "model").glob("*.yaml")) == MODELS


@pytest.mark.parametrize("model", MODELS)
def test_a_report_shows_what_runs_of_the_model_have(model: str, genlab, trained: Path, sixty_four_digits: None) -> None:
    run = trained
    if model != "char_rnn":
        run = trained.parent / "run"
        words = ["data.dataset=digits", "data.batch_size=8", "data.val_size=16", "trainer.log_every_n_steps=1"]
        answer = genlab("train", f"experiment={model}", *words, "trainer.max_epochs=1", f"run_dir={run}")
        assert answer.code == 0, answer
    panels = panels_of(model)
    curves = {key for keys in panels["training"]["curves"].values() for key in keys}
    logged = set(read_metrics(run / "metrics.csv"))
    assert curves <= logged
    monitors = import_module(f"genlab.{model}.module").__dict__[f"{model.title().replace('_', '')}Module"].monitors
    assert {name for name in logged if name.startswith("val/")} == set(monitors), (
        "what may be monitored is what there is"
    )
    losses = {name for name in logged if "loss" in name or "elbo" in name}
    assert losses - curves <= {"train/loss", "val/loss"}, "a VAE's loss is its ELBO, and everything else is shown"
    samples = {f"samples/{name}" for name in (*KINDS, "passes", "walk_strip", "walk_animation")}
    figures = {f"figures/{path.stem}" for path in (run / "figures").glob("*.png")} | {f"figures/{n}" for n in FIGURES}
    for part in ("training", "results"):
        for keys in panels[part].get("pictures", {}).values():
            assert set(keys) <= samples | figures | {"samples"}


def test_a_study_shows_its_settings_against_its_quantities() -> None:
    study = a_study(arms={"plain": {}, "two layers": {"model.num_layers": 2, "optimizer": "sgd"}})
    report = of_study("fixture", "quick", study, [panels_of("char_rnn")])
    assert report.title == "genlab study: fixture (quick)"
    assert report.description == "What does a fixture do?"
    sweep = report.sections[0]
    assert (sweep.text, sweep.runs.job_type) == ("R1: it is near", "evaluate")
    (coordinates,) = (panel for panel in sweep.panels if panel.kind == COORDINATES)
    assert [column.key for column in coordinates.columns] == [
        *("model.hidden_size", "optimizer.lr", "model.num_layers", "optimizer._target_", "seed"),
        *("quantity/bits", "quantity/speed"),
    ]
    assert [column.key for column in coordinates.columns if column.upside_down] == ["quantity/bits"]
    assert sweep.panels[1].keys == ("evaluation/valid_words/by_temperature",)
    for section in report.sections:
        assert (section.runs.groups, section.runs.tags) == (("fixture",), ("quick",))
        seeds_apart = section.runs.job_type == "evaluate"
        assert section.runs.together == (() if seeds_apart else tuple(map(config_key, varied(study))))
    by_pass = next(section for section in report.sections if section.heading == "Measures, pass by pass")
    assert [panel.keys for panel in by_pass.panels] == [("evaluation/bits_per_char",), ("evaluation/valid_words",)]


def test_the_models_of_a_study_share_what_they_have_in_common() -> None:
    report = of_study("both", None, a_study(), [panels_of("dcgan"), panels_of("vae")])
    shown = [panel for section in report.sections for panel in section.panels]
    assert len(set(shown)) == len(shown)
    titles = [panel.title for panel in shown]
    assert "Generator's loss" in titles
    assert "ELBO, nats an image" in titles
    assert report.sections[0].runs.tags == ()


def test_settings_are_found_in_the_config_under_their_key(tmp_path: Path) -> None:
    with composing():
        cfg = compose_run(["optimizer=sgd", "model.hidden_size=8"])
    values = {key: OmegaConf.select(cfg, config_key(key)) for key in ("optimizer", "model.hidden_size", "experiment")}
    assert values == {
        "optimizer": "torch.optim.SGD",
        "model.hidden_size": 8,
        "experiment": "genlab.char_rnn.module.CharRnnModule",
    }


def test_the_command_shows_every_report_and_makes_none(genlab, place: Path) -> None:
    answer = genlab("dashboard")
    assert (answer.code, answer.err) == (0, "")
    for title in [*(f"genlab: {model}" for model in MODELS), *(f"genlab study: {study}" for study in studies())]:
        assert title in answer.out.splitlines()
    assert f"{len(MODELS) + len(studies())} reports of W&B's project genlab, not made: add create=true" in answer.out
    assert not list(place.iterdir())


def test_the_command_shows_the_report_that_is_asked_for(genlab) -> None:
    answer = genlab("dashboard", "study=rnn_capacity", "budget=smoke", "project=mine")
    assert answer.out.startswith("genlab study: rnn_capacity (smoke)\n")
    assert "runs of group rnn_capacity, job type train, tag smoke; one line for each" in answer.out
    assert answer.out.endswith("\n1 report of W&B's project mine, not made: add create=true\n")
    models = genlab("dashboard", "panels=vae")
    assert models.out.startswith("genlab: vae\n")
    assert "study:" not in models.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["study=rnn_capacty"], "study=rnn_capacty: no such option; did you mean rnn_capacity?"),
        (["study=rnn_capacity", "budget=ful"], "did you mean full?)"),
        (["panels=gan"], "panels=gan: no such option"),
        (["create=yess"], "`create` must be true or false; got 'yess' (create)"),
        (["sweep=x.yaml"], "`study` must be given with sweep=FILE; got None (study)"),
        (["study=rnn_lr", "sweep=x.json"], "`sweep` must end in .yaml; got 'x.json' (sweep)"),
        (["study=rnn_lr", "sweep=/proc/x.yaml"], "`sweep` must be a file that can be written"),
    ],
    ids=str,
)
def test_what_is_wrong_is_one_line(words: list[str], said: str, genlab) -> None:
    answer = genlab("dashboard", *words)
    assert answer.code == 2
    assert answer.err.startswith("genlab dashboard: ")
    assert said in answer.err
    assert answer.err.count("\n") == 1


# --- in W&B ------------------------------------------------------------------------------------------------------


class Service:
    """What W&B's library asks of its service: the reports that are there, and a place for those that are saved."""

    app_url = "https://wandb.test/"

    def __init__(self) -> None:
        self.saved: list[dict[str, Any]] = []

    def execute_graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        assert "mutation upsertView" in query
        self.saved.append(variables)
        project = {"id": "p", "name": variables["projectName"], "entityName": variables["entityName"]}
        said = {key: variables[key] for key in ("name", "displayName", "description", "spec")}
        return {"upsertView": {"view": {"id": variables["id"] or "new", **said, "project": project}}}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """An account that has one report already."""
    pytest.importorskip("wandb_workspaces")
    import wandb

    made = Service()

    class Api:
        default_entity = "somebody"

        def __init__(self, timeout: int | None = None) -> None:
            self._service_api = made

        def projects(self, entity: str) -> list[Any]:
            return [SimpleNamespace(name="genlab", entity=entity)]

        def reports(self, path: str) -> list[Any]:
            assert path == "somebody/genlab"
            return [SimpleNamespace(display_name="genlab: vae", id="old")]

    monkeypatch.setattr(wandb, "Api", Api)
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_reports_are_made_or_brought_up_to_date(service: Service, genlab, place: Path) -> None:
    made, renewed = (
        genlab("dashboard", "study=rnn_capacity", "create=true"),
        genlab("dashboard", "panels=vae", "create=true"),
    )
    assert (made.code, renewed.code) == (0, 0), (made, renewed)
    assert made.out.splitlines()[-1] == "https://wandb.test/somebody/genlab/reports/genlab-study:-rnn_capacity--new"
    assert renewed.out.splitlines()[-1] == "https://wandb.test/somebody/genlab/reports/genlab:-vae--old"
    assert [saved["id"] for saved in service.saved] == [None, "old"]
    grids = [block for block in json.loads(service.saved[0]["spec"])["blocks"] if block["type"] == "panel-grid"]
    sweep, curves = grids[0]["metadata"], grids[1]["metadata"]
    assert [each["value"] for each in sweep["runSets"][0]["filters"]["filters"]] == [["rnn_capacity"], "evaluate"]
    assert [each["value"] for each in curves["runSets"][0]["filters"]["filters"]] == [["rnn_capacity"], "train"]
    assert [each["name"] for each in curves["runSets"][0]["grouping"]] == [
        "model.value.hidden_size",
        "data.value.seq_len",
    ]
    (coordinates,) = (panel["config"] for panel in sweep["panelBankSectionConfig"]["panels"])
    accessors = [column["accessor"] for column in coordinates["columns"]]
    assert accessors[:4] == [
        *("config:model.value.hidden_size", "config:data.value.seq_len", "config:seed.value"),
        "summary:quantity/bits_per_char",
    ]
    line = curves["panelBankSectionConfig"]["panels"][0]["config"]
    assert (line["xAxis"], line["metrics"]) == (
        "trainer/global_step",
        ["train/loss", "train/smoothed_loss", "val/loss"],
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_report_can_be_made(service: Service, genlab, place: Path) -> None:
    answer = genlab("dashboard", "create=true")
    assert answer.code == 0, answer
    assert len(service.saved) == len(MODELS) + len(studies())
    for saved in service.saved:
        kinds = {block["type"] for block in json.loads(saved["spec"])["blocks"]}
        assert {"heading", "panel-grid", "table-of-contents"} <= kinds


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("key", ["", "feedbeef" * 5])
def test_without_an_account_or_a_network_there_is_one_line(
    key: str, genlab, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb_reports = pytest.importorskip("genlab.run.wandb_reports")
    monkeypatch.setattr(wandb_reports, "SECONDS", 2)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    answer = genlab("dashboard", "panels=vae", "create=true")
    assert answer.code == 2
    assert answer.err.startswith("genlab dashboard: `create` must be left out without an account and a network (")
    assert answer.err.endswith("; got True (create)\n")
    assert answer.err.count("\n") == 1
    assert key == "" or key not in answer.err


def test_without_the_library_there_is_one_line(genlab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "genlab.run.wandb_reports", raising=False)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    answer = genlab("dashboard", "panels=vae", "create=true")
    assert answer.code == 2
    rule = "be left out without wandb-workspaces: pip install 'genlab[dashboards]'"
    assert answer.err == f"genlab dashboard: `create` must {rule}; got True (create)\n"


# --- sweeps ------------------------------------------------------------------------------------------------------


def runs_of(sweep: dict[str, Any]) -> Iterator[list[str]]:
    """The command of each run that W&B's agents would start, by W&B's own code, without what comes before its verb."""
    from wandb.sdk.launch.sweeps.utils import create_sweep_command_args

    names = list(sweep["parameters"])
    for values in itertools.product(*(sweep["parameters"][name]["values"] for name in names)):
        args = {name: {"value": value} for name, value in zip(names, values, strict=True)}
        typed: dict[str, list[str]] = create_sweep_command_args({"args": args})
        known = {"env": [], "program": [sweep["program"]], **typed}
        words = [known[word[2:-1]] if word.startswith("${") else [word] for word in sweep["command"]]
        program, verb, *overrides = itertools.chain(*words)
        assert (program, verb) == ("genlab", "train")
        yield overrides


def identities(commands: list[list[str]]) -> list[str]:
    """What each command would train."""
    found = []
    with composing():
        for overrides in commands:
            cfg = compose_run(overrides)
            OmegaConf.resolve(cfg)
            config = OmegaConf.to_container(cfg)
            assert isinstance(config, dict)
            found.append(identity({str(key): value for key, value in config.items()}))
    return sorted(found)


def check_same_runs(study: Study, sweeps: dict[str, dict[str, Any]]) -> None:
    own = [[as_word(key, value) for key, value in job.overrides.items()] for job in study.jobs()]
    agents = [run for sweep in sweeps.values() for run in runs_of(sweep)]
    assert len(set(map(tuple, agents))) == len(own)
    assert identities(agents) == identities(own)


def needs_another_run(name: str) -> bool:
    return bool(load_definition(name).get("reader"))


@pytest.mark.parametrize("name", [name for name in studies() if not needs_another_run(name)])
def test_agents_train_exactly_the_runs_of_a_study(name: str, tmp_path: Path) -> None:
    study = read_definition(at_budget(load_definition(name), "smoke"))
    sweeps = sweeps_of(study, name, "smoke", "genlab")
    files = write_sweeps(sweeps, tmp_path / "sweep.yaml", "genlab dashboard")
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in files}
    assert [yaml.safe_load(path.read_text()) for path in files] == list(sweeps.values())
    check_same_runs(study, sweeps)


@pytest.mark.parametrize("name", [name for name in studies() if needs_another_run(name)])
def test_a_study_with_runs_that_wait_for_another_has_no_sweep_of_agents(genlab, place: Path, name: str) -> None:
    answer = genlab("dashboard", f"study={name}", "sweep=sweep.yaml")
    assert answer.code == 2
    assert "`study` must be one whose runs need no classifier to train with" in answer.err
    assert not (place / "sweep.yaml").exists()


AWKWARD: dict[str, dict[str, Any]] = {
    "numbers": {},
    "texts": {"grid": {"data.text": ["a b,c=d.txt", "plain"]}},
    "null, lists and truth": {
        "grid": {
            "trainer.check_val_every_n_epoch": [None, 2],
            "optimizer.betas": [[0.5, 0.999], [0.9, 0.9]],
            "keep_memory": [True, False],
        }
    },
    "named arms": {"arms": {"plain": {}, "two, layers": {"model.num_layers": 2, "optimizer": "sgd"}}},
    "options of a group": {"grid": {"optimizer": ["sgd", "adam"], "optimizer.lr": [0.1, 0.2]}},
}


@pytest.mark.parametrize("kind", AWKWARD)
def test_agents_write_every_value_as_hydra_reads_it(kind: str) -> None:
    study = a_study(**AWKWARD[kind])
    check_same_runs(study, sweeps_of(study, "fixture", "quick", "genlab"))


def test_a_grid_is_one_sweep_and_arms_that_are_no_grid_are_several() -> None:
    assert list(sweeps_of(a_study(), "x", "quick", "genlab")) == [""]
    assert list(sweeps_of(a_study(**AWKWARD["named arms"]), "x", "quick", "genlab")) == ["plain", "two, layers"]
    apart = sweeps_of(a_study(**AWKWARD["options of a group"]), "x", "quick", "genlab")
    assert list(apart) == ["optimizer=sgd", "optimizer=adam"]
    assert all("optimizer" not in sweep["parameters"] for sweep in apart.values()), "it would hide optimizer.lr in W&B"
    a_grid = {"slow": {"optimizer.lr": 0.1}, "fast": {"optimizer.lr": 0.2}}
    assert list(sweeps_of(a_study(grid={}, arms=a_grid), "x", "quick", "genlab")) == [""]


def test_the_command_writes_a_sweep_for_agents_that_report_to_wandb(genlab, place: Path) -> None:
    answer = genlab("dashboard", "study=rnn_capacity", "budget=full", "project=mine", "sweep=sweep.yaml")
    assert (answer.code, answer.out, answer.err) == (0, "written: wandb sweep sweep.yaml\n", "")
    text = (place / "sweep.yaml").read_text()
    assert text.startswith(
        "# Written by `genlab dashboard study=rnn_capacity budget=full project=mine sweep=sweep.yaml`"
    )
    sweep = yaml.safe_load(text)
    assert (sweep["project"], sweep["method"], sweep["name"]) == ("mine", "grid", "rnn_capacity full")
    assert sweep["parameters"]["seed"]["values"] == load_definition("rnn_capacity")["seeds"]
    assert sweep["command"][:3] == ["${env}", "${program}", "train"]
    assert sweep["command"][-1] == "${args_no_hyphens}"
    assert {"name=rnn_capacity", "logger=wandb", "logger.wandb.offline=false"} <= set(sweep["command"])
    assert "logger.wandb.tags=[char_rnn,rnn_capacity,full]" in sweep["command"]


def test_an_outline_names_every_key() -> None:
    report = of_study("fixture", None, a_study(), [panels_of("char_rnn")])
    text = outline(report)
    for section in report.sections:
        assert f"  {section.heading} (runs of group fixture, job type {section.runs.job_type}" in text
        for panel in section.panels:
            assert all(key in text for key in (*panel.keys, *(column.key for column in panel.columns)))
