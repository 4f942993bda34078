"""Tables for the study pages: seeds as one row, floors beside, and a page's prose left alone."""

import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from genlab.reporting.markdown import BEGIN, END, group_by_setting, setting, table, write_markdown
from genlab.reporting.runs import RunRecord, read_run

MakeRun = Callable[..., Path]


def edit(path: Path, change: dict[str, Any]) -> None:
    load, dump = (yaml.safe_load, yaml.safe_dump) if path.suffix == ".yaml" else (json.loads, json.dumps)
    path.write_text(dump({**load(path.read_text()), **change}))


@pytest.fixture
def seeds(make_run: MakeRun) -> list[RunRecord]:
    """Three seeds of one setting, with held-out figures of 2.0, 2.1 and 2.5 bits."""
    records = []
    for seed, bits in enumerate((2.0, 2.1, 2.5)):
        folder = make_run(f"seed={seed}", rows=3)
        edit(folder / "config.yaml", {"seed": seed})
        edit(folder / "evaluation" / "bits_per_char.json", {"value": bits, "nats": bits * 0.693})
        records.append(read_run(folder))
    return records


def test_seeds_are_one_row_with_mean_and_deviation(seeds: list[RunRecord], tmp_path: Path) -> None:
    page = write_markdown(seeds, tmp_path / "page.md", "genlab report").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("|") and "±" in line]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:2] == [setting(seeds[0]), "3"]
    assert cells[2] == f"2.200 ± {statistics.stdev((2.0, 2.1, 2.5)):.3f}"
    assert cells[4].startswith("0.712")


def test_settings_that_differ_are_told_apart(seeds: list[RunRecord], make_run: MakeRun) -> None:
    other = make_run("other", rows=3)
    edit(other / "config.yaml", {"model": {"hidden_size": 512, "num_layers": 2}})
    groups = group_by_setting([*seeds, read_run(other)])
    assert [len(group) for group in groups.values()] == [3, 1]
    assert "512 hidden, 2 layers" in list(groups)[1]


def test_floors_and_a_sample_stand_beside(seeds: list[RunRecord], tmp_path: Path) -> None:
    page = write_markdown(seeds, tmp_path / "page.md", "genlab report").read_text()
    assert "| 5-gram | 2.408 | 1.669 |" in page
    assert seeds[0].samples["generated_text.txt"][:100] in page


def test_only_what_stands_between_the_markers_changes(seeds: list[RunRecord], tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"# Title\n\nProse.\n\n{BEGIN}\nold\n{END}\n\nVerdict.\n")
    first = write_markdown(seeds, path, "genlab report runs=x").read_text()
    assert first.startswith("# Title\n\nProse.\n")
    assert first.endswith(f"{END}\n\nVerdict.\n")
    assert "old" not in first
    assert "`genlab report runs=x`" in first
    assert write_markdown(seeds, path, "genlab report runs=x").read_text() == first


@pytest.mark.parametrize("content", ["no marker", f"{BEGIN} only", f"only {END}"])
def test_a_page_without_both_markers_is_left_alone(seeds: list[RunRecord], tmp_path: Path, content: str) -> None:
    path = tmp_path / "page.md"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"`output` must hold the markers .* \(output\)"):
        write_markdown(seeds, path, "genlab report")
    assert path.read_text() == content


def test_what_was_not_measured_is_said(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run("bare", rows=3)
    for file in (folder / "evaluation").iterdir():
        file.unlink()
    page = write_markdown([read_run(folder)], tmp_path / "page.md", "genlab report").read_text()
    assert "not measured" in page
    assert "floor without training" not in page


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    assert table(["a"], [["x|y"]]).splitlines()[-1] == "| x\\|y |"
