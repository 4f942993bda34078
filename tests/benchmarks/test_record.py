"""The table and the files, on made-up figures."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

import genlab
from genlab.benchmarks.curves import Curve
from genlab.benchmarks.record import (
    HEADINGS,
    TABLE_BEGINS,
    TABLE_ENDS,
    Record,
    conditions,
    markdown,
    memory_rows,
    print_table,
    read_record,
    rows,
    updated,
    write_docs,
    write_record,
)
from genlab.benchmarks.rounds import Case, at_most, compare


@pytest.fixture
def record() -> Record:
    fast = {"genlab train": [5000.0, 5200.0], "nn.RNN loop, 1 thread": [1000.0, 1000.0]}
    slow = {"genlab train": [9.0, 9.0], "nn.RNN loop, 1 thread": [10.0, 10.0], "nn.RNN loop, 2 threads": [12.0, 12.0]}
    cases = [
        Case("training, batch 1", "100x20", "updates/s", fast, [compare(fast, "genlab train", "nn.RNN loop", 4)], 1e-6),
        Case("training, batch 64", "256x50", "updates/s", slow, [compare(slow, "genlab train", "nn.RNN loop", 1)]),
    ]
    versions = {"python": "3.11.2", "torch": "2.14.1", "numpy": "2.4.6", "numba": "0.68.1"}
    machine = {"processor": "a made-up CPU", "cores": 2, "capability": "AVX2"}
    return Record("2026-01-31T12:00:00+00:00", 200.0, 2, "bench", "0123456789abcdef", True, versions, machine, cases)


def test_rows_of_one_case_name_the_precision_of_each() -> None:
    """Of two, as the full run measures them on a processor with bfloat16; a single one is in the size already."""
    rates = {
        "genlab train, bf16-mixed": [300.0],
        "genlab train, 32-true": [200.0],
        "bare loop": [310.0],
        "tutorial": [100.0],
    }
    both = [compare(rates, "genlab train, bf16-mixed", peer, 3) for peer in ("tutorial", "bare loop")]
    both.append(compare(rates, "genlab train, 32-true", "tutorial", None))
    found = rows([Case("DCGAN training", "batch 128, MNIST", "images/s", rates, both)])
    assert [row[1:5] for row in found] == [
        ("batch 128, MNIST, bf16-mixed", "tutorial", "300", "100"),
        ("batch 128, MNIST, bf16-mixed", "bare loop", "300", "310"),
        ("batch 128, MNIST, 32-true", "tutorial", "200", "100"),
    ]
    (alone,) = rows([Case("DCGAN training", "batch 128, MNIST, bf16-mixed", "images/s", rates, both[:1])])
    assert alone[1] == "batch 128, MNIST, bf16-mixed"


def test_rows(record: Record) -> None:
    assert rows(record.cases) == [
        (
            "training, batch 1 (updates/s)",
            "100x20",
            "nn.RNN loop, 1 thread",
            "5,100",
            "1,000",
            "5.10 (5.05 to 5.15)",
            "4",
            "yes",
        ),
        (
            "training, batch 64 (updates/s)",
            "256x50",
            "nn.RNN loop, 2 threads",
            "9.0",
            "12.0",
            "0.75 (0.75 to 0.75)",
            "1",
            "no",
        ),
    ]


def test_two_ways_of_ours_in_one_case_are_told_apart() -> None:
    rates = {"genlab": [3.0], "genlab, seen before": [2.0], "peer": [6.0]}
    both = [compare(rates, ours, "peer", None, less_is_better=True) for ours in ("genlab", "genlab, seen before")]
    assert [row[1] for row in rows([Case("judging", "10 images", "s", rates, both)])] == [
        "10 images",
        "10 images, seen before",
    ]
    assert rows([Case("judging", "10 images", "s", rates, both[1:])])[0][1] == "10 images"


def test_large_ratios_have_one_digit(record: Record) -> None:
    rates = {"we": [20_000.0], "they": [900.0]}
    (row,) = rows([Case("w", "s", "u", rates, [compare(rates, "we", "they", 20)])])
    assert row[5] == "22.2 (22.2 to 22.2), one round"


def test_a_row_of_fewer_rounds_says_so(record: Record) -> None:
    assert [row[5] for row in rows(record.cases, 3)] == [
        "5.10 (5.05 to 5.15), 2 rounds",
        "0.75 (0.75 to 0.75), 2 rounds",
    ]
    assert rows(record.cases, 2) == rows(record.cases)
    assert "5.15), 2 rounds" in markdown(replace(record, rounds=3))


def test_seconds_limits_and_comparisons_without_a_target() -> None:
    seconds = {"we": [4.0, 5.0], "they": [8.0, 10.0]}
    found = compare(seconds, "we", "they", None, less_is_better=True)
    rows_ = rows([Case("start", "s", "s", seconds, [found], limits=[at_most(seconds, "we", 6.0)])])
    assert rows_[0] == ("start (s)", "s", "they", "4.50", "9.0", "2.00 (2.00 to 2.00)", "", "")
    assert rows_[1] == ("start (s)", "s", "nobody", "4.50", "", "", "6 s at most", "yes")


def test_memory_has_a_table_of_its_own(record: Record) -> None:
    case = Case("w", "s", "s", {"we": [1.0]}, [], peaks={"we": 1234.4, "they": 99.6})
    assert memory_rows([case]) == [("w", "s", "we", "1,234"), ("w", "s", "they", "100")]
    text = markdown(replace(record, cases=[case], warnings=["these are not MNIST"]))
    assert "| w | s | we | 1,234 |" in text
    assert "these are not MNIST" in text


def test_a_record_is_read_as_it_was_written(record: Record, tmp_path: Path) -> None:
    curve = Curve("runs", "runs", "seconds", "a sweep", [1.0, 2.0], {"we": [[1.0], [2.0]]})
    limits = [at_most({"we": [3.0]}, "we", 6.0)]
    whole = replace(record, curves=[curve], cases=[replace(record.cases[0], limits=limits), record.cases[1]])
    write_record(tmp_path / "r.json", whole)
    assert read_record(tmp_path / "r.json") == whole


def test_an_update_keeps_what_was_not_measured_now(record: Record) -> None:
    first, second = record.cases
    before = replace(record, commit="1" * 12, failures={"vae": "no data", "dcgan": "no memory"})
    new, anew = replace(first, size="another size"), replace(second, unit="anew")
    now = replace(record, cases=[new, anew], failures={"sweep": "no time"})
    both = updated(before, now, ["char_rnn", "dcgan", "sweep"])
    assert both.cases == [first, anew, new]
    assert both.failures == {"vae": "no data", "sweep": "no time"}
    assert [conditions(before)] == both.earlier
    assert "Rows that were not measured then: 2 rounds on a made-up CPU" in markdown(both)
    assert updated(before, replace(record, cases=[new, anew, replace(first, unit="anew")]), []).earlier == []


def test_curves_are_drawn_beside_the_docs(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"{TABLE_BEGINS}\n{TABLE_ENDS}\n")
    curve = Curve(
        "runs", "runs", "seconds", "a sweep", [1.0, 2.0], {"we": [[1.0, 1.1], [2.0, 2.1]], "they": [[3.0], [6.0]]}
    )
    write_docs(path, replace(record, curves=[curve]))
    assert "(benchmarks/runs.png)" in path.read_text()
    with Image.open(tmp_path / "benchmarks" / "runs.png") as image:
        assert image.width > 500


def test_markdown_is_one_table_and_its_conditions(record: Record) -> None:
    table, said = markdown(record).split("\n\n")
    lines = table.splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {len(HEADINGS) + 1}
    assert "a made-up CPU, 2 cores" in said
    assert "commit 0123456789 with changes" in said


def test_the_printed_table_says_what_was_reached(record: Record) -> None:
    printed = StringIO()
    print_table(Console(width=200, file=printed), record)
    text = printed.getvalue()
    assert "5.10 (5.05 to 5.15)" in text
    assert text.count("yes") == 1
    assert "torch 2.14.1" in text


def test_json_holds_every_round(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "new" / "latest.json"
    write_record(path, record)
    content = json.loads(path.read_text())
    assert content["cases"][1]["rates"]["nn.RNN loop, 2 threads"] == [12.0, 12.0]
    assert content["cases"][0]["comparisons"][0]["ratio"]["median"] == pytest.approx(5.1)
    assert content["cases"][0]["difference"] == 1e-6
    assert content["cases"][1]["difference"] is None


def test_docs_keep_the_text_around_the_table(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"# Above\n\n{TABLE_BEGINS}\nold\n{TABLE_ENDS}\n\nBelow\n")
    write_docs(path, record)
    first = path.read_text()
    write_docs(path, record)
    assert path.read_text() == first == f"# Above\n\n{TABLE_BEGINS}\n\n{markdown(record)}\n\n{TABLE_ENDS}\n\nBelow\n"


def test_docs_without_markers_are_left_alone(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(f"no table {TABLE_BEGINS}")
    with pytest.raises(ValueError, match="--write-docs"):
        write_docs(path, record)
    assert path.read_text() == f"no table {TABLE_BEGINS}"


def test_the_projects_page_has_the_markers() -> None:
    text = (Path(genlab.__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    assert 0 < text.index(TABLE_BEGINS) < text.index(TABLE_ENDS)
