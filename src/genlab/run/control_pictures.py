"""The kinds of picture of a generator that can be told what to draw: digits on demand, and identities against styles.

Axes: R rows, C columns, Z latent.
"""

from typing import Any

import torch
from torch import Tensor

from genlab.reporting.sheets import contact_sheet
from genlab.run.pictures import Content, Kind, Pixels, Request, pixels_of, scale_of


def digits(request: Request) -> dict[str, Content]:
    """A column for each digit that can be asked for (or for each code), a row for each style."""
    model, rows = request.model, request.whole("count")
    styles = model.draw_latents(rows, seed=request.seed)
    return {".png": _sheet(_in_every_digit(request, styles), model.num_labels)}


def identities(request: Request) -> dict[str, Content]:
    """A row for each identity, a column for each style: what is drawn stays the same in a row, how in a column."""
    model, rows, columns = request.model, request.whole("count"), request.whole("columns")
    drawn = model.draw_latents(rows + columns, seed=request.seed)
    z_RCZ = model.combine(drawn[:rows].repeat_interleave(columns, 0), drawn[rows:].repeat(rows, 1))
    return {".png": _sheet(pixels_of(model.decode(z_RCZ)), columns)}


def transfer(request: Request) -> dict[str, Content]:
    """A generated image a row, and beside it every digit in its style."""
    model, rows = request.model, request.whole("count")
    sources = model.draw_latents(rows, seed=request.seed)
    images = pixels_of(model.decode(sources))
    restyled = _in_every_digit(request, sources).reshape(rows, model.num_labels, *images.shape[1:])
    whole = torch.cat([torch.from_numpy(images)[:, None], torch.from_numpy(restyled)], dim=1).flatten(0, 1)
    columns = model.num_labels + 1
    captions = [text for _ in range(rows) for text in ("from", *map(str, range(model.num_labels)))]
    return {".png": contact_sheet(whole.numpy(), columns, scale=scale_of(columns), gap=4, captions=captions)}


def _in_every_digit(request: Request, styles: Tensor) -> Pixels:
    """Every style (R, Z) with each digit in turn: R times K images. Rows share a digit's identity."""
    model, rows, labels = request.model, len(styles), request.model.num_labels
    identities_KZ = model.draw_latents(labels, seed=request.seed + 1, label=torch.arange(labels))
    z = model.combine(identities_KZ.repeat(rows, 1), styles.repeat_interleave(labels, 0))
    return pixels_of(model.decode(z))


def _sheet(images: Pixels, columns: int) -> Content:
    return contact_sheet(images, columns, scale=scale_of(columns), gap=2)


def _no_labels(model: Any) -> str:
    return "" if getattr(model, "num_labels", 0) and model.separable else "no digits or codes to ask for"


def _no_parts(model: Any) -> str:
    return "" if getattr(model, "separable", False) else "latents without identity and style"


CONTROL_KINDS = {
    "digits": Kind(digits, _no_labels, {"count": 10}),
    "identities": Kind(identities, _no_parts, {"count": 10, "columns": 10}),
    "transfer": Kind(transfer, _no_labels, {"count": 8}),
}
"""Every kind of picture of a generator that can be steered."""
