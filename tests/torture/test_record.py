"""The suite's record: figures go to the page by the command alone, and only between its marks."""

from dataclasses import replace
from pathlib import Path

import pytest

from genlab.torture.__main__ import main
from genlab.torture.record import (
    TABLE_BEGINS,
    TABLE_ENDS,
    Record,
    Row,
    markdown,
    read_records,
    write_docs,
    write_record,
)

ROWS = [
    Row("resume", "vae", "killed", 20, "no | difference", True, 1.5, {"torn_at": [3]}),
    Row("faults", "vae", "full", 2, "2 differences", False, 0.5),
    Row("faults", "vae", "read-only", 0, "not tried", None, 0.0),
]
VERSIONS: dict[str, str | None] = {"python": "3.11", "torch": "2", "pytorch-lightning": "2.6"}
RECORD = Record("now", 60.0, {"kills": 20}, "0123456789ab", True, VERSIONS, {"processor": "P", "cores": 2}, ROWS)


def test_the_table_has_a_line_a_row_and_says_what_failed() -> None:
    lines = markdown({"resume": RECORD}).splitlines()
    assert lines[2] == "| resume | vae | killed | 20 | no \\| difference | yes |"
    assert lines[3].endswith("| 2 differences | no |")
    assert lines[4].endswith("| not tried | - |")
    assert lines[-2].startswith("- resume: kills 20; on P, 2 cores")
    assert "commit 0123456789 with changes" in lines[-2]
    assert lines[-1] == "- not tried: faults, numbers, stopping, determinism, bad_input"


def test_docs_are_changed_between_the_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n{TABLE_BEGINS}\nold\n{TABLE_ENDS}\nbelow\n")
    write_docs(page, {"resume": RECORD})
    text = page.read_text()
    assert text.startswith(f"above\n{TABLE_BEGINS}\n\n| what |")
    assert text.endswith(f"{TABLE_ENDS}\nbelow\n")
    assert "old" not in text
    page.write_text("no marks")
    with pytest.raises(ValueError, match="must have the lines"):
        write_docs(page, {"resume": RECORD})
    assert page.read_text() == "no marks"


def test_records_keep_every_detail_and_each_section_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert read_records(folder) == {}
    write_record(folder, "stopping", RECORD)
    write_record(folder, "resume", replace(RECORD, seconds=1.0))
    write_record(folder, "resume", replace(RECORD, seconds=2.0))
    assert read_records(folder) == {"resume": replace(RECORD, seconds=2.0), "stopping": RECORD}
    assert [*read_records(folder)] == ["resume", "stopping"]


@pytest.mark.parametrize("words", [["--models", "rnn"], ["--only", "kill"], ["--kills", "0"], ["--kills", "many"]])
def test_what_is_wrong_on_the_command_line_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(words)
    assert refused.value.code == 2
    assert words[0] in capsys.readouterr().err
