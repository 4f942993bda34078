"""The kinds of picture of an image model: what it generates, how it goes from one image to another, where it errs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from genlab.checks import at_least, one_of, refuse
from genlab.evaluation.image_data import ImageData, Scored, to_bytes
from genlab.evaluation.walks import WAYS, walk
from genlab.reporting.judgements import latent_scatter
from genlab.reporting.sheets import PANEL, contact_sheet
from genlab.run.evaluation_data import load_data
from genlab.run.judge import load_judge
from genlab.run.trained import Trained

SHEET_WIDTH = 860  # pixels that a sheet is enlarged to at most, by whole factors
MAX_SCALE = 3
MAX_FRAMES = 450  # of an animation: 18 seconds
STRIP = 20  # images of a walk that are shown large

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Animation:
    """Images (N, C, H, W) to be shown one after another."""

    frames: Pixels


Content = Image.Image | Animation | Figure


@dataclass(frozen=True)
class Request:
    """What to draw: of which model, with which seed and settings (those of its kind, each with a value)."""

    trained: Trained
    seed: int
    settings: Mapping[str, Any]

    def whole(self, name: str, minimum: int = 1) -> int:
        """The setting ``name``. Raises ``ValueError`` unless it is an integer of at least ``minimum``."""
        return at_least(name, self.settings[name], minimum, name)

    @property
    def model(self) -> Any:
        """The module."""
        return self.trained.module

    @cached_property
    def datamodule(self) -> Any:
        """The run's datamodule."""
        return load_data(self.trained)

    @cached_property
    def data(self) -> ImageData:
        """The images behind the model."""
        data: ImageData = self.datamodule.evaluation_data()
        return data

    def judged(self, images: Tensor) -> Scored:
        """uint8 images in the eyes of the classifier that ``judge`` names. Raises ``ValueError`` without one."""
        path, sha256 = self.settings["judge"], str(self.datamodule.provenance()["sha256"])
        judge = load_judge(None if path is None else str(path), self.trained.folder, sha256)
        if judge is None:
            raise refuse("judge", "be a classifier's run: there is none of the same data nearby", path, "judge")
        print(f"read by {judge.folder}")
        return Scored(images, None, judge.module)


@dataclass(frozen=True)
class Kind:
    """One kind of picture: how it is drawn, what a model lacks for it (nothing: ""), and its settings' defaults.

    ``draw`` gives what is to be written by the end of its file's name.
    """

    draw: Callable[[Request], dict[str, Content]]
    lacking: Callable[[Any], str]
    settings: Mapping[str, Any]


def model_name(trained: Trained) -> str:
    """``dcgan`` and the like."""
    return str(trained.config.model._target_).split(".")[1]


# --- the kinds ---------------------------------------------------------------------------------------------------


def _grid(request: Request) -> dict[str, Content]:
    """Images from the prior, or of one digit, as near to a square as they come unless ``columns`` says otherwise."""
    count = request.whole("count")
    columns = _side(count) if request.settings["columns"] is None else request.whole("columns")
    return {".png": _sheet(_generated(request, count, asked_digit(request)), columns)}


