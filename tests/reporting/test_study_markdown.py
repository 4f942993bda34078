"""A study's page and the ledger in Markdown: what is written, what is copied, and what is left alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genlab.reporting.markdown import BEGIN, END
from genlab.reporting.study_figures import draw_study
from genlab.reporting.study_markdown import write_claims_page, write_study_page
from genlab.studies.axes import axis_words
from genlab.studies.folder import StudyRecord
from genlab.studies.ledger import Ledger, make_ledger
from genlab.studies.observations import observe

LENGTH = axis_words("seq_len")
MakeStudy = Callable[..., StudyRecord]


@pytest.fixture
def ledger(capacity: StudyRecord) -> Ledger:
    draw_study(capacity, observe(capacity), capacity.folder / "figures")
    elsewhere = {"another": {**capacity.definition, "claims": {"G2": capacity.definition["claims"]["R1"]}}}
    return make_ledger([capacity], elsewhere)


def _write(study: StudyRecord, ledger: Ledger, folder: Path) -> str:
    return write_study_page(study, observe(study), ledger.rows, folder, "genlab report x").read_text()


def test_a_page_has_question_command_runs_table_figures_and_verdicts(
    capacity: StudyRecord, ledger: Ledger, tmp_path: Path
) -> None:
    page = _write(capacity, ledger, tmp_path / "docs")
    for part in (
        "# capacity\n",
        "Written by `genlab report x`.",
        f"**Question.** {capacity.definition['question']}",
        "`genlab train -m study=capacity budget=quick`",
        "**Runs.** 17 of 18 done, at budget quick.",
        "- `hidden_size=256,seq_len=50,seed=2`: failed, FloatingPointError: the loss is nan",
        f"With the weights of best.ckpt:\n\n| hidden size | {LENGTH} | seeds |",
        "By temperature:\n\n",
        f"![Held-out text by {LENGTH}](capacity_bits_lines_seq_len.png)",
        "*Generated images while training*: not drawn, for nothing was measured yet.",
        *(f"| {row.id} | {row.statement} | {row.rule} | **{row.verdict}** |" for row in ledger.rows[:2]),
        *(f"- {row.id}: {part.text}" for row in ledger.rows[:2] for part in row.parts),
    ):
        assert part in page, part
    assert "G2" not in page


def test_figures_stand_beside_the_page_as_they_were_drawn(
    capacity: StudyRecord, ledger: Ledger, tmp_path: Path
) -> None:
    page = _write(capacity, ledger, tmp_path / "docs")
    drawn = sorted((capacity.folder / "figures").glob("*.png"))
    copies = sorted((tmp_path / "docs").glob("*.png"))
    assert [copy.name for copy in copies] == [f"capacity_{path.name}" for path in drawn]
    assert [copy.read_bytes() for copy in copies] == [path.read_bytes() for path in drawn]
    assert all(f"]({copy.name})" in page for copy in copies)
    assert len(copies) == 6


def test_prose_around_the_markers_stays(capacity: StudyRecord, ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "capacity.md"
    path.write_text(f"# Mine\n\nProse.\n\n{BEGIN}\nwhat was written before\n{END}\n\nVerdict.\n")
    page = _write(capacity, ledger, tmp_path)
    assert page.startswith(f"# Mine\n\nProse.\n\n{BEGIN}\n\nWritten by")
    assert page.endswith(f"{END}\n\nVerdict.\n")
    assert "what was written before" not in page
    assert _write(capacity, ledger, tmp_path) == page
    path.write_text("no markers")
    with pytest.raises(ValueError, match=r"`output` must hold the markers .* \(output\)"):
        _write(capacity, ledger, tmp_path)
    assert path.read_text() == "no markers"


def test_many_runs_that_are_missing_are_counted(
    make_study: MakeStudy, capacity_definition: dict[str, Any], measure_text: Any, tmp_path: Path
) -> None:
    seeds = list(range(4))
    names = [f"hidden_size={h},seq_len={t},seed={s}" for h in (100, 256) for t in (20, 30, 50) for s in seeds]
    definition = {**capacity_definition, "seeds": seeds}
    study = make_study("new", definition, measure_text, ended=dict.fromkeys(names, ("waiting", "")))
    page = _write(study, make_ledger([study], {}), tmp_path)
    assert "0 of 24 done" in page
    assert page.count(": waiting\n") == 20
    assert "- and 4 more" in page


def test_the_ledger_is_one_table_with_links_to_the_pages_that_are_there(
    capacity: StudyRecord, ledger: Ledger, tmp_path: Path
) -> None:
    _write(capacity, ledger, tmp_path)
    page = write_claims_page(ledger.rows, tmp_path / "claims.md", "genlab report x").read_text()
    rows = [line for line in page.splitlines() if line.startswith(("| R", "| G"))]
    assert [row.split(" | ")[0] for row in rows] == ["| R1", "| R2", "| G2"]
    assert all(row.endswith("| [capacity](capacity.md), quick |") for row in rows[:2])
    assert rows[2].endswith("| another |")
    assert "not run yet: genlab train -m study=another budget=quick" in rows[2]
    verdicts = [row.verdict for row in ledger.rows]
    counts = ", ".join(f"{verdicts.count(name)} {name}" for name in ("confirmed", "refuted", "undecided"))
    assert f"3 claims: {counts}." in page
