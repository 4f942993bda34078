"""Figures as small PNGs: the pixels that matplotlib draws, in few colours that are near enough."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genlab.reporting.figures import (
    COLOURS,
    DPI,
    HELD_OUT_COLOUR,
    MOST_FOR_A_STEP,
    dressed,
    in_palette,
    new_figure,
    small_png,
)

Pixels = NDArray[np.uint8]


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _opaque(rgb: NDArray[np.generic]) -> Pixels:
    """Pixels (H, W, 3) as RGBA."""
    return np.dstack([rgb, np.full(rgb.shape[:2], 255)]).astype(np.uint8)


def _shown(picture: Image.Image) -> NDArray[np.int64]:
    return np.asarray(picture.convert("RGB")).astype(np.int64)


@pytest.mark.parametrize("count", [1, 2, 5, 31, 255])
def test_a_palette_that_is_large_enough_changes_no_pixel(count: int) -> None:
    rng = np.random.default_rng(count)
    colours = rng.integers(0, 255, (count, 3))
    pixels = _opaque(colours[rng.integers(0, count, (40, 30))])
    pixels[:7, :, :3] = 255
    np.testing.assert_array_equal(_shown(in_palette(pixels, count + 1)), pixels[..., :3])


def test_many_colours_are_brought_near() -> None:
    pixels = _opaque(np.random.default_rng(0).integers(0, 256, (300, 300, 3)))
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > MOST_FOR_A_STEP
    shown = _shown(in_palette(pixels, 256))
    assert np.abs(shown - pixels[..., :3]).mean() <= 16


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 2)])
def test_an_empty_picture_is_its_background(shape: tuple[int, int]) -> None:
    pixels = _opaque(np.full((*shape, 3), 255))
    np.testing.assert_array_equal(_shown(in_palette(pixels, 32)), pixels[..., :3])


def test_no_more_colours_than_asked_for_and_the_background_as_it_was() -> None:
    pixels = _opaque(np.random.default_rng(1).integers(0, 256, (60, 60, 3)))
    pixels[:30] = (12, 34, 56, 255)
    shown = _shown(in_palette(pixels, 16))
    assert 2 <= len(np.unique(shown.reshape(-1, 3), axis=0)) <= 16
    assert (shown[:30] == (12, 34, 56)).all()


def test_a_rare_colour_is_kept_beside_common_ones() -> None:
    """A dot of a hundred pixels, beside half a million of another colour's shades."""
    shades = np.linspace((0, 114, 178), (255, 255, 255), 1000)
    pixels = _opaque(np.repeat(np.tile(shades, (500, 1))[:, None], 2, axis=1).round())
    pixels[:10, 0, :3] = 255
    pixels[100:150, :, :3] = _rgb(HELD_OUT_COLOUR)
    shown = _shown(in_palette(pixels, 32))
    assert np.abs(shown[100:150] - _rgb(HELD_OUT_COLOUR)).max() <= 12


def test_a_figure_is_what_matplotlib_saves_but_for_its_palette() -> None:
    figure = new_figure((3.3, 2.1))
    axes = dressed(figure.add_subplot(), "lines and a dot")
    for place, colour in enumerate(COLOURS):
        axes.plot([0, 1], [place, 0.5 * place], color=colour, alpha=1 if place % 2 else 0.3)
    axes.plot([0.5], [4.2], "o", color=HELD_OUT_COLOUR, markersize=4, markeredgecolor="white")
    small = Image.open(io.BytesIO(small_png(figure, 96)))
    whole = io.BytesIO()
    figure.savefig(whole, format="png", dpi=DPI)
    assert small.mode == "P"
    assert small.size == Image.open(whole).size
    difference = np.abs(_shown(small) - _shown(Image.open(whole)))
    assert difference.max() <= 30  # of single pixels at the edges of lines
    assert difference.mean() <= 0.5
