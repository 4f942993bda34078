"""``genlab studies``: the ledger and its pages, from studies that are here and from what an earlier ledger found."""

import json
from pathlib import Path

import pytest

from genlab.reporting.study_markdown import VERDICTS
from genlab.run.config_files import studies
from genlab.run.study_plan import load_definition
from genlab.studies.study import at_budget

PART = {
    "case": "", "figures": "a 1; b 2", "effect": "difference 1", "n_seeds": 3, "estimate": 1.0, "low": 0.9, "high": 1.1,
    "effect_size": 9.0, "p_for": 1e-9, "p_against": 1.0, "unit": "", "t": 9.0, "dof": 4.0, "missing": "",
}  # fmt: skip
ROW = {"id": "G6", "study": "gan_generator", "budget": "smoke", "measure": "FID", "rule": "by eye", "parts": [PART]}


@pytest.fixture
def waiting(place: Path) -> Path:
    """A study that has been planned, and nothing done."""
    folder = place / "runs/rnn_lr/smoke"
    folder.mkdir(parents=True)
    definition = at_budget(load_definition("rnn_lr"), "smoke")
    plan = {"name": "rnn_lr", "budget": "smoke", "definition": definition, "jobs": []}
    (folder / "study.json").write_text(json.dumps(plan))
    return folder


def test_what_an_earlier_ledger_found_is_in_this_one(genlab, place: Path, waiting: Path) -> None:
    (place / "earlier.json").write_text(json.dumps({"rows": [ROW]}))
    answer = genlab("studies", "budget=smoke", "earlier=earlier.json", "output=pages")
    assert (answer.code, answer.err) == (0, "")
    assert "1 confirmed, 0 refuted" in answer.out
    rows = {row["id"]: row for row in json.loads((place / "pages/claims.json").read_text())["rows"]}
    assert (rows["G6"]["verdict"], rows["G6"]["from_earlier"], rows["G6"]["parts"]) == ("confirmed", True, [PART])
    assert not any(row["from_earlier"] for name, row in rows.items() if name != "G6")
    page = (place / "pages/claims.md").read_text()
    assert "`genlab studies budget=smoke earlier=earlier.json output=pages`" in page
    assert "As an earlier ledger found them, for their runs are not at hand: gan_generator." in page
    again = genlab("studies", "budget=smoke", "earlier=pages/claims.json", "output=again")
    assert again.code == 0
    assert json.loads((place / "again/claims.json").read_text())["rows"] == list(rows.values())


def test_a_ledger_grows_where_it_lies(genlab, place: Path, waiting: Path) -> None:
    """What lies in the output is not lost because its runs are elsewhere, and its pages have the verdicts of now."""
    (place / "pages").mkdir()
    (place / "pages/claims.json").write_text(json.dumps({"rows": [ROW]}))
    page = place / "pages/gan_generator.md"
    figures = "<!-- figures: written by a command -->\n\nA table.\n\n"
    page.write_text(f"Prose.\n\n{figures}{VERDICTS}\n\nof then\n\n<!-- end of figures -->\n\nMore prose.\n")
    assert genlab("studies", "budget=smoke", "output=pages").code == 0
    rows = {row["id"]: row for row in json.loads((place / "pages/claims.json").read_text())["rows"]}
    assert rows["G6"]["verdict"] == "confirmed"
    text = page.read_text()
    assert text.startswith(f"Prose.\n\n{figures}{VERDICTS}\n\n| claim | statement | rule |")
    assert text.endswith("<!-- end of figures -->\n\nMore prose.\n")
    assert "of then" not in text
    assert "| G6 | a fourth generator layer learns better | by eye | **confirmed** |" in text
    own = json.loads((waiting / "claims.json").read_text())
    assert own["correction"] == "Holm over 1 claims", "a study's own folder has the ledger's figures, too"


@pytest.mark.parametrize("content", [None, "{", '{"rows": [{"id": "G6", "budget": "smoke", "parts": [1]}]}'])
def test_an_earlier_ledger_that_is_none_is_refused(genlab, place: Path, waiting: Path, content: str | None) -> None:
    if content is not None:
        (place / "earlier.json").write_text(content)
    answer = genlab("studies", "budget=smoke", "earlier=earlier.json", "output=pages")
    assert answer.code == 2
    assert answer.err.startswith(
        "genlab studies: `earlier` must be a claims.json that genlab studies has written; got "
    )
    assert answer.err.count("\n") == 1
    assert not (place / "pages").exists()


def test_every_claim_of_every_study_is_in_the_ledger(genlab, place: Path, waiting: Path) -> None:
    assert genlab("studies", "budget=smoke", "output=pages").code == 0
    found = [row["id"] for row in json.loads((place / "pages/claims.json").read_text())["rows"]]
    assert sorted(found) == sorted(name for study in studies() for name in load_definition(study)["claims"])
