"""Tables of studies against means and intervals computed here; results as CSV."""

import csv
import math
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scipy import stats

from genlab.reporting.study_tables import as_markdown, study_tables, write_results
from genlab.studies.axes import axis_words
from genlab.studies.folder import StudyRecord
from genlab.studies.observations import observe

LENGTH = axis_words("seq_len")
MakeStudy = Callable[..., StudyRecord]


def test_a_row_an_arm_has_means_with_t_intervals(capacity: StudyRecord) -> None:
    table, _ = study_tables(capacity, observe(capacity))
    assert table.title == "With the weights of best.ckpt"
    assert table.axes == ("hidden size", LENGTH)
    assert table.quantities == ("held-out text (bits/char), lower is better", "valid words, higher is better")
    assert [row.keys for row in table.rows] == [(h, t) for h in ("100", "256") for t in ("20", "30", "50")]
    assert [row.seeds for row in table.rows] == [3, 3, 3, 3, 3, 2]  # one run has failed
    runs = [job.run for job in capacity.jobs if job.arm == {"hidden_size": 100, "seq_len": 30}]
    values = [run.evaluation["bits_per_char"]["value"] for run in runs if run is not None]
    half = stats.t.ppf(0.975, 2) * statistics.stdev(values) / math.sqrt(3)
    assert table.rows[1].cells[0].text == f"{statistics.fmean(values):.3f} ± {half:.3f}"
    assert table.rows[1].cells[1].text.split(" ± ")[0].count(".") == 1
    assert len(table.rows[1].cells[1].text.split(" ± ")[0]) == len("0.56")  # two digits, as the study asks


def test_the_best_of_each_column_is_marked_by_what_is_better(capacity: StudyRecord) -> None:
    table, by_temperature = study_tables(capacity, observe(capacity))
    for column, best in ((0, min), (1, max)):
        means = [float(row.cells[column].text.split()[0]) for row in table.rows]
        marked = [place for place, row in enumerate(table.rows) if row.cells[column].best]
        assert len(marked) == 1
        assert means[marked[0]] == best(means)
    assert "Bold: the best mean of its column, whatever" in table.note
    assert not any(cell.best for row in by_temperature.rows for cell in row.cells)  # neither way is better
    assert "Bold" not in by_temperature.note


def test_what_is_measured_along_an_axis_has_a_table_of_its_own(capacity: StudyRecord) -> None:
    _, table = study_tables(capacity, observe(capacity))
    assert table.title == "By temperature"
    assert table.axes == ("hidden size", LENGTH, "temperature")
    assert [row.keys for row in table.rows][:4] == [
        ("100", "20", "0.4"),
        ("100", "20", "0.8"),
        ("100", "20", "1.2"),
        ("100", "30", "0.4"),
    ]
    assert len(table.rows) == 18


def test_passes_have_a_table_with_the_best_of_each(dropout: StudyRecord) -> None:
    final, by_pass = study_tables(dropout, observe(dropout))
    assert final.axes == ("arm",)
    assert by_pass.axes == ("arm", "passes over the data")
    assert by_pass.quantities == ("FID (mnist_cnn), lower is better",)
    assert [row.keys for row in by_pass.rows][:4] == [
        ("3 layers", "1"),
        ("3 layers", "2"),
        ("3 layers", "4"),
        ("4 layers, dropout 0", "1"),
    ]
    assert [row.keys for row in by_pass.rows if row.cells[0].best] == [("4 layers, dropout 0", p) for p in "124"]
    assert "at each place" in by_pass.note
    assert [row.seeds for row in final.rows] == [1, 3, 3]
    assert "±" not in final.rows[0].cells[0].text


