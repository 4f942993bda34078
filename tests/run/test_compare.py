"""``genlab compare``: two run folders in, a table out; nothing but JSON is read."""

import json
from pathlib import Path
from typing import Any

import pytest


def _run(folder: Path, fid: float, **more: Any) -> None:
    (folder / "evaluation").mkdir(parents=True)
    (folder / "config.yaml").write_text(f"name: {folder.name}\nmodel: {{}}\nevaluators: {{recall: {{}}}}\n")
    (folder / "status.json").write_text('{"state": "done"}')
    (folder / "provenance.json").write_text("{}")
    (folder / "metrics.csv").write_text("step\n")
    result = {"value": fid, "unit": "squared feature distance", "floor": {"value": 0.5}, "judge_sha256": "ab" * 32}
    (folder / "evaluation" / "fid_mnist_cnn.json").write_text(json.dumps({**result, **more}))


@pytest.fixture
def runs(place: Path) -> Path:
    for name, fid in (("dcgan", 3.0), ("vae", 9.0)):
        _run(place / "runs" / name, fid)
    return place / "runs"


@pytest.mark.parametrize("words", [["runs=[runs/dcgan,runs/vae]"], ["runs=runs"], ["runs=runs/*"]])
def test_two_runs_are_put_side_by_side(words: list[str], genlab, runs: Path, files) -> None:
    before = files(runs)
    answer = genlab("compare", *words)
    assert (answer.code, answer.err) == (0, "")
    (line,) = [line for line in answer.out.splitlines() if "FID" in line]
    assert line.split() == ["FID", "(mnist_cnn)", "3", "*", "9", "0.5", "lower"]
    assert answer.out.splitlines()[0].split() == ["dcgan", "vae", "real", "data", "better"]
    assert "vae lacks recall: genlab evaluate run=runs/vae 'only=[recall]' judge=FOLDER" in answer.out
    assert files(runs) == before


def test_the_table_is_written_as_markdown(genlab, runs: Path, place: Path) -> None:
    answer = genlab("compare", "runs=[runs/dcgan,runs/vae]", "output=docs/gan against vae.md")
    assert answer.code == 0
    assert answer.out.endswith("written to docs/gan against vae.md\n")
    assert "| **3** | 9 | 0.5 | lower |" in (place / "docs" / "gan against vae.md").read_text()


def test_other_judges_are_said_in_one_line_and_nothing_is_marked(genlab, runs: Path) -> None:
    _run(runs / "other", 1.0, judge_sha256="cd" * 32)
    answer = genlab("compare", "runs=[runs/dcgan,runs/other]")
    assert answer.code == 0
    assert "Judged by different classifiers (abababababab, cdcdcdcdcdcd): nothing is marked as better.\n" in answer.out
    assert "*" not in answer.out


REFUSED = {
    "": "runs is missing: genlab compare runs=...",
    "runs=[runs/dcgan]": "`runs` must name at least two runs; got 1 (runs)",
    "runs=[runs/dcgan,nowhere]": "`runs` must name run folders; got 'nowhere', which is no folder (runs)",
    "runs=runs output=table.html": "`output` must end in .md; got 'table.html' (output)",
    "runs=runs output=runs/vae/config.yaml/x.md": "`output` must be a file that can be written",
    "runs=runs outptu=x.md": "outptu: no such key; did you mean output?",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_wrong_gets_one_line_and_leaves_nothing(line: str, genlab, runs: Path, files) -> None:
    before = files(runs)
    answer = genlab("compare", *line.split())
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    assert REFUSED[line] in answer.err
    assert files(runs) == before


def test_runs_without_images_have_nothing_to_compare(genlab, runs: Path) -> None:
    for name in ("dcgan", "vae"):
        (runs / name / "evaluation" / "fid_mnist_cnn.json").unlink()
    answer = genlab("compare", "runs=runs")
    assert (answer.code, answer.out) == (2, "")
    assert "`runs` must have been evaluated as image models; got runs/dcgan, runs/vae (runs)" in answer.err


def test_a_long_table_fits_a_narrow_terminal(genlab, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    answer = genlab("compare", "runs=runs")
    assert max(len(line) for line in answer.out.splitlines()[:3]) <= 60
