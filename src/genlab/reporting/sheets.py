"""Pictures made of many small images: sheets with captions, and animations; pixels stay whole at any scale."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from genlab.checks import at_least, refuse
from genlab.whole_file import whole_file

Pixels = NDArray[np.uint8]

PANEL = 74  # the grey between images: black tiles stand out from it, and it stands out from white and black pages
INK = 238
FONT_SIZE = 15
LINE_HEIGHT = 19
PADDING = 6
FRAME_GREYS = 32
"""Greys of an animation: half the file of 256 of them, and no eye tells a moving digit's 32 from 256."""


_NOTE: ContextVar[str] = ContextVar("note", default="")


@contextmanager
def noting(note: str) -> Iterator[None]:
    """Within it every picture that is written carries ``note``: what it shows may be taken for something else."""
    token = _NOTE.set(note)
    try:
        yield
    finally:
        _NOTE.reset(token)


def noted() -> str:
    """What pictures must say just now, mostly nothing."""
    return _NOTE.get()


def png_text() -> PngInfo:
    """The note for a PNG's own texts, under the keyword ``Warning``."""
    texts = PngInfo()
    if noted():
        texts.add_itxt("Warning", noted())
    return texts


@dataclass(frozen=True)
class _Layout:
    """Where things lie on a sheet, in its pixels: a margin for the rows' titles, then equal cells."""

    rows: int
    columns: int
    image: tuple[int, int]
    cell: tuple[int, int]
    gap: int
    margin: int

    @property
    def size(self) -> tuple[int, int]:
        width = self.margin + self.columns * (self.cell[0] + self.gap) + self.gap
        return width, self.rows * (self.cell[1] + self.gap) + self.gap

    def corner(self, index: int) -> tuple[int, int]:
        """The upper left corner of image ``index``, centred in its cell."""
        row, column = divmod(index, self.columns)
        left = self.margin + self.gap + column * (self.cell[0] + self.gap)
        return left + (self.cell[0] - self.image[0]) // 2, self.gap + row * (self.cell[1] + self.gap)


