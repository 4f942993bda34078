"""``genlab sample`` of the image models, from run folders whose weights are as they were initialised."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image, ImageSequence

from genlab.reporting.runs import read_run
from genlab.reporting.sheets import PANEL
from genlab.run.config_files import config_dir

FOLDERS = {
    "vae": ["experiment=vae"],
    "vae20": ["experiment=vae", "model.latent_dim=20"],
    "dcgan": ["experiment=dcgan"],
    "classifier": ["experiment=classifier"],
    "conditional": ["experiment=dcgan_conditional"],
    "infogan": ["experiment=dcgan_infogan"],
    "reported": ["experiment=dcgan_z1z2_report"],
}


def _make_run(folder: Path, overrides: list[str]) -> None:
    """A run folder as training leaves it, but for the training; on the digits that need no download."""
    words = [*overrides, "data.dataset=digits", "data.val_size=100", f"run_dir={folder}"]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", overrides=words)
    OmegaConf.resolve(cfg)
    data = instantiate(cfg.data)
    torch.manual_seed(0)
    module = instantiate(cfg.model, optimizer=instantiate(cfg.optimizer), **data.facts())
    checkpoint = {"state_dict": module.state_dict(), "global_step": 0}
    module.on_save_checkpoint(checkpoint)
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(checkpoint, folder / "checkpoints" / "best.ckpt")
    OmegaConf.save(cfg, folder / "config.yaml")
    status = {"state": "done", "reason": "", "ended": "2026-01-02", "iterations": 0, "metrics": {}, "seconds": 0.0}
    (folder / "status.json").write_text(json.dumps(status))
    (folder / "provenance.json").write_text(json.dumps({"data": data.provenance()}))
    (folder / "metrics.csv").write_text("step\n")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("images")
    for name, overrides in FOLDERS.items():
        _make_run(parent / name, overrides)
    return parent


@pytest.fixture
def runs(made_once: Path, place: Path) -> Path:
    """Run folders of every image model beside each other, to be written into."""
    shutil.copytree(made_once, place / "runs")
    return place / "runs"


Draw = Callable[..., dict[str, bytes]]


@pytest.fixture
def draw(genlab, runs: Path) -> Draw:
    """Sample from a run, which must go well; the files that it says it wrote, by name."""

    def run(name: str, *words: str) -> dict[str, bytes]:
        answer = genlab("sample", f"run={runs / name}", *words)
        assert (answer.code, answer.err) == (0, ""), answer
        paths = [Path(line.removeprefix("written to ")) for line in answer.out.splitlines() if "written to" in line]
        assert {path.parent for path in paths} == {runs / name / "samples"}
        return {path.name: path.read_bytes() for path in paths}

    return run


def _size(runs: Path, name: str) -> tuple[int, int]:
    with Image.open(runs / name) as image:
        image.load()
        return image.size


def test_a_generator_draws_a_grid_unless_told_otherwise(draw: Draw, runs: Path) -> None:
    for name in ("dcgan", "vae"):
        assert set(draw(name)) == {"grid.png"}
        assert _size(runs, f"{name}/samples/grid.png") == (8 * 86 + 2, 8 * 86 + 2)
    assert set(draw("dcgan", "count=6", "columns=6")) == {"grid.png"}
    assert _size(runs, "dcgan/samples/grid.png") == (6 * 86 + 2, 86 + 2)


def test_results_depend_on_the_seed_alone(draw: Draw, runs: Path) -> None:
    first = draw("vae", "count=4")
    (runs / "vae" / "samples" / "grid.png").unlink()
    torch.manual_seed(99)
    assert draw("vae", "count=4") == first
    assert draw("vae", "count=4", "seed=1") != first
    with Image.open(runs / "vae" / "samples" / "grid.png") as image:
        four = np.asarray(image)
    draw("vae", "count=9", "seed=1")
    with Image.open(runs / "vae" / "samples" / "grid.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[:88, :88], four[:88, :88])


def test_digits_on_demand(draw: Draw, runs: Path) -> None:
    whole, seven = draw("conditional", "count=4"), draw("conditional", "count=4", "digit=7")
    assert set(seven) == {"grid.png"}
    assert seven != whole
    assert draw("conditional", "count=4", "digit=0") not in (whole, seven)
    assert set(draw("conditional", "kind=[digits,identities,transfer]", "count=3")) == {
        "digits.png",
        "identities.png",
        "transfer.png",
    }
    assert _size(runs, "conditional/samples/digits.png") == (10 * 86 + 2, 3 * 86 + 2)
    assert set(draw("reported", "kind=identities", "count=2", "columns=5")) == {"identities.png"}
    assert set(draw("infogan", "kind=digits", "count=2")) == {"digits.png"}


def test_a_row_keeps_its_style_and_a_column_its_digit(draw: Draw, runs: Path) -> None:
    """The first image of a row of ``transfer`` is the one that the others are in the style of."""
    draw("conditional", "kind=transfer", "count=2", "seed=3")
    draw("conditional", "count=2", "columns=2", "seed=3")
    with (
        Image.open(runs / "conditional/samples/transfer.png") as sheet,
        Image.open(runs / "conditional/samples/grid.png") as grid,
    ):
        transfer, images = np.asarray(sheet), np.asarray(grid)[2 : 2 + 84 : 3, 2 : 2 + 84 : 3]
    scale = 860 // (11 * 28)
    row = transfer[4 : 4 + 28 * scale : scale]
    assert any(np.array_equal(row[:, left : left + 28 * scale : scale], images) for left in range(60))


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("dcgan", ["digit=7"], r"`digit` must be left out for this dcgan: it has no digits that it could be asked for"),
        ("vae", ["digit=7"], r"`digit` must be left out for this vae: it has no digits"),
        ("infogan", ["digit=7"], r"`digit` must be left out for this dcgan: it has codes that nobody has named"),
        ("conditional", ["digit=10"], r"`digit` must be in 0 \.\. 9; got 10 \(digit\)"),
        ("conditional", ["digit=x"], r"`digit` must be an integer >= 0; got 'x' \(digit\)"),
        ("conditional", ["kind=walk", "digit=1"], r"`digit` must be left out for kind=walk; got 1 \(digit\)"),
        ("reported", ["kind=digits"], r"`kind` must be one of .*identities.*: it has no digits or codes to ask for"),
        ("dcgan", ["kind=identities"], r"`kind` must be one of .*: it has latents without identity and style"),
    ],
)
def test_who_cannot_be_asked_says_so(genlab, runs: Path, name: str, words: list[str], said: str) -> None:
    answer = genlab("sample", f"run={runs / name}", *words)
    assert answer.code == 2
    assert re.search(said, answer.err), answer.err
    assert not (runs / name / "samples").exists()


def test_a_walk_is_a_sheet_a_strip_and_an_animation(draw: Draw, runs: Path) -> None:
    assert set(draw("dcgan", "kind=walk", "points=3", "steps=6")) == {"walk.png", "walk_strip.png", "walk.gif"}
    # 13 images: of 4 to 7 columns, 7 leave the fewest places empty
    assert _size(runs, "dcgan/samples/walk.png") == (7 * 29 + 1, 2 * 29 + 1)
    assert _size(runs, "dcgan/samples/walk_strip.png") == (7 * 86 + 2, 2 * 86 + 2)
    with Image.open(runs / "dcgan" / "samples" / "walk.gif") as image:
        assert image.size == (112, 112)
        assert sum(1 for _ in ImageSequence.Iterator(image)) == 13


def test_a_walk_goes_from_points_to_points(draw: Draw, runs: Path) -> None:
    """The ends of the parts of a walk are the images at its points, in order."""
    draw("vae", "kind=walk", "points=4", "steps=1", "seed=5")
    draw("vae", "count=4", "columns=4", "seed=5")
    with Image.open(runs / "vae/samples/walk.png") as walk, Image.open(runs / "vae/samples/grid.png") as grid:
        on_sheet, large = np.asarray(walk), np.asarray(grid)
    for place in range(4):
        row, column = divmod(place, 2)
        small = on_sheet[1 + 29 * row : 29 + 29 * row, 1 + 29 * column : 29 + 29 * column]
        np.testing.assert_array_equal(large[2 : 2 + 84 : 3, 2 + 86 * place : 2 + 86 * place + 84 : 3], small)


def test_ways_differ_and_encodings_of_test_images_are_another_start(draw: Draw) -> None:
    walk = ("kind=walk", "points=3", "steps=4")
    sheets = {
        draw("vae20", *walk, *words)["walk.png"]
        for words in ([], ["interpolation=spherical"], ["from_images=true"], ["from_images=true", "seed=1"])
    }
    assert len(sheets) == 4
    assert draw("vae20", *walk, "interpolation=linear", "from_images=false")["walk.png"] in sheets


def test_a_classifier_labels_generated_images(draw: Draw, runs: Path, genlab) -> None:
    files = draw("dcgan", "kind=labelled", f"judge={runs / 'classifier'}", "count=4", "columns=2")
    assert set(files) == {"labelled.png"}
    with Image.open(runs / "dcgan" / "samples" / "labelled.png") as image:
        pixels = np.asarray(image)
    captions = pixels[8 + 84 : 8 + 84 + 20]
    assert (captions > 2 * PANEL).any()
    nearby = genlab("sample", f"run={runs / 'dcgan'}", "kind=labelled", "count=4", "columns=2")
    assert nearby.code == 0
    assert f"read by {runs / 'classifier'}" in nearby.out
    assert (runs / "dcgan" / "samples" / "labelled.png").read_bytes() == files["labelled.png"]


def test_several_kinds_are_drawn_by_one_command(draw: Draw) -> None:
    assert {"grid.png", "manifold.png", "scatter.png"} <= set(draw("vae", "kind=[grid,manifold,scatter]"))


def test_two_latent_dimensions_make_a_map(draw: Draw, runs: Path) -> None:
    assert "manifold.png" in draw("vae", "kind=manifold", "columns=4")
    assert _size(runs, "vae/samples/manifold.png") == (4 * 84, 4 * 84)
    assert "scatter.png" in draw("vae", "kind=scatter", "count=50")
    assert _size(runs, "vae/samples/scatter.png") == (1280, 1120)


def test_the_map_has_its_first_dimension_to_the_right_and_its_second_upwards(
    draw: Draw, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genlab.vae.module import VaeModule

    seen: list[torch.Tensor] = []
    decode = VaeModule.decode
    monkeypatch.setattr(VaeModule, "decode", lambda self, z: seen.append(z) or decode(self, z))
    draw("vae", "kind=manifold", "columns=2")
    quartile = 0.67449  # of the normal distribution
    expected = [[-quartile, quartile], [quartile, quartile], [-quartile, -quartile], [quartile, -quartile]]
    torch.testing.assert_close(seen[0], torch.tensor(expected), atol=1e-5, rtol=0)


def test_reconstructions_stand_below_their_images(draw: Draw, runs: Path) -> None:
    from genlab.run.evaluation_data import load_data
    from genlab.run.trained import load_trained

    draw("vae", "kind=reconstructions", "count=3", "columns=2", "seed=4")
    with Image.open(runs / "vae" / "samples" / "reconstructions.png") as image:
        pixels = np.asarray(image)[:, -2 * 86 - 2 :]
    trained = load_trained(str(runs / "vae"))
    real = load_data(trained).evaluation_data().real("test", 3, 4)
    below = (trained.module.reconstruct(real.floats()) * 255).round().byte()
    for index in range(3):
        row, column = divmod(index, 2)
        for offset, images in ((0, real.images), (1, below)):
            top, left = 2 + 86 * (2 * row + offset), 2 + 86 * column
            found = pixels[top : top + 84 : 3, left : left + 84 : 3]
            np.testing.assert_array_equal(found, images[index, 0].numpy())
    assert (pixels[2 + 86 * 2 : -2, -86:] == PANEL).all(), "there is no fourth pair"


def test_a_classifier_shows_its_surest_mistakes(draw: Draw, runs: Path, genlab) -> None:
    assert set(draw("classifier", "count=4", "columns=4")) == {"mistakes.png"}
    width, height = _size(runs, "classifier/samples/mistakes.png")
    assert width > height
    answer = genlab("sample", f"run={runs / 'classifier'}", "count=4")
    assert "test images are misread" in answer.out


def test_output_names_the_file_and_what_goes_with_it(genlab, runs: Path, place: Path) -> None:
    words = ["kind=walk", "points=2", "steps=2", "output=docs/my walk.png"]
    answer = genlab("sample", f"run={runs / 'dcgan'}", *words)
    assert answer.code == 0
    files = sorted(path.name for path in (place / "docs").iterdir())
    assert files == ["my walk.gif", "my walk.png", "my walk_strip.png"]
    assert not (runs / "dcgan" / "samples").exists()


def test_samples_are_on_the_page(draw: Draw, runs: Path, genlab, place: Path) -> None:
    draw("dcgan", "count=4")
    assert len(read_run(runs / "dcgan").pictures) == 1
    assert genlab("report", f"runs={runs}", "output=report.html").code == 0
    assert "Images from the prior" in (place / "report.html").read_text()


REFUSED = {
    "dcgan kind=[grid,manifold]": "for this dcgan: it has 100 latent dimensions, not 2; got 'manifold' (kind)",
    "dcgan kind=[grid,walk] output=a.png": "`output` must be left out for several kinds; got 'a.png' (output)",
    "dcgan kind=gird": "one of grid, walk, labelled for this dcgan; got 'gird' (kind; did you mean grid?)",
    "dcgan kind=manifold": "for this dcgan: it has 100 latent dimensions, not 2; got 'manifold' (kind)",
    "dcgan kind=reconstructions": "for this dcgan: it has no encoder; got 'reconstructions' (kind)",
    "dcgan kind=scatter": "for this dcgan: it has no encoder; got 'scatter' (kind)",
    "vae20 kind=scatter": "grid, walk, labelled, reconstructions for this vae: it has 20 latent dimensions, not 2",
    "vae kind=mistakes": "for this vae: it has no classes that it could mistake; got 'mistakes' (kind)",
    "classifier kind=grid": "be one of mistakes for this classifier: it has no latents to draw images from; got 'grid'",
    "dcgan length=100": "`length` must be left out: a dcgan has no use for it; got 100 (length)",
    "vae temperature=0.5": "`temperature` must be left out: a vae has no use for it; got 0.5 (temperature)",
    "classifier prompt=a": "`prompt` must be left out: a classifier has no use for it; got 'a' (prompt)",
    "dcgan points=4": "`points` must be left out for kind=grid; got 4 (points)",
    "dcgan kind=walk count=4": "`count` must be left out for kind=walk; got 4 (count)",
    "dcgan judge=x": "`judge` must be left out for kind=grid; got 'x' (judge)",
    "dcgan count=0": "`count` must be an integer >= 1; got 0 (count)",
    "dcgan columns=many": "`columns` must be an integer >= 1; got 'many' (columns)",
    "dcgan seed=-1": "`seed` must be an integer >= 0; got -1 (seed)",
    "dcgan kind=walk points=1": "`points` must be an integer >= 2; got 1 (points)",
    "dcgan kind=walk steps=0": "`steps` must be an integer >= 1; got 0 (steps)",
    "dcgan kind=walk interpolation=sferical": "got 'sferical' (interpolation; did you mean spherical?)",
    "dcgan kind=walk from_images=true": "`from_images` must be false for this dcgan: it has no encoder; got True",
    "vae kind=walk from_images=3": "`from_images` must be true or false; got 3 (from_images)",
    "vae kind=manifold columns=1": "`columns` must be an integer >= 2; got 1 (columns)",
    "dcgan kind=labelled judge=nowhere": "`judge` must be a run's folder with a readable config.yaml; got 'nowhere'",
    "dcgan kind=labelled judge=runs/vae": "`judge` must be the run of a classifier; got 'runs/vae' (judge)",
    "dcgan output=grid.jpg": "`output` must end in .png; got 'grid.jpg' (output)",
    "dcgan output=runs/dcgan/config.yaml/x.png": "`output` must be a file that can be written",
    "dcgan checkpoint=first": "`checkpoint` must be one of best, last; got 'first'",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_wrong_gets_one_line_and_leaves_nothing(line: str, genlab, runs: Path, files) -> None:
    before = files(runs)
    name, *words = line.split()
    answer = genlab("sample", f"run=runs/{name}", *words)
    assert (answer.code, answer.err.count("\n")) == (2, 1), answer
    assert REFUSED[line] in answer.err
    assert files(runs) == before


def test_without_any_classifier_there_are_no_labels(genlab, runs: Path) -> None:
    shutil.rmtree(runs / "classifier")
    answer = genlab("sample", f"run={runs / 'dcgan'}", "kind=labelled")
    assert (answer.code, answer.out) == (2, "")
    assert "`judge` must be a classifier's run: there is none of the same data nearby; got None (judge)" in answer.err
