"""The whole command at tiny sizes, and its pieces that read windows and compare losses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from genlab.benchmarks.__main__ import main
from genlab.benchmarks.cases import CASES
from genlab.benchmarks.image_training import BARE, PEERS
from genlab.benchmarks.peers import rnn_from
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.record import TABLE_BEGINS, TABLE_ENDS
from genlab.benchmarks.rounds import Case
from genlab.benchmarks.sampling import refuse_other_texts
from genlab.benchmarks.training import Reader, Setting, difference_from, genlab_train
from genlab.char_rnn.data import Streams
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.text import Vocabulary

pytestmark = pytest.mark.minutes


def quick(folder: Path, only: str, *words: str) -> dict[str, Any]:
    """The record of a quick run of some cases."""
    output = folder / "latest.json"
    assert main(["--quick", "--only", only, "--output", str(output), *words]) == 0
    record: dict[str, Any] = json.loads(output.read_text())
    for case in record["cases"]:
        assert all(min(rates) > 0 for rates in case["rates"].values())
    return record


def test_quick_run_of_texts_writes_json_and_docs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docs = tmp_path / "benchmarks.md"
    docs.write_text(f"{TABLE_BEGINS}\n{TABLE_ENDS}\n")
    record = quick(tmp_path, "loading,sampling,char_rnn,memory", "--write-docs", str(docs))
    whats = ["training, batch 1", "training, batch 64", "sampling, 1 stream", "sampling, 64 streams", "image batches"]
    assert [case["what"] for case in record["cases"]] == [*whats, "char-RNN training"]
    training = record["cases"][0]
    assert [found["peer"] for found in training["comparisons"]] == ["nn.RNN loop", "NumPy min-char-rnn", "engine alone"]
    assert all(len(rates) == 2 for rates in training["rates"].values())
    assert 0 < training["difference"] < 1e-3
    assert (record["plan"], record["rounds"]) == ("quick", 2)
    compared = sum(len(case["comparisons"]) for case in record["cases"])
    assert docs.read_text().count("\n| ") == 2 + compared + 2 + 3
    printed = capsys.readouterr().out
    assert "measured sampling, 64 streams" in printed
    assert "iteration" not in printed


@pytest.mark.exhaustive
def test_quick_run_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is measured the losses of all loops, and afterwards all measures, have been found the same."""
    record = quick(tmp_path, "dcgan,vae,classifier,evaluation")
    cases = {case["what"]: case for case in record["cases"]}
    assert [found["peer"] for found in cases["DCGAN training"]["comparisons"]] == [PEERS["dcgan"], BARE]
    assert [found["peer"] for found in cases["VAE training"]["comparisons"]] == [PEERS["vae"], BARE]
    assert cases["DCGAN training"]["difference"] < 1e-9
    assert cases["FID, KID, precision, recall"]["difference"] < 1e-3
    assert cases["classifier to 20% test accuracy"]["unit"] == "s"
    assert "digits and not MNIST" in record["warnings"][0]
    assert "digits and not MNIST" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_quick_run_of_starts(tmp_path: Path) -> None:
    record = quick(tmp_path, "startup")
    cases = {case["what"]: case for case in record["cases"]}
    (help_,) = cases["start: help"]["comparisons"]
    assert help_["ratio"]["median"] > 1
    assert [limit["limit"] for case in record["cases"] for limit in case["limits"]] == [1.0, 6.0]
    assert len(cases["start: first training step"]["rates"]) == 2


@pytest.mark.exhaustive
def test_quick_run_of_what_a_sweep_costs(tmp_path: Path) -> None:
    two, beside = quick(tmp_path, "overhead")["cases"]
    assert two["size"] == beside["size"] == "2 runs, 256x20, 20 updates"
    assert two["comparisons"][0]["target"] == 1.7
    assert two["comparisons"][0]["setting"] == "", "nobody is compared with himself"
    assert two["comparisons"][0]["ratio"]["median"] != 1
    assert 0 < beside["limits"][0]["found"]["median"] < 100