def contact_sheet(
    images: Pixels,
    columns: int,
    *,
    gap: int = 2,
    scale: int = 2,
    captions: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
) -> Image.Image:
    """``images``, uint8 (N, H, W) or (N, C, H, W) with C of 1 or 3, row by row on a grey panel.

    Each is enlarged ``scale`` times, a pixel to a square of pixels, with ``gap`` pixels between. ``captions``
    (one an image, of one line or several) stand below the images, ``row_titles`` (one a row) to the left of the
    rows. Raises ``ValueError`` for images of another form, and for captions or titles in another number.
    """
    tiles = enlarged(_channels_last(images), at_least("scale", scale, 1, "contact_sheet"))
    columns = min(at_least("columns", columns, 1, "contact_sheet"), len(tiles))
    rows = -(-len(tiles) // columns)
    _same_number("captions", captions, len(tiles))
    _same_number("row_titles", row_titles, rows)
    layout = _layout(tiles, (rows, columns), gap, captions or [], row_titles or [])
    mode = "RGB" if tiles.ndim == 4 else "L"
    sheet = Image.new(mode, layout.size, PANEL if mode == "L" else (PANEL,) * 3)
    for index, tile in enumerate(tiles):
        sheet.paste(Image.fromarray(tile), layout.corner(index))
    _write_words(sheet, layout, captions or [], row_titles or [])
    return sheet


def enlarged(images: Pixels, scale: int) -> Pixels:
    """Images (N, H, W, ...) with each pixel ``scale`` times as high and wide."""
    return images.repeat(scale, axis=1).repeat(scale, axis=2)


def save_png(sheet: Image.Image, path: Path) -> Path:
    """Write ``sheet`` as a small PNG, whole or not at all, and return the path."""
    content = io.BytesIO()
    sheet.save(content, format="png", optimize=True, pnginfo=png_text())
    return write_whole(path, content.getvalue())


def save_animation(images: Pixels, path: Path, *, scale: int = 4, frames_per_second: int = 25) -> Path:
    """Write ``images``, as :func:`contact_sheet` takes them, as the frames of a GIF that plays for ever.

    Greys are rounded to ``FRAME_GREYS`` of them. A GIF keeps time in hundredths of a second, so 25 frames a second
    are met exactly. Raises ``ValueError`` for images of another form.
    """
    at_least("frames_per_second", frames_per_second, 1, "save_animation")
    tiles = enlarged(_channels_last(images), at_least("scale", scale, 1, "save_animation"))
    frames = [_frame(tile) for tile in tiles]
    content = io.BytesIO()
    frames[0].save(
        content,
        format="gif",
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 / frames_per_second),
        loop=0,
        optimize=False,  # the palette is as small as it can be
        **({"comment": noted().encode()} if noted() else {}),
    )
    return write_whole(path, content.getvalue())


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, and return the path."""
    with whole_file(path) as file:
        file.write(content)
    return path


def _channels_last(images: Pixels) -> Pixels:
    """Grey images as (N, H, W), colour ones as (N, H, W, 3)."""
    array = np.asarray(images)
    if array.dtype != np.uint8 or array.ndim not in (3, 4) or not array.size:
        raise refuse("images", "be uint8 (N, H, W) or (N, C, H, W), not empty", (array.dtype, array.shape), "sheets")
    if array.ndim == 3:
        return array
    if array.shape[1] not in (1, 3):
        raise refuse("images", "have one channel or three", array.shape, "sheets")
    return array[:, 0] if array.shape[1] == 1 else array.transpose(0, 2, 3, 1)


def _same_number(name: str, words: Sequence[str] | None, expected: int) -> None:
    if words is not None and len(words) != expected:
        raise refuse(name, f"be {expected} of them", len(words), "contact_sheet")


def _layout(
    tiles: Pixels, shape: tuple[int, int], gap: int, captions: Sequence[str], row_titles: Sequence[str]
) -> _Layout:
    height, width = tiles.shape[1:3]
    gap = at_least("gap", gap, 0, "contact_sheet")
    below = max((caption.count("\n") + 1 for caption in captions), default=0) * LINE_HEIGHT
    widest = max((_width(line) + PADDING for caption in captions for line in caption.split("\n")), default=0)
    margin = max((_width(title) + 2 * PADDING for title in row_titles), default=0)
    cell = max(width, widest), height + below + (PADDING if below else 0)
    return _Layout(*shape, image=(width, height), cell=cell, gap=gap, margin=margin)


def _write_words(sheet: Image.Image, layout: _Layout, captions: Sequence[str], row_titles: Sequence[str]) -> None:
    draw = ImageDraw.Draw(sheet)
    ink = INK if sheet.mode == "L" else (INK,) * 3
    for index, caption in enumerate(captions):
        left, top = layout.corner(index)
        middle = left + layout.image[0] / 2
        for number, line in enumerate(caption.split("\n")):
            where = round(middle - _width(line) / 2), top + layout.image[1] + 2 + number * LINE_HEIGHT
            draw.text(where, line, font=_font(), fill=ink)
    for row, title in enumerate(row_titles):
        top = layout.corner(row * layout.columns)[1] + (layout.image[1] - LINE_HEIGHT) // 2
        draw.text((layout.margin - PADDING - _width(title), top), title, font=_font(), fill=ink)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(FONT_SIZE)  # comes inside Pillow: the same letters on every machine


def _width(text: str) -> int:
    return int(np.ceil(_font().getlength(text)))


def _frame(tile: Pixels) -> Image.Image:
    """One frame with a palette: its few greys, or the best 256 colours."""
    if tile.ndim == 3:
        return Image.fromarray(tile).quantize(256)
    step = 255 / (FRAME_GREYS - 1)
    frame = Image.fromarray(np.round(tile / step).astype(np.uint8), mode="P")
    frame.putpalette([round(level * step) for level in range(FRAME_GREYS) for _ in range(3)])
    return frame
