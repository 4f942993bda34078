"""The whole command at tiny sizes, and its pieces that read windows and compare losses."""

import json
from pathlib import Path

import pytest
import torch

from genlab.benchmarks.__main__ import main
from genlab.benchmarks.peers import rnn_from
from genlab.benchmarks.record import TABLE_BEGINS, TABLE_ENDS
from genlab.benchmarks.sampling import refuse_other_texts
from genlab.benchmarks.training import Reader, Setting, difference_from, genlab_train
from genlab.char_rnn.data import Streams
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.text import Vocabulary


def test_quick_run_measures_everything_and_writes_json_and_docs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, docs = tmp_path / "latest.json", tmp_path / "benchmarks.md"
    docs.write_text(f"{TABLE_BEGINS}\n{TABLE_ENDS}\n")
    assert main(["--quick", "--output", str(output), "--write-docs", str(docs)]) == 0
    record = json.loads(output.read_text())
    cases = {case["what"]: case for case in record["cases"]}
    assert list(cases) == [
        "training, batch 1",
        "training, batch 64",
        "image batches",
        "sampling, 1 stream",
        "sampling, 64 streams",
    ]
    peers = [comparison["peer"] for comparison in cases["training, batch 1"]["comparisons"]]
    assert peers == ["nn.RNN loop", "NumPy min-char-rnn", "engine alone"]
    for case in record["cases"]:
        assert all(len(rates) == 2 and min(rates) > 0 for rates in case["rates"].values())
    assert 0 < cases["training, batch 1"]["difference"] < 1e-3
    assert (record["quick"], record["rounds"]) == (True, 2)
    assert docs.read_text().count("\n| ") == 2 + sum(len(case["comparisons"]) for case in record["cases"])
    printed = capsys.readouterr().out
    assert "measured sampling, 64 streams" in printed
    assert "iteration" not in printed


@pytest.mark.parametrize("words", [["--rounds", "0"], ["--rounds", "x"], ["--quik"]])
def test_a_wrong_command_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2


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
