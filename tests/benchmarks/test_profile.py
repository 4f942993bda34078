"""What a profile makes of durations and operations, with closed figures; and both programs once, at tiny sizes."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from genlab.benchmarks import evaluation_profile, import_profile, profile, profiled, trainer_profile
from genlab.benchmarks.cases import QUICK_SETTINGS
from genlab.benchmarks.children import Runner
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.record import TABLE_BEGINS, TABLE_ENDS
from genlab.char_rnn.engines import NumpyEngine

PLACES = [place for places in evaluation_profile.PARTS.values() for place in places]


@pytest.mark.parametrize(
    ("operation", "part"),
    [
        ("aten.convolution_backward.default", "convolutions"),
        ("aten.mkldnn_convolution.default", "convolutions"),
        ("aten.native_batch_norm_backward.default", "batch norms"),
        ("aten.clamp_min.default", "activations"),
        ("aten.leaky_relu_backward.default", "activations"),
        ("aten.addmm.default", "linear layers"),
        ("aten.copy_.default", "the rest"),
    ],
)
def test_operations_belong_to_parts(operation: str, part: str) -> None:
    assert profiled.part_of(operation) == part


def test_operations_are_counted_as_the_formula_has_them() -> None:
    """A product and an addition a weight and place: 3x3 kernels over 5x5 places, from 2 to 4 channels, twice."""
    x, weight = torch.ones(2, 2, 5, 5), torch.ones(4, 2, 3, 3)
    assert profiled.operations(lambda: functional.conv2d(x, weight, padding=1)) == 2 * 2 * 25 * 4 * 2 * 9


@pytest.mark.parametrize("fused", [True, False])
def test_a_stopwatch_tells_an_optimisers_operations_from_the_same_ones_elsewhere(fused: bool) -> None:
    weight = torch.ones(50, 50, requires_grad=True)
    optimizer = torch.optim.Adam([weight], fused=fused)
    with profiled.Stopwatch() as watch:
        (weight @ weight).relu().mul(2).sum().backward()
        before = dict(watch.seconds)
        optimizer.step()
    assert before.keys() == {"linear layers", "activations", "the rest"}
    assert watch.seconds["optimisers"] > 0
    assert all(watch.seconds[name] == before[name] for name in ("linear layers", "activations"))
    taken = dict(watch.seconds)
    optimizer.step()
    assert watch.seconds == taken


def test_shares_are_of_the_whole_step() -> None:
    found = profiled.shares(lambda: torch.ones(200, 200) @ torch.ones(200, 200), 1e6)
    assert 0 < found["linear layers"] < 1e-3
    assert sum(found.values()) == pytest.approx(1)
    assert found["convolutions"] == found["optimisers"] == 0


def test_a_step_is_taken_apart(capsys: pytest.CaptureFixture[str]) -> None:
    assert profiled.main([json.dumps({"model": "classifier", "peer": False, "precision": "32-true", "steps": 1})]) == 0
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert sum(found["parts"].values()) == pytest.approx(1)
    assert found["parts"]["convolutions"] > found["parts"]["linear layers"] > 0
    assert found["step_seconds"] > 0
    assert found["operations"] / found["peak"] < 10


def test_parts_of_a_run_add_up_to_the_whole() -> None:
    """What begins before the window or ends after it is no part of it."""
    spans = {
        "[Strategy]SingleDeviceStrategy.training_step": [(0.0, 9.0), (10.0, 13.0), (13.5, 17.5)],
        "[_TrainingEpochLoop].train_dataloader_next": [(9.5, 10.5), (13.0, 13.5)],
        "[Strategy]SingleDeviceStrategy.validation_step": [(18.0, 18.25), (18.25, 18.5), (22.0, 30.0)],
        "[Callback]BestCheckpoint{'monitor': 'a.b'}.on_validation_end": [(18.5, 19.5), (30.0, 31.0)],
        "[Callback]TextSamples.on_train_batch_end": [(9.0, 9.9), (17.5, 18.25)],
        "[Callback]TextSamples.on_train_start": [(10.0, 20.0)],
    }
    laps = [(1.0, 8.0), (10.5, 12.5), (14.0, 17.0)]
    assert trainer_profile.parted(spans, laps, (10.0, 21.0)) == {
        "engine": 5.0,
        "figures of a step": 2.0,
        "reading the text": 0.5,
        "validation": 0.5,
        "callback BestCheckpoint": 1.0,
        "callback TextSamples": 0.75,
        "Lightning's loop and metrics.csv": 1.25,
    }


def test_a_run_of_the_trainer_is_taken_apart(tmp_path: Path) -> None:
    before = NumpyEngine.train
    (setting, *_) = QUICK_SETTINGS
    parts = trainer_profile.trainer_parts(setting, tmp_path / "run")
    assert NumpyEngine.train is before
    callbacks = {"callback TextSamples", "callback Progress", "callback FiniteNumbers"}
    assert {"engine", "figures of a step", "reading the text", *callbacks} <= parts.keys()
    for name in ("engine", "figures of a step", "reading the text", *callbacks, "Lightning's loop and metrics.csv"):
        assert parts[name] > 0, name


def image_round(seconds: float) -> dict[str, object]:
    return {"step_seconds": seconds, "operations": 8e9, "peak": 1e11, "parts": {"convolutions": 0.75, "the rest": 0.25}}


def test_the_least_that_a_step_takes_bounds_its_ratio() -> None:
    images = {"dcgan": {"genlab": [image_round(0.1)], "peer": [image_round(0.16)]}}
    assert profile.part_table(images).splitlines()[-1] == "| DCGAN, peer | 160 | 75% | 25% |"
    assert profile.floor_table(images).splitlines()[-1] == "| DCGAN | 8.0 | 100 | 80 | 100 | 80% | 160 | 1.60 | 2.00 |"
    alone = {"classifier": {"genlab": [image_round(0.1)]}}
    assert profile.floor_table(alone).splitlines()[-1] == "| classifier | 8.0 | 100 | 80 | 100 | 80% |  |  |  |"


def test_the_tables_go_into_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "sections", lambda quick, rounds, precision: [f"{quick} {rounds} {precision}"])
    page = tmp_path / "profile.md"
    words = ["--quick", "--rounds", "2", "--precision", "32-true", "--write-docs", str(page)]
    assert profile.main(words) == 2
    page.write_text(f"before\n{TABLE_BEGINS}\nold\n{TABLE_ENDS}\nafter\n")
    assert profile.main(words) == 0
    assert page.read_text() == f"before\n{TABLE_BEGINS}\n\nTrue 2 32-true\n\n{TABLE_ENDS}\nafter\n"


def test_a_step_of_the_char_rnn_is_told_by_part() -> None:
    (setting, *_) = QUICK_SETTINGS
    parts = profile.median_parts([{"engine": 0.006, "b": 0.002}, {"engine": 0.006, "b": 0.002}], setting)
    assert parts == pytest.approx({"engine": 3.0, "b": 1.0})
    assert profile.text_table({setting.size: parts}).splitlines()[2:] == [
        "| engine | 3.00 |",
        "| b | 1.00 |",
        "| the engine's share | 75% |",
    ]


def test_imports_are_summed_by_package() -> None:
    """The second figure of a line holds those of what the module imports, and is left out."""
    account = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       100 |        100 |     torch._C\n"
        "import time:    200000 |     300000 |   torch\n"
        "Warning: of no import\n"
        "import time:    500000 |     800100 | genlab.run\n"
    )
    assert import_profile.by_package(account) == pytest.approx({"genlab": 0.5, "torch": 0.2001})
    assert list(import_profile.by_package(account)) == ["genlab", "torch"]


def test_the_imports_of_a_command_are_told_by_package() -> None:
    """Packages beyond those with a row of their own are summed, and the row below is of whole processes."""
    many = {f"p{number}": 2.0 for number in range(import_profile.SHOWN)} | {"x": 0.25, "y": 0.5}
    starts = {
        "whole": [import_profile.Imports(9.0, many)],
        "lean": [import_profile.Imports(seconds, {"p1": seconds, "y": 0.125}) for seconds in (1.0, 3.0, 2.0)],
    }
    lines = profile.import_table(starts).splitlines()
    assert lines[2:5] == ["| p0 | 2.00 | 0.00 |", "| p1 | 2.00 | 2.00 |", "| p2 | 2.00 | 0.00 |"]
    assert lines[-2:] == ["| all others | 0.75 | 0.12 |", "| the process, without the account | 9.00 | 2.00 |"]


def test_a_process_that_imports_is_measured() -> None:
    found = import_profile.imports(sys.executable, "lean")
    assert {"torch", "pytorch_lightning", "genlab"} <= found.packages.keys()
    assert "torchvision" not in found.packages
    assert 0.5 * found.seconds < sum(found.packages.values()) < 4 * found.seconds


def test_a_stopwatch_gives_each_part_what_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outer calls inner twice: two seconds and three, with one before, one between and one after."""
    clock = iter([0.0, 1.0, 3.0, 4.0, 7.0, 8.0])
    monkeypatch.setattr(evaluation_profile.time, "perf_counter", lambda: next(clock))
    watch = evaluation_profile.Stopwatch()
    inner = watch.around("inner", lambda word: word)

    def outer() -> str:
        return str(inner("a") + inner(word="b"))

    assert watch.around("outer", outer)() == "ab"
    assert watch.seconds == {"inner": 5.0, "outer": 3.0}


def test_an_evaluation_is_taken_apart(tmp_path: Path) -> None:
    before = {place: getattr(*evaluation_profile._found(place)) for place in PLACES}
    plan = Plan("quick", 1, tmp_path, "digits", tmp_path, "32-true")
    (found,) = profile.evaluation_parts(plan, Runner(in_process=True))
    assert {place: getattr(*evaluation_profile._found(place)) for place in PLACES} == before
    assert evaluation_profile.PARTS.keys() <= found.keys()
    assert all(found[part] > 0 for part in evaluation_profile.PARTS)
    assert sum(seconds for part, seconds in found.items() if part != "seconds") <= found["seconds"]
    lines = profile.evaluation_table([found]).splitlines()
    assert len(lines) == 2 + 1 + len(evaluation_profile.PARTS) + 1 + 1
    assert lines[-1].endswith("| 100% |")