def _walk(request: Request) -> dict[str, Content]:
    """The way from latent to latent: every image on one sheet, some of them large, and all in motion."""
    interpolation = one_of("interpolation", request.settings["interpolation"], WAYS, "interpolation")
    points, steps = request.whole("points", 2), request.whole("steps")
    images = pixels_of(request.model.decode(walk(_stops(request, points), steps, interpolation)))
    some = np.linspace(0, len(images) - 1, min(STRIP, len(images))).round().astype(int)
    return {
        ".png": contact_sheet(images, _columns_without_gaps(len(images)), scale=1, gap=1),
        "_strip.png": _sheet(images[some], -(-len(some) // 2)),
        ".gif": Animation(images[:: -(-len(images) // MAX_FRAMES)]),
    }


def _stops(request: Request, points: int) -> Tensor:
    """The latents that a walk goes by: draws from the prior, or the encodings of test images."""
    from_images = request.settings["from_images"]
    if not isinstance(from_images, bool):
        raise refuse("from_images", "be true or false", from_images, "from_images")
    if not from_images:
        latents: Tensor = request.model.draw_latents(points, seed=request.seed)
        return latents
    if lacking := _no_encoder(request.model):
        rule = f"be false for this {model_name(request.trained)}: it has {lacking}"
        raise refuse("from_images", rule, from_images, "from_images")
    return _encoded(request, request.data.real("test", points, request.seed))


def _labelled(request: Request) -> dict[str, Content]:
    """Generated images with the digit that a classifier reads, and how sure it is."""
    images = _generated(request, request.whole("count"))
    seen = request.judged(torch.from_numpy(images))
    sure = seen.probabilities.max(dim=1).values
    captions = [f"{label}   {_percent(p)}" for label, p in zip(seen.read.tolist(), sure, strict=True)]
    return {".png": _sheet(images, request.whole("columns"), captions)}


def _manifold(request: Request) -> dict[str, Content]:
    """What lies where in two latent dimensions: a grid over equal shares of the prior, the second one upwards.

    Kingma and Welling 2014 (arXiv 1312.6114), figure 4.
    """
    side = request.whole("columns", 2)
    places = torch.special.ndtri((torch.arange(side, dtype=torch.float64) + 0.5) / side).float()
    up, right = torch.meshgrid(places.flip(0), places, indexing="ij")
    images = pixels_of(request.model.decode(torch.stack([right, up], dim=-1).reshape(-1, 2)))
    return {".png": contact_sheet(images, side, scale=scale_of(side), gap=0)}


def _scatter(request: Request) -> dict[str, Content]:
    """Where the encoder puts test images in two latent dimensions, by class."""
    count = None if request.settings["count"] is None else request.whole("count")
    seen = request.data.real("test", count, request.seed)
    assert seen.labels is not None
    title = f"Encodings of {len(seen):,} test images"
    return {".png": latent_scatter(_encoded(request, seen).numpy(), seen.labels.numpy(), title)}


def _reconstructions(request: Request) -> dict[str, Content]:
    """Test images, and below each what its encoding is decoded to."""
    columns = request.whole("columns")
    seen = request.data.real("test", request.whole("count"), request.seed)
    both = pixels_of(seen.floats()), pixels_of(request.model.reconstruct(seen.floats()))
    rows = [row for pair in zip(*(_rows(images, columns) for images in both), strict=True) for row in pair]
    titles = ["image", "reconstruction"] * (len(rows) // 2)
    sheet = contact_sheet(np.concatenate(rows), rows[0].shape[0], scale=scale_of(columns), row_titles=titles)
    return {".png": sheet}


def _mistakes(request: Request) -> dict[str, Content]:
    """The test images that a classifier gets wrong, the surest mistakes first."""
    count, columns = request.whole("count"), request.whole("columns")
    seen = request.data.seen_by(request.model, "test")
    assert seen.labels is not None
    sure = torch.where(seen.read == seen.labels, -1.0, seen.probabilities.max(dim=1).values)
    wrong = sure.argsort(descending=True, stable=True)[: min(count, int((sure >= 0).sum()))]
    print(f"{int((sure >= 0).sum()):,} of {len(seen):,} test images are misread")
    if not len(wrong):
        return {}
    captions = [f"{seen.labels[i]} read as {seen.read[i]}\n{_percent(sure[i])}" for i in wrong.tolist()]
    return {".png": _sheet(seen.images[wrong].numpy(), columns, captions)}


# --- their parts -------------------------------------------------------------------------------------------------


def asked_digit(request: Request) -> int | None:
    """The digit that was asked for; raises ``ValueError`` for one that there is not, and where a model has none."""
    digit, model = request.settings["digit"], request.model
    if digit is None:
        return None
    if lacking := _no_digits(model):
        raise refuse("digit", f"be left out for this {model_name(request.trained)}: it has {lacking}", digit, "digit")
    if at_least("digit", digit, 0, "digit") >= model.num_labels:
        raise refuse("digit", f"be in 0 .. {model.num_labels - 1}", digit, "digit")
    return int(digit)


def _generated(request: Request, count: int, digit: int | None = None) -> Pixels:
    asked = {} if digit is None else {"label": digit}
    return pixels_of(request.model.sample(count, seed=request.seed, **asked))


def _encoded(request: Request, seen: Scored) -> Tensor:
    """The means of the encodings (N, latent_dim)."""
    with torch.no_grad():
        means: Tensor = request.model.encode(seen.floats())[0]
    return means


def pixels_of(images: Tensor) -> Pixels:
    """Floats in [0, 1] as bytes, in an array."""
    pixels: Pixels = to_bytes(images.detach().float().cpu()).numpy()
    return pixels


def _percent(share: Tensor) -> str:
    """As much of it as is certain: 99.96 % is not called 100 %."""
    return f"{min(100 * float(share), 99.9):.1f} %"


def _sheet(images: Pixels, columns: int, captions: list[str] | None = None) -> Image.Image:
    gap = 2 if captions is None else 8
    return contact_sheet(images, columns, scale=scale_of(columns), gap=gap, captions=captions)


def scale_of(columns: int) -> int:
    """How often a sheet of so many columns is enlarged."""
    return min(MAX_SCALE, max(1, SHEET_WIDTH // (columns * 28)))


def _side(count: int) -> int:
    return int(np.ceil(np.sqrt(count)))


def _columns_without_gaps(count: int) -> int:
    """The number of columns, no fewer than rows and not twice as many, that leaves the fewest places empty."""
    side = _side(count)
    return min(range(side, 2 * side), key=lambda columns: -count % columns)


def _rows(images: Pixels, columns: int) -> list[Pixels]:
    """``images`` in rows of ``columns`` (of all, if there are fewer), the last one filled up with the panel's grey."""
    columns = min(columns, len(images))
    empty = np.full((-len(images) % columns, *images.shape[1:]), PANEL, dtype=np.uint8)
    return np.split(np.concatenate([images, empty]), -(-len(images) // columns))


# --- what a model lacks for a kind -------------------------------------------------------------------------------


def _no_decoder(model: Any) -> str:
    return "" if hasattr(model, "decode") else "no latents to draw images from"


def _no_digits(model: Any) -> str:
    if not getattr(model, "num_labels", 0):
        return "no digits that it could be asked for"
    return "" if model.labels_are_digits else "codes that nobody has named, and no digits"


def _no_encoder(model: Any) -> str:
    return "" if hasattr(model, "encode") else "no encoder"


def _no_map(model: Any) -> str:
    """Two latent dimensions can be put on paper."""
    return _no_decoder(model) or ("" if model.latent_dim == 2 else f"{model.latent_dim} latent dimensions, not 2")


def _no_encoder_to_map(model: Any) -> str:
    return _no_encoder(model) or _no_map(model)


def _no_answers(model: Any) -> str:
    return "" if hasattr(model, "probabilities") else "no classes that it could mistake"


KINDS = {
    "grid": Kind(_grid, _no_decoder, {"count": 64, "columns": None, "digit": None}),
    "walk": Kind(_walk, _no_decoder, {"points": 10, "steps": 100, "interpolation": "linear", "from_images": False}),
    "labelled": Kind(_labelled, _no_decoder, {"count": 30, "columns": 6, "judge": None}),
    "manifold": Kind(_manifold, _no_map, {"columns": 20}),
    "scatter": Kind(_scatter, _no_encoder_to_map, {"count": None}),
    "reconstructions": Kind(_reconstructions, _no_encoder, {"count": 10, "columns": 10}),
    "mistakes": Kind(_mistakes, _no_answers, {"count": 30, "columns": 6}),
}
"""Every kind of picture, in the order in which a model's default is looked for."""
