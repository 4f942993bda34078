"""The look that all figures share: colours, axes, and how they are written."""

import io
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from genlab.reporting.sheets import noted, png_text, write_whole

# Okabe and Ito's palette: told apart by colour-blind readers.
TRAIN_COLOUR = "#0072B2"
HELD_OUT_COLOUR = "#D55E00"
COLOURS = (TRAIN_COLOUR, HELD_OUT_COLOUR, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#555555")
INK = "#2b2b2b"
SOFT = "#b0b0b0"
GRID = "#e3e3e3"
SIZE_INCHES = (6.4, 3.5)
DPI = 200
NOTE_WIDTH = 130  # characters of a line below a figure
PALETTE_COLOURS = 32  # flat colours and their antialiased edges; a third of the size of full colour
MOST_FOR_A_STEP = 40_000
"""Different colours, up to which a step of k-means betters a palette within a tenth of a second or so."""


def new_figure(size_inches: tuple[float, float] = SIZE_INCHES) -> Figure:
    """An empty figure on white, laid out so that nothing is cut off."""
    return Figure(figsize=size_inches, layout="constrained", facecolor="white")


def dressed(axes: Axes, title: str) -> Axes:
    """``axes`` with a title to the left, a faint grid and no frame."""
    axes.set_title(title, loc="left", color=INK, fontsize=11)
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    axes.tick_params(colors=INK, length=0)
    return axes


def small_png(figure: Figure, colours: int = PALETTE_COLOURS) -> bytes:
    """``figure`` as a PNG of ``DPI`` in a palette of few colours: sharp on any screen and small in a page.

    What pictures must say (``sheets.noting``) stands below it, and in the file's texts.
    """
    if noted():
        figure.supxlabel(fill(noted(), NOTE_WIDTH), x=0.01, ha="left", fontsize=6, color=INK)
    small = io.BytesIO()
    in_palette(_pixels(figure), colours).save(small, format="png", pnginfo=png_text())
    return small.getvalue()


def in_palette(pixels: NDArray[np.uint8], colours: int) -> Image.Image:
    """Opaque RGBA ``pixels`` (H, W, 4) in at most ``colours`` of them, the upper left one's kept as it is.

    That is a figure's background and most of what there is. The others' palette is a median cut over the different
    colours, each by the root of its number of pixels: a single dot keeps its own beside long lines. A step of k-means
    follows, unless there are so many colours that it would take long.
    """
    whole = np.ascontiguousarray(pixels).view(np.uint32)[..., 0]
    rest = whole != whole[0, 0]
    palette: list[int] = []
    indices = np.zeros(whole.shape, dtype=np.uint8)
    if rest.any():
        different, places, counts = np.unique(whole[rest], return_inverse=True, return_counts=True)
        rgb = different.view(np.uint8).reshape(-1, 4)[:, :3]
        times = np.ceil(np.sqrt(counts)).astype(np.intp)
        step = int(len(different) <= MOST_FOR_A_STEP)
        drawn = Image.fromarray(np.repeat(rgb, times, axis=0)[None]).quantize(colours - 1, kmeans=step)
        palette = drawn.getpalette() or []
        chosen = np.asarray(drawn)[0, np.cumsum(times) - 1]  # for each different colour one of the palette's
        indices.fill(len(palette) // 3)
        indices[rest] = chosen[places]
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette([*palette, *pixels[0, 0, :3].tolist()])
    return picture


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    """``figure`` drawn on RGBA pixels (H, W, 4), as ``savefig`` draws it, without packing and unpacking a file."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def write_figure(figure: Figure, path: Path, colours: int = PALETTE_COLOURS) -> Path:
    """Write ``figure`` as a small PNG and return the path."""
    return write_whole(path, small_png(figure, colours))
