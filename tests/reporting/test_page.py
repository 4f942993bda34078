import base64
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genlab.reporting import pictures
from genlab.reporting.curves import draw_curves
from genlab.reporting.page import write_page
from genlab.reporting.runs import RunRecord, read_run
from genlab.reporting.sheets import contact_sheet, save_animation, save_png
from genlab.reporting.study_figures import draw_study
from genlab.studies.axes import axis_words
from genlab.studies.folder import StudyRecord
from genlab.studies.ledger import make_ledger
from genlab.studies.observations import observe

MakeRun = Callable[..., Path]
MakeStudy = Callable[..., StudyRecord]
VOID = {"meta", "img", "br", "hr", "link", "input", "rect"}


class Page(HTMLParser):
    """The tags, attributes and text of a page; asserts that each tag is closed where it must be."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.attributes.append((tag, "", ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def _drawn(folder: Path) -> RunRecord:
    draw_curves(read_run(folder), folder / "figures")
    return read_run(folder)


@pytest.fixture
def page_path(make_run: MakeRun, tmp_path: Path) -> Path:
    """A page of a done, a failed and an interrupted run."""
    done = _drawn(make_run("demo/char_rnn/one"))
    failed = read_run(make_run("demo/char_rnn/two", state="failed", reason="FloatingPointError: the loss is nan"))
    stopped = _drawn(make_run("demo/char_rnn/three", state="interrupted", reason="Ctrl-C", rows=20))
    return write_page([done, failed, stopped], tmp_path / "out" / "report.html")


def test_page_loads_nothing_from_elsewhere(page_path: Path) -> None:
    page = Page(page_path)
    for _, name, value in page.attributes:
        if name in ("src", "srcset", "data", "action", "poster", "xlink:href"):
            assert value.startswith("data:")
        if name == "href":
            assert value.startswith("#")
    tags = {tag for tag, _, _ in page.attributes}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base"}
    css = page_path.read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert "url(" not in css
    assert "@import" not in css


def test_every_anchor_resolves_and_is_unique(page_path: Path) -> None:
    page = Page(page_path)
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    targets = [value.removeprefix("#") for value in page.values("href")]
    assert {"run-1", "run-2", "run-3", "top"} <= set(targets)
    assert set(targets) | set(page.values("aria-labelledby")) <= set(ids)


def test_images_are_the_figures_of_the_run(page_path: Path, tmp_path: Path) -> None:
    uris = Page(page_path).values("src")
    files = [tmp_path / "demo" / "char_rnn" / run / "figures" for run in ("one", "three")]
    expected = [(folder / name).read_bytes() for folder in files for name in ("loss.png", "accuracy.png")]
    assert [base64.b64decode(uri.removeprefix("data:image/png;base64,")) for uri in uris] == expected


def test_page_says_what_happened(page_path: Path) -> None:
    text = Page(page_path).text
    for part in (
        "3 runs",
        "char_rnn / one",
        "1 min 10 s",
        "FloatingPointError: the loss is nan",
        "Ctrl-C",
        "this model (char_rnn)",
        "2.408",
        "temperature 1.4",
        "5 of the 30 texts",
        "genlab train experiment=char_rnn seed=0",
        "with uncommitted changes",
        "71.23",
        "cdcdcdcdcdcd",
    ):
        assert part in text, part


def test_foreign_text_is_escaped(make_run: MakeRun, tmp_path: Path) -> None:
    attack = "<script>alert('x')</script> & <img src=x onerror=y>"
    folder = make_run(state="failed", reason=attack)
    (folder / "samples" / "generated_text.txt").write_text(attack)
    (folder / "samples" / "temperature.txt").write_text(f"=== temperature 0.4 ===\n\n{attack}\n\n")
    (folder / "config.yaml").write_text(f'name: "{attack}"\n')
    path = write_page([read_run(folder)], tmp_path / "report.html", title=attack)
    page = Page(path)
    assert "script" not in {tag for tag, _, _ in page.attributes}
    assert "onerror" not in {name for _, name, _ in page.attributes}
    assert page.text.count(attack) >= 5


def test_a_run_of_another_model_is_shown_as_well(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run("vae")
    for path in [*(folder / "samples").iterdir(), *(folder / "evaluation").iterdir()]:
        path.unlink()
    (folder / "config.yaml").write_text("name: vae\nmodel: {latent_dim: 2}\ndata: {dataset: mnist}\n")
    (folder / "metrics.csv").write_text("step,train/elbo\n1,-200.0\n2,-150.0\n")
    (folder / "status.json").write_text('{"state": "done"}')
    (folder / "evaluation" / "fid_mnist_cnn.json").write_text('{"value": 12.5, "unit": "", "count": 10000, "seed": 3}')
    (folder / "figures").mkdir()
    Image.new("L", (28, 28)).save(folder / "figures" / "latent_manifold.png")
    text = Page(write_page([_drawn(folder)], tmp_path / "report.html")).text
    for part in (
        "1 run.",
        "latent size",
        "mnist",
        "Latent manifold",
        "ELBO",
        "FID (mnist_cnn)",
        "12.5",
        "10,000",
    ):
        assert part in text, part
    assert "n-gram" not in text


def test_page_refuses_no_runs_and_what_is_no_picture(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one run"):
        write_page([], tmp_path / "report.html")
    folder = make_run()
    (folder / "figures").mkdir()
    (folder / "figures" / "loss.png").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"figures/loss\.png: not a PNG image"):
        write_page([read_run(folder)], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def _with_pictures(folder: Path) -> Path:
    """A run folder with the samples of an image model: a grid, a walk in motion, and two grids of training."""
    images = np.random.default_rng(0).integers(0, 255, (6, 28, 28), dtype=np.uint8)
    for name in ("grid", "epoch_0025", "epoch_0001"):
        save_png(contact_sheet(images, 3), folder / "samples" / f"{name}.png")
    save_animation(images, folder / "samples" / "walk.gif")
    return folder


def test_samples_that_are_pictures_are_shown(make_run: MakeRun, tmp_path: Path) -> None:
    folder = _with_pictures(make_run("dcgan"))
    page = Page(write_page([read_run(folder)], tmp_path / "report.html"))
    files = ["epoch_0001.png", "epoch_0025.png", "grid.png", "walk.gif"]
    contents = [base64.b64decode(uri.partition(";base64,")[2]) for uri in page.values("src")]
    assert contents == [(folder / "samples" / file).read_bytes() for file in files]
    for part in ("Samples", "after pass 1", "after pass 25", "samples/walk.gif", "in motion"):
        assert part in page.text, part
    assert page.values("alt")[-1] == "A walk from latent to latent, in motion: char_rnn"


def test_a_picture_too_large_for_the_page_is_named(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 10)
    page = Page(write_page([read_run(_with_pictures(make_run("dcgan")))], tmp_path / "report.html"))
    assert page.values("src") == []
    assert "Too large for a page: open samples/grid.png itself" in page.text


def test_a_warning_is_on_top_and_with_its_run(make_run: MakeRun, tmp_path: Path) -> None:
    one, two, three = (read_run(make_run(name)) for name in ("a", "b", "c"))
    one.provenance["data"]["warning"] = two.evaluation["valid_words"]["warning"] = "these are <stand-in> digits"
    page = Page(write_page([one, two, three], tmp_path / "report.html"))
    top, *rest = page.text.split("What was trained")
    assert top.count("these are <stand-in> digits") == 2  # of the page, and of the first run
    assert "(char_rnn / a, char_rnn / b)" in top
    assert (
        sum(part.count("these are <stand-in> digits") for part in rest) == 2
    )  # the second run; provenance of the first


def test_real_data_stands_beside_the_measures(make_run: MakeRun, tmp_path: Path) -> None:
    record = read_run(make_run())
    record.evaluation["fid_mnist_cnn"] = {"value": 3.21, "unit": "squared feature distance", "floor": {"value": 0.4123}}
    text = Page(write_page([record], tmp_path / "report.html")).text
    assert "Real data" in text
    assert "Real text" not in text
    assert "0.4123" in text
    assert "94.21" in text


# --- studies -----------------------------------------------------------------------------------------------------


@pytest.fixture
def study(capacity: StudyRecord) -> StudyRecord:
    """Eighteen runs of a text model, one of which has failed; its figures are drawn."""
    draw_study(capacity, observe(capacity), capacity.folder / "figures")
    return capacity


def test_a_study_has_its_claims_figures_table_and_runs(study: StudyRecord, tmp_path: Path) -> None:
    rows = make_ledger([study], {}).rows
    page = Page(write_page([], tmp_path / "report.html", studies=[study], ledger=rows))
    for part in (
        "1 study of 18 runs. Everything",
        study.definition["question"],
        "17 of 18 runs done",
        *(row.statement for row in rows),
        *(row.reason for row in rows),
        "the loss is nan",
        "genlab train -m study=capacity budget=quick",
        "With the weights of best.ckpt",
        "By temperature",
        f"hidden size 100, {axis_words('seq_len')} 20",
        "temperature 0.8",
        "Not drawn, for nothing was measured yet: Generated images while training",
    ):
        assert part in page.text, part
    drawn = sorted((study.folder / "figures").glob("*.png"))
    shown = [base64.b64decode(uri.partition(";base64,")[2]) for uri in page.values("src")]
    assert sorted(shown) == sorted(path.read_bytes() for path in drawn)
    assert len(shown) == 6


def test_claims_are_counted_and_linked(study: StudyRecord, tmp_path: Path) -> None:
    elsewhere = {"another": {**study.definition, "claims": {"R9": study.definition["claims"]["R1"]}}}
    rows = make_ledger([study], elsewhere).rows
    page = Page(write_page([], tmp_path / "report.html", studies=[study], ledger=rows))
    verdicts = [row.verdict for row in rows]
    for verdict in ("confirmed", "refuted", "undecided"):
        assert f"{verdicts.count(verdict)} {verdict}" in " ".join(page.text.split())
    ids, targets = page.values("id"), [value.removeprefix("#") for value in page.values("href")]
    assert len(ids) == len(set(ids))
    assert set(targets) | set(page.values("aria-labelledby")) <= set(ids)
    assert targets.count("study-1") == 2  # from the claims that it decides
    assert {"study-1-R1", "study-1-R2"} <= set(targets)
    assert "not run yet" in page.text


def test_runs_of_a_study_are_not_told_twice(study: StudyRecord, make_run: MakeRun, tmp_path: Path) -> None:
    single = read_run(make_run("alone"))
    runs = [single, *(job.run for job in study.jobs if job.run is not None)]
    page = Page(write_page(runs, tmp_path / "report.html", studies=[study]))
    assert "1 study of 18 runs, 1 other run." in page.text
    assert page.text.count("What was trained") == 1
    assert "Claims" not in page.text  # no ledger was given
    assert [value for value in page.values("id") if value.startswith("run-")] == [
        "run-1",
        "run-1-title",
        "run-1-evaluation",
    ]


def test_one_study_at_two_budgets_is_two_sections(
    make_study: MakeStudy, capacity_definition: dict[str, Any], measure_text: Any, tmp_path: Path
) -> None:
    studies = [make_study("x", capacity_definition, measure_text, budget=budget) for budget in ("smoke", "quick")]
    page = Page(write_page([], tmp_path / "report.html", studies=studies, ledger=make_ledger(studies, {}).rows))
    assert page.values("href").count("#study-1") == 1  # the contents; no claim
    assert "x / smoke" in page.text
    assert "x / quick" in page.text
    assert len(page.values("id")) == len(set(page.values("id")))
    assert "study-2-R1" in page.values("id")
    assert "study-1-R1" not in page.values("id")  # the larger budget decides


def test_what_a_study_says_is_escaped(
    make_study: MakeStudy, capacity_definition: dict[str, Any], measure_text: Any, tmp_path: Path
) -> None:
    attack = "<script>alert('x')</script> & <img src=x onerror=y>"
    claims = {"R1": {**capacity_definition["claims"]["R1"], "statement": attack}}
    definition = {**capacity_definition, "question": attack, "claims": claims}
    failed = {"hidden_size=100,seq_len=20,seed=0": ("failed", attack)}
    study = make_study("x", definition, measure_text, ended=failed)
    rows = make_ledger([study], {}).rows
    page = Page(write_page([], tmp_path / "report.html", studies=[study], ledger=rows))
    assert "script" not in {tag for tag, _, _ in page.attributes}
    assert "onerror" not in {name for _, name, _ in page.attributes}
    assert page.text.count(attack) >= 5