def test_what_is_a_lower_bound_says_so_and_is_not_the_best(dropout: StudyRecord) -> None:
    final, _ = study_tables(dropout, observe(dropout))
    assert final.quantities[1] == "reached (iterations)"
    definition = {**dropout.definition["quantities"]["reached"], "threshold": 0.1, "better": "lower"}
    dropout.definition["quantities"]["reached"] = definition
    final, _ = study_tables(dropout, observe(dropout))
    assert [row.cells[1].text for row in final.rows] == [
        "≥ 3,000, 1 of 1 never",
        "≥ 3,000 ± 0, 3 of 3 never",
        "≥ 3,000 ± 0, 3 of 3 never",
    ]
    assert not any(row.cells[1].best for row in final.rows)


def test_a_quantity_that_some_runs_lack_says_how_many_have_it(
    make_study: MakeStudy, capacity_definition: dict[str, Any]
) -> None:
    def measure(arm: Mapping[str, Any], seed: int, epoch: int) -> dict[str, dict[str, Any]]:
        words = {} if seed == 0 else {"valid_words": {"value": 0.5}}
        return {"bits_per_char": {"value": 2.0 + seed}, **words}

    del capacity_definition["quantities"]["by_temperature"]
    (table,) = study_tables(*_with_observations(make_study("some", capacity_definition, measure)))
    assert {row.cells[1].text for row in table.rows} == {"0.50 ± 0.00 (n = 2)"}


def test_a_study_of_one_arm_has_one_row(
    make_study: MakeStudy, capacity_definition: dict[str, Any], measure_text: Any
) -> None:
    study = make_study("one", {**capacity_definition, "grid": {}, "figures": []}, measure_text)
    table, by_temperature = study_tables(*_with_observations(study))
    assert [row.keys for row in table.rows] == [("every run",)]
    assert [row.keys for row in by_temperature.rows] == [("0.4",), ("0.8",), ("1.2",)]
    assert table.note == "Mean over seeds ± half of its 95 % t interval."


def test_the_study_says_which_quantities_its_table_has(capacity: StudyRecord) -> None:
    capacity.definition["table"] = ["words"]
    (table,) = study_tables(*_with_observations(capacity))
    assert table.quantities == ("valid words, higher is better",)


def test_a_study_without_results_has_no_table(
    make_study: MakeStudy, capacity_definition: dict[str, Any], measure_text: Any
) -> None:
    names = [f"hidden_size={h},seq_len={t},seed={s}" for h in (100, 256) for t in (20, 30, 50) for s in range(3)]
    study = make_study("new", capacity_definition, measure_text, ended=dict.fromkeys(names, ("waiting", "")))
    assert study_tables(*_with_observations(study)) == []


def test_markdown_has_a_column_for_each_and_bold_for_the_best(capacity: StudyRecord) -> None:
    table, _ = study_tables(capacity, observe(capacity))
    header, rule, *rows = as_markdown(table).split("\n\n")[0].splitlines()
    assert header.startswith(f"| hidden size | {LENGTH} | seeds | held-out text (bits/char), lower is better |")
    assert {line.count("|") for line in (header, rule, *rows)} == {6}
    assert sum("**" in row for row in rows) in (1, 2)


def test_results_have_a_line_an_observation(dropout: StudyRecord, tmp_path: Path) -> None:
    observations = observe(dropout)
    path = write_results(observations, tmp_path / "results.csv")
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(observations) == 9 * 3
    assert list(lines[0]) == ["arm", "epoch", "seed", "fid", "reached", "censored", "folder"]
    run = dropout.jobs[1].run
    assert run is not None
    (line,) = [each for each in lines if each["folder"] == run.folder.name and each["epoch"] == "2"]
    assert float(line["fid"]) == run.passes["epoch_0002"]["fid_mnist_cnn"]["value"]
    assert line["reached"] == ""  # of the whole run: at its end alone
    waiting = [each for each in lines if each["arm"] == "3 layers" and each["seed"] == "1"]
    assert [each["fid"] for each in waiting] == ["", "", ""]


def _with_observations(study: StudyRecord) -> tuple[StudyRecord, Any]:
    return study, observe(study)
