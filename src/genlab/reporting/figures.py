"""The look that all figures share: colours, axes, and how they are written."""

import io
from pathlib import Path
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure
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
    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=DPI)
    small = io.BytesIO()
    with Image.open(full) as image:
        image.convert("RGB").quantize(colours).save(small, format="png", optimize=True, pnginfo=png_text())
    return small.getvalue()


def write_figure(figure: Figure, path: Path, colours: int = PALETTE_COLOURS) -> Path:
    """Write ``figure`` as a small PNG and return the path."""
    return write_whole(path, small_png(figure, colours))
