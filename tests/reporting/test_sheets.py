"""Sheets and animations on images of a few pixels: every pixel is where it should be."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from genlab.reporting import sheets
from genlab.reporting.sheets import PANEL, contact_sheet, save_animation, save_png


def _numbered(count: int, size: int = 2) -> sheets.Pixels:
    """Image n is all 10 n, but for its lower right pixel, which is 255."""
    images = np.repeat(np.arange(count, dtype=np.uint8) * 10, size * size).reshape(count, size, size)
    images[:, -1, -1] = 255
    return images


def test_images_stand_row_by_row_with_gaps_and_whole_pixels() -> None:
    sheet = np.asarray(contact_sheet(_numbered(5), columns=3, gap=1, scale=2))
    assert sheet.shape == (1 + 2 * 5, 1 + 3 * 5)
    for index, image in enumerate(_numbered(5)):
        top, left = 1 + index // 3 * 5, 1 + index % 3 * 5
        np.testing.assert_array_equal(sheet[top : top + 4, left : left + 4], np.kron(image, np.ones((2, 2))))
    assert (sheet[:, 0::5] == PANEL).all()
    assert (sheet[0::5] == PANEL).all()
    assert (sheet[6:, 11:] == PANEL).all(), "the place of a sixth image"


@given(count=st.integers(1, 9), columns=st.integers(1, 12), gap=st.integers(0, 3), scale=st.integers(1, 3))
def test_a_sheet_is_as_large_as_its_images(count: int, columns: int, gap: int, scale: int) -> None:
    sheet = contact_sheet(_numbered(count, 3), columns, gap=gap, scale=scale)
    across = min(count, columns)
    down = -(-count // across)
    assert sheet.size == (across * (3 * scale + gap) + gap, down * (3 * scale + gap) + gap)


def test_one_channel_is_grey_and_three_are_colours() -> None:
    grey = _numbered(2)
    np.testing.assert_array_equal(contact_sheet(grey[:, None], 2), contact_sheet(grey, 2))
    colours = np.zeros((1, 3, 2, 2), dtype=np.uint8)
    colours[0, 1] = 200
    sheet = contact_sheet(colours, 1, gap=1, scale=1)
    assert sheet.mode == "RGB"
    assert sheet.getpixel((1, 1)) == (0, 200, 0)
    assert sheet.getpixel((0, 0)) == (PANEL,) * 3


def test_captions_stand_below_their_images_and_widen_narrow_cells() -> None:
    images = np.zeros((2, 8, 8), dtype=np.uint8)
    plain = contact_sheet(images, 2, gap=4, scale=1)
    sheet = np.asarray(contact_sheet(images, 2, gap=4, scale=1, captions=["WWWWWW\n99 %", ""]))
    height, width = sheet.shape
    assert width > plain.width
    assert height == plain.height + 2 * sheets.LINE_HEIGHT + sheets.PADDING
    below = sheet[12:]
    assert (below[:, : width // 2] > 2 * PANEL).any()
    assert (below[:, width // 2 :] == PANEL).all(), "the second image has no caption"
    black = np.argwhere(sheet == 0)
    assert black[:, 0].min() == 4
    assert black[:, 0].max() == 11
    assert abs(black[:, 1].min() - 4 - (width - 5 - black[:, 1].max())) <= 1, "images are centred in their cells"


def test_row_titles_stand_to_the_left() -> None:
    images = np.zeros((4, 28, 28), dtype=np.uint8)
    sheet = np.asarray(contact_sheet(images, 2, row_titles=["above", "below"]))
    margin = sheet.shape[1] - contact_sheet(images, 2).width
    assert margin > 20
    for half in np.array_split(sheet[:, :margin], 2):
        assert (half > 2 * PANEL).any()
    assert (sheet[:, margin:] <= PANEL).all()


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 2), (2, 2, 2, 2), (1, 1, 1, 2, 2)])
def test_what_is_no_stack_of_images_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^`images` must .*; got .* \(sheets\)$"):
        contact_sheet(np.zeros(shape, dtype=np.uint8), 1)


def test_other_numbers_of_words_and_other_types_are_refused(tmp_path: Path) -> None:
    images = _numbered(2)
    with pytest.raises(ValueError, match="`captions` must be 2 of them; got 1"):
        contact_sheet(images, 2, captions=["a"])
    with pytest.raises(ValueError, match="`row_titles` must be 1 of them; got 2"):
        contact_sheet(images, 2, row_titles=["a", "b"])
    with pytest.raises(ValueError, match="`scale` must be an integer >= 1; got 0"):
        contact_sheet(images, 2, scale=0)
    floats = images / 255
    with pytest.raises(ValueError, match="`images` must be uint8"):
        contact_sheet(floats, 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`frames_per_second` must be an integer >= 1"):
        save_animation(images, tmp_path / "a.gif", frames_per_second=0)
    assert list(tmp_path.iterdir()) == []


def test_a_png_keeps_every_pixel_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    sheet = contact_sheet(_numbered(9), 3)
    path = save_png(sheet, tmp_path / "new" / "sheet.png")
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(sheet))
    assert [file.name for file in path.parent.iterdir()] == ["sheet.png"]


def test_a_write_that_fails_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sheet.png"
    path.write_bytes(b"before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_png(contact_sheet(_numbered(1), 1), path)
    assert path.read_bytes() == b"before"


def test_an_animation_has_every_frame_enlarged_in_time_and_for_ever(tmp_path: Path) -> None:
    images = _numbered(7, 4)
    path = save_animation(images, tmp_path / "walk.gif")
    with Image.open(path) as image:
        assert image.format == "GIF"
        assert image.info["loop"] == 0
        frames = [(frame.info["duration"], np.asarray(frame.convert("L"))) for frame in ImageSequence.Iterator(image)]
    assert [duration for duration, _ in frames] == [40] * 7
    step = 255 / (sheets.FRAME_GREYS - 1)
    for (_, frame), original in zip(frames, images, strict=True):
        assert frame.shape == (16, 16)
        difference = np.abs(frame.astype(int) - np.kron(original, np.ones((4, 4))))
        assert difference.max() <= step / 2 + 1


def test_an_animation_of_a_walk_is_small(tmp_path: Path) -> None:
    place = np.arange(28)
    stroke = [255 * np.exp(-((place - 14 - 8 * np.sin(t / 30)) ** 2) / 8) for t in range(450)]
    images = np.repeat(np.array(stroke)[:, None], 28, axis=1).astype(np.uint8)
    assert save_animation(images, tmp_path / "walk.gif").stat().st_size < 1_000_000


def test_an_animation_may_be_in_colour(tmp_path: Path) -> None:
    images = np.zeros((2, 3, 4, 4), dtype=np.uint8)
    images[0, 0] = images[1, 2] = 255
    with Image.open(save_animation(images, tmp_path / "a.gif", scale=1)) as image:
        colours = [frame.convert("RGB").getpixel((1, 1)) for frame in ImageSequence.Iterator(image)]
    assert colours == [(255, 0, 0), (0, 0, 255)]


def test_letters_are_those_that_come_with_the_library() -> None:
    """A caption in another font would have another width on another machine."""
    drawn = contact_sheet(np.zeros((1, 2, 2), dtype=np.uint8), 1, captions=["4 read as 9, 99.9 %"])
    assert re.fullmatch("Aileron", str(sheets._font().getname()[0]))  # type: ignore[union-attr]
    assert drawn.width > 100
