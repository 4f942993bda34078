from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genlab.reporting.runs import find_runs, read_metrics, read_run

MakeRun = Callable[..., Path]


def test_reads_every_file_of_a_run(make_run: MakeRun) -> None:
    record = read_run(make_run())
    assert (record.name, record.state, record.reason) == ("char_rnn", "done", "")
    assert record.config["optimizer"]["lr"] == 0.001
    assert record.provenance["versions"]["torch"] == "2.14.1"
    assert record.evaluation["bits_per_char"]["value"] == 2.4131
    assert set(record.samples) == {"temperature.txt", "generated_text.txt", "training.txt"}
    assert record.figures == ()
    steps, values = record.metrics["val/loss"]
    assert steps.tolist() == list(range(3000, 30001, 3000))
    assert values.shape == steps.shape
    assert record.metrics["train/loss"][0].size == 300


@pytest.mark.parametrize("state", ["running", "failed", "interrupted"])
def test_an_unfinished_run_may_lack_what_it_has_not_written(make_run: MakeRun, state: str) -> None:
    folder = make_run(state=state, reason="ValueError: no such text")
    (folder / "provenance.json").unlink()
    (folder / "metrics.csv").unlink()
    record = read_run(folder)
    assert (record.state, record.reason) == (state, "ValueError: no such text")
    assert record.metrics == {}


@pytest.mark.parametrize("file", ["config.yaml", "status.json", "provenance.json", "metrics.csv"])
def test_a_done_run_must_have_its_files(make_run: MakeRun, file: str) -> None:
    folder = make_run()
    (folder / file).unlink()
    _assert_refused(folder, file)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", b"a: [1,\nb: {"),
        ("config.yaml", b"- a\n- b\n"),
        ("status.json", b'{"state": "do'),
        ("status.json", b'{"state": "finished"}'),
        ("status.json", b"{}"),
        ("provenance.json", b"[1, 2]"),
        ("provenance.json", b""),
        ("metrics.csv", b""),
        ("metrics.csv", b"time,train/loss\n1,2\n"),
        ("metrics.csv", b"step,train/loss\n100,low\n"),
        ("metrics.csv", b"step,train/loss\n,1.0\n"),
        ("metrics.csv", b"step,train/loss\n100\n"),
        ("metrics.csv", b"step,train/loss\n100,1.0,2.0\n"),
        ("metrics.csv", b"step,\xff\xfe\n"),
        ("evaluation/bits_per_char.json", b"nothing"),
        ("samples/training.txt", b"\xff\xfe\x00"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(make_run: MakeRun, file: str, content: bytes) -> None:
    folder = make_run()
    (folder / file).write_bytes(content)
    _assert_refused(folder, file)


def _assert_refused(folder: Path, file: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        read_run(folder)
    assert str(folder / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_cell_is_found_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,train/loss,val/loss\n100,1.5,\n200,1.4,oops\n")
    with pytest.raises(ValueError, match=r"line 3, column val/loss: must be a number; got 'oops'"):
        read_metrics(path)


def test_empty_cells_are_left_out_and_a_step_logged_twice_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,train/loss,val/loss,lr\n100,3.0,,\n200,2.0,,\n100,1.0,0.5,\n")
    metrics = read_metrics(path)
    assert set(metrics) == {"train/loss", "val/loss"}
    np.testing.assert_array_equal(metrics["train/loss"], ([100, 200], [1.0, 2.0]))
    np.testing.assert_array_equal(metrics["val/loss"], ([100], [0.5]))


def test_a_line_that_is_being_written_is_dropped_only_while_the_run_is_not_done(make_run: MakeRun) -> None:
    folder = make_run(state="running")
    with (folder / "metrics.csv").open("a") as file:
        file.write("30100,1.")
    assert read_run(folder).metrics["train/loss"][0][-1] == 30000
    with pytest.raises(ValueError, match=r"line 302: must have 9 cells; got 2"):
        read_metrics(folder / "metrics.csv")


def test_runs_are_in_the_order_of_their_numbers(make_run: MakeRun, tmp_path: Path) -> None:
    names = ["lr=1e-3,seed=2", "lr=0.003,seed=1", "lr=0.01,seed=9", "lr=0.01,seed=10", "lr=0.01,seed=010", "name"]
    runs = [make_run(f"sweep/{name}") for name in names]
    runs[3:5] = runs[4:2:-1]  # equal numbers by their letters
    assert find_runs([str(tmp_path / "sweep")]) == find_runs([str(tmp_path / "sweep" / "*")]) == runs


def test_find_runs_expands_parents_to_any_depth_and_globs(make_run: MakeRun, tmp_path: Path) -> None:
    a, b, c = (make_run(name) for name in ("demo/char_rnn/a", "demo/char_rnn/b", "demo/sweep/vae/x/c"))
    (tmp_path / "demo" / "report.html").write_text("")
    assert find_runs([str(tmp_path / "demo")]) == [a, b, c]
    assert find_runs([str(c), str(tmp_path)]) == [c, a, b]
    assert find_runs([str(tmp_path / "demo" / "*")]) == [a, b, c]
    assert find_runs([str(tmp_path / "demo" / "char_rnn" / "[b-z]")]) == [b]


def test_a_folder_whose_name_looks_like_a_glob_is_itself(make_run: MakeRun) -> None:
    odd = make_run("hidden=[100,256]")
    assert find_runs([str(odd)]) == [odd]


def test_what_is_no_run_is_refused_in_one_line(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("runs/a")
    (tmp_path / "empty").mkdir()
    for pattern in (
        str(tmp_path / "empty"),
        str(tmp_path / "nowhere"),
        str(run / "config.yaml"),
        str(tmp_path / "z*"),
    ):
        with pytest.raises(ValueError, match=r"^`runs` must name run folders; got .*\(runs\)$"):
            find_runs([str(run), pattern])
    with pytest.raises(ValueError, match="at least one"):
        find_runs([])
    (run / "config.yaml").unlink()
    with pytest.raises(ValueError, match=r"config\.yaml: missing"):
        find_runs([str(tmp_path / "runs")])
