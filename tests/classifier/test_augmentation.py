"""Distortions against maps known by hand: identity, whole pixels, quarter turns, scales and shears; seeds."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from genlab.classifier.augmentation import RandomAffine, sampling_grid

SIZE = torch.Size((28, 28))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 4, side: int = 28, seed: int = 0) -> Tensor:
    return torch.rand(count, 1, side, side, generator=generator(seed))


def only(**amounts: float) -> RandomAffine:
    return RandomAffine(**({"degrees": 0.0, "translate": 0.0, "scale": 0.0, "shear": 0.0} | amounts))


def draws(count: int, seed: int) -> Tensor:
    """What is drawn for ``count`` images, uniform in -1 to 1: turn, scale, shear, right, down, each (count,)."""
    return torch.rand(5, count, generator=generator(seed)) * 2 - 1


def warped(x: Tensor, maps: Tensor) -> Tensor:
    """``x`` read at the places that ``maps`` (B, 2, 3) say, pixel by pixel, bilinear, black outside."""
    side = x.shape[-1]
    result = torch.zeros_like(x)
    centres = [(2 * i + 1) / side - 1 for i in range(side)]
    padded = F.pad(x, (1, 1, 1, 1))
    for b, ((a11, a12, a13), (a21, a22, a23)) in enumerate(maps.tolist()):
        for row, v in enumerate(centres):
            for column, u in enumerate(centres):
                x_at = ((a11 * u + a12 * v + a13 + 1) * side - 1) / 2
                y_at = ((a21 * u + a22 * v + a23 + 1) * side - 1) / 2
                x0, y0 = math.floor(x_at), math.floor(y_at)
                if -1 <= x0 < side and -1 <= y0 < side:
                    corner = padded[b, 0, y0 + 1 : y0 + 3, x0 + 1 : x0 + 3]
                    right, down = x_at - x0, y_at - y0
                    weights = torch.tensor([[1 - down], [down]]) * torch.tensor([[1 - right, right]])
                    result[b, 0, row, column] = (corner * weights).sum()
    return result


# --- the identity, and whole pixels ------------------------------------------------------------------------------


def test_no_amount_is_the_identity() -> None:
    x = images()
    assert not only().changes_anything
    torch.testing.assert_close(only()(x, generator()), x, rtol=0, atol=1e-5)
    assert torch.equal(only().maps(3, SIZE, generator()), torch.eye(2, 3).expand(3, 2, 3))


@pytest.mark.parametrize("name", ["degrees", "translate", "scale", "shear"])
def test_each_amount_changes_images_by_itself(name: str) -> None:
    one = only(**{name: 0.5 if name in ("scale", "shear") else 5.0})
    assert one.changes_anything
    x = images()
    assert not torch.allclose(one(x, generator()), x, atol=0.05)


class Whole(RandomAffine):
    """Its draws are plus or minus one, so that a translation is whole pixels."""

    def maps(self, count: int, size: torch.Size, generator: torch.Generator) -> Tensor:
        maps = super().maps(count, size, generator)
        step = 2 / torch.tensor([size[1], size[0]])
        maps[:, :, 2] = (maps[:, :, 2] / step).sign() * self.translate * step
        return maps


@pytest.mark.parametrize("side", [28, 9])
@pytest.mark.parametrize("pixels", [1, 3])
def test_whole_pixels_are_moved_exactly_and_black_comes_in(pixels: int, side: int) -> None:
    x = images(16, side)
    moved = Whole(degrees=0, translate=pixels, scale=0, shear=0)(x, generator(3))
    signs = draws(16, 3)[3:].sign().long() * pixels
    assert {tuple(pair) for pair in signs.T.tolist()} == {(i, j) for i in (-pixels, pixels) for j in (-pixels, pixels)}
    for image, result, (right, down) in zip(x, moved, signs.T.tolist(), strict=True):
        expected = torch.zeros_like(image)
        for row in range(side):
            for column in range(side):
                if 0 <= row + down < side and 0 <= column + right < side:
                    expected[0, row, column] = image[0, row + down, column + right]
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


# --- turns, scales and shears ------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_maps_are_those_of_their_amounts(seed: int) -> None:
    """A turn of the scaled and sheared image: [[cos, -sin], [sin, cos]] [[1, s], [0, 1]] / (1 + scale), and a shift."""
    affine = RandomAffine(degrees=30, translate=3, scale=0.4, shear=0.2)
    turn, scale, shear, right, down = draws(2, seed).double()
    for b, found in enumerate(affine.maps(2, SIZE, generator(seed)).double()):
        angle = math.radians(30) * turn[b].item()
        rotation = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]).double()
        sheared = torch.tensor([[1, 0.2 * shear[b].item()], [0, 1]]).double()
        torch.testing.assert_close(found[:, :2], rotation @ sheared / (1 + 0.4 * scale[b].item()), rtol=1e-5, atol=1e-6)
        shift = torch.tensor([3 * right[b].item(), 3 * down[b].item()]).double() * 2 / 28
        torch.testing.assert_close(found[:, 2], shift, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3), (28, 28)])
def test_pixels_are_read_where_torch_would_read_them(size: tuple[int, int]) -> None:
    maps = torch.randn(7, 2, 3, generator=generator(3))
    expected = F.affine_grid(maps, [7, 1, *size], align_corners=False)
    torch.testing.assert_close(sampling_grid(maps, torch.Size(size)), expected, rtol=0, atol=2e-6)


def test_images_are_read_where_their_maps_say() -> None:
    affine, x = RandomAffine(degrees=40, translate=2, scale=0.3, shear=0.3), images(3, 9)
    expected = warped(x, affine.maps(3, torch.Size((9, 9)), generator(5)))
    torch.testing.assert_close(affine(x, generator(5)), expected, rtol=1e-4, atol=1e-4)


class Fixed(RandomAffine):
    """Draws nothing: every image has the whole amount."""

    def maps(self, count: int, size: torch.Size, generator: torch.Generator) -> Tensor:
        whole = torch.ones(5, count)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "rand", lambda *_, **__: whole)
            return super().maps(count, size, generator)


def test_a_quarter_turn_is_exact() -> None:
    x = images()
    turned = Fixed(degrees=90, translate=0, scale=0, shear=0)(x, generator())
    torch.testing.assert_close(turned, torch.rot90(x, 1, (2, 3)), rtol=0, atol=1e-4)


def test_a_scale_makes_things_larger() -> None:
    """A square of 8 pixels becomes one of 12 at half as large again."""
    x = torch.zeros(1, 1, 28, 28)
    x[..., 10:18, 10:18] = 1
    scaled = Fixed(degrees=0, translate=0, scale=0.5, shear=0)(x, generator())
    assert scaled.sum().item() == pytest.approx(12 * 12, rel=0.01)
    assert scaled[0, 0, 9:19, 9:19].min().item() == pytest.approx(1, abs=1e-5)
    assert not scaled[0, 0, :7].any()


def test_a_shear_moves_a_row_by_its_distance_from_the_middle() -> None:
    x = torch.zeros(1, 1, 28, 28)
    x[..., 14] = 1
    sheared = Fixed(degrees=0, translate=0, scale=0, shear=0.5)(x, generator())[0, 0]
    where = (sheared * torch.arange(28)).sum(1) / sheared.sum(1)
    rows = torch.arange(28)
    torch.testing.assert_close(where, 14 - 0.5 * (rows - 13.5), rtol=1e-3, atol=1e-3)


# --- seeds and ranges --------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_images_and_another_others() -> None:
    affine, x = RandomAffine(), images(8)
    first = affine(x, generator(1))
    assert torch.equal(affine(x, generator(1)), first)
    assert not torch.equal(affine(x, generator(2)), first)
    state = torch.get_rng_state()
    affine(x, generator(1))
    assert torch.equal(torch.get_rng_state(), state), "nothing but the generator is drawn from"


def test_each_image_has_its_own_distortion_and_stays_in_range() -> None:
    x = images(1).expand(6, 1, 28, 28)
    distorted = RandomAffine()(x, generator())
    assert len({image.numpy().tobytes() for image in distorted}) == 6
    assert 0 <= distorted.min() <= distorted.max() <= 1 + 1e-6
    assert distorted.shape == x.shape


@pytest.mark.parametrize(
    "change",
    [
        {"degrees": -1.0},
        {"degrees": 181},
        {"translate": -0.5},
        {"translate": math.inf},
        {"scale": 1.0},
        {"scale": -0.1},
        {"shear": 1},
        {"shear": "0.1"},
        {"degrees": math.nan},
    ],
)
def test_amounts_out_of_range_are_refused(change: dict[str, Any]) -> None:
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=rf"^`{name}` must be a number in \[0, .*\(data\.{name}\)$") as error:
        RandomAffine(**change)
    assert f"got {value!r} " in str(error.value)
