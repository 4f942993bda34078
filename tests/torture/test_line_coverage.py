"""The table of lines that the tests run: sums by folder, and an exit code that says whether they are enough."""

import json
from pathlib import Path
from typing import Any

import pytest

from genlab.torture.line_coverage import MARKS, lines_by_folder, main


def measured(there: int, run: int) -> dict[str, Any]:
    return {"summary": {"num_statements": there, "covered_lines": run}}


FILES = {
    "src/genlab/vae/nets.py": measured(10, 9),
    "src/genlab/vae/losses.py": measured(30, 30),
    "/elsewhere/genlab/checks.py": measured(20, 15),
    "src/genlab/vae/__init__.py": measured(0, 0),
}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps({"meta": {"version": "7"}, "files": FILES}))
    return path


def test_lines_are_summed_by_folder() -> None:
    assert lines_by_folder(FILES) == {"(top)": (20, 15), "vae/": (40, 39), "all": (60, 54)}
    assert list(lines_by_folder(FILES))[-1] == "all"


def test_the_exit_code_says_whether_it_is_enough(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(report), "--at-least", "90"]) == 0
    assert main([str(report), "--at-least", "90.1"]) == 1
    assert "| all | 60 | 54 | 90.0 % |" in capsys.readouterr().out.splitlines()


def test_the_table_goes_between_its_marks(report: Path, tmp_path: Path) -> None:
    docs = tmp_path / "reliability.md"
    docs.write_text(f"before\n{MARKS[0]}\nwas here\n{MARKS[1]}\nafter\n")
    assert main([str(report), "--write-docs", str(docs)]) == 0
    text = docs.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| vae/ | 40 | 39 | 97.5 % |" in text
    assert "was here" not in text


@pytest.mark.parametrize("content", ["{", "{}", '{"meta": {"version": "7"}, "files": {}}', "[]"])
def test_a_damaged_file_ends_with_2(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "coverage.json"
    path.write_text(content)
    assert main([str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