@pytest.mark.exhaustive
def test_quick_run_of_a_sweep(tmp_path: Path) -> None:
    (sweep,) = quick(tmp_path, "sweep")["cases"]
    assert sweep["size"] == "2 runs, 100x20, 20 updates"
    assert sweep["difference"] < 1e-3
    assert all(50 < peak < 20_000 for peak in sweep["peaks"].values())


@pytest.mark.exhaustive
def test_quick_run_of_growth_and_a_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = quick(tmp_path, "growth")
    assert [curve["name"] for curve in record["curves"]] == ["hidden_size", "seq_len", "batch_size", "images"]
    for curve in record["curves"]:
        assert all(len(costs) == len(curve["sizes"]) for costs in curve["costs"].values())
    latest = str(tmp_path / "latest.json")
    assert main(["--from", latest, "--check", latest]) == 2
    assert "with rows that were measured now" in capsys.readouterr().err


def test_what_is_slower_than_the_reference_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record is no slower than itself, and slower where the reference had higher ratios."""
    record = quick(tmp_path, "loading")
    latest, reference = tmp_path / "latest.json", tmp_path / "reference.json"
    assert main(["--from", str(latest), "--check", str(latest)]) == 0
    found = record["cases"][0]["comparisons"][0]["ratio"]
    record["cases"][0]["comparisons"][0]["ratio"] = {name: 10 * value for name, value in found.items()}
    reference.write_text(json.dumps(record))
    assert main(["--from", str(latest), "--check", str(reference)]) == 1
    assert "slower: image batches" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--rounds", "x"], ["--quik"]])
def test_a_wrong_command_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


def test_a_case_that_fails_leaves_the_others_and_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(plan: Plan) -> list[Case]:
        raise RuntimeError("they do not do the same")

    monkeypatch.setitem(CASES, "sampling", fails)
    output = tmp_path / "latest.json"
    assert main(["--quick", "--only", "sampling,loading", "--output", str(output)]) == 1
    record = json.loads(output.read_text())
    assert [case["what"] for case in record["cases"]] == ["image batches"]
    assert record["failures"] == {"sampling": "they do not do the same"}


def test_a_case_that_there_is_not_and_a_reference_that_is_none_end_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--quick", "--only", "dcgan,sampler"]) == 2
    assert "sampling" in capsys.readouterr().err
    (tmp_path / "reference.json").write_text("{}")
    assert main(["--quick", "--check", str(tmp_path / "reference.json")]) == 2
    assert "must be a record" in capsys.readouterr().err


def test_a_training_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 2: .*hidden_size"):
        genlab_train(Setting(hidden_size=0, seq_len=10), tmp_path / "run", 10, 10)


def test_reader_hands_out_every_window_once_across_passes() -> None:
    streams = Streams(torch.arange(51).numpy(), seq_len=5, batch_size=1)
    reader = Reader(streams, most=4)
    chunks = reader.take(7) + reader.take(6)
    assert [len(chunk.x_NTB) for chunk in chunks] == [4, 3, 3, 3]
    starts = torch.cat([chunk.x_NTB[:, 0, 0] for chunk in chunks]).tolist()
    assert starts == [*range(0, 50, 5), 0, 5, 10]
    assert torch.cat([chunk.resets_N for chunk in chunks]).nonzero().flatten().tolist() == [0, 10]


def test_losses_that_differ_stop_the_command() -> None:
    streams = Streams(torch.arange(51).numpy(), seq_len=5, batch_size=1)
    assert difference_from([1.0, 2.0], "peer", lambda *chunk: [1.0, 2.0005], streams) == pytest.approx(0.0005)
    with pytest.raises(RuntimeError, match=r"peer differs from genlab train by 0\.5 nats"):
        difference_from([1.0, 2.0], "peer", lambda *chunk: [1.0, 2.5], streams)


def test_samplers_that_differ_stop_the_command() -> None:
    vocabulary = Vocabulary("\nabcdefg")
    torch.manual_seed(0)
    net, other = CharRnn(8, 16), CharRnn(8, 16)
    refuse_other_texts(net, rnn_from(net.state_dict()), vocabulary)
    with pytest.raises(RuntimeError, match="must write the same"):
        refuse_other_texts(net, rnn_from(other.state_dict()), vocabulary)
