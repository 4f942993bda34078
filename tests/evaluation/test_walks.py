"""Walks: ends, lengths and speeds, and where a sphere has no way."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation.walks import WAYS, linear, spherical, walk

T = torch.linspace(0, 1, 9, dtype=torch.float64)
seeds = st.integers(0, 2**31)


def pair(seed: int, dim: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    points = torch.randn(2, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return points[0], points[1]


@given(seeds, st.sampled_from(sorted(WAYS)), st.integers(1, 8))
def test_both_ways_lead_from_one_point_to_the_other(seed: int, way: str, dim: int) -> None:
    a, b = pair(seed, dim)
    path = WAYS[way](a, b, T)
    assert path.shape == (9, dim)
    assert torch.allclose(path[0], a, atol=1e-9)
    assert torch.allclose(path[-1], b, atol=1e-9)
    assert torch.allclose(WAYS[way](b, a, T), path.flip(0), atol=1e-9), "there and back is the same way"


@given(seeds, st.integers(2, 8))
def test_a_spherical_way_keeps_a_common_length_and_turns_evenly(seed: int, dim: int) -> None:
    a, b = pair(seed, dim)
    b = b / b.norm() * a.norm()
    path = spherical(a, b, T)
    assert torch.allclose(path.norm(dim=1), a.norm().expand(9), rtol=1e-6)
    steps = (path[1:] - path[:-1]).norm(dim=1)
    assert torch.allclose(steps, steps.mean().expand(8), rtol=1e-5, atol=1e-9)


def test_a_quarter_turn_by_hand_and_lengths_in_between() -> None:
    half = spherical(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0]), torch.tensor([0.5]))
    assert half[0].tolist() == pytest.approx([3 / math.sqrt(2)] * 2)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.0, 0.0], [1.0, 2.0]),
        ([1.0, 2.0], [0.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0], [3.0, 6.0]),
        ([1.0, 2.0], [-1.0, -2.0]),
        ([1.0, 2.0], [1.0, 2.0 + 1e-9]),
    ],
    ids=["from 0", "to 0", "0 to 0", "equal", "same direction", "opposite", "almost equal"],
)
def test_where_no_circle_leads_a_straight_line_does(a: list[float], b: list[float]) -> None:
    first, second = (torch.tensor(x, dtype=torch.float64) for x in (a, b))
    assert torch.allclose(spherical(first, second, T), linear(first, second, T), atol=1e-8)


def test_a_small_angle_in_float32_is_no_trouble() -> None:
    a = torch.tensor([1.0, 0.0, 0.0])
    b = torch.tensor([1.0, 3e-4, 0.0])
    path = spherical(a, b, torch.tensor([0.25, 0.5]))
    assert torch.allclose(path, torch.tensor([[1.0, 0.75e-4, 0.0], [1.0, 1.5e-4, 0.0]]), atol=1e-6)


@pytest.mark.parametrize("way", sorted(WAYS))
@given(points=st.integers(2, 5), steps=st.integers(1, 7))
def test_a_walk_meets_every_point(way: str, points: int, steps: int) -> None:
    latents = torch.randn(points, 4, generator=torch.Generator().manual_seed(points))
    path = walk(latents, steps, way)
    assert path.shape == ((points - 1) * steps + 1, 4)
    assert torch.equal(path[::steps], latents)


def test_a_walk_of_the_report_has_more_than_900_images() -> None:
    path = walk(torch.randn(10, 100), 100)
    assert len(path) == 901
    assert torch.allclose(path[50], (path[0] + path[100]) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "`steps` must be an integer >= 1; got 0"),
        ({"way": "spheric"}, "`way` must be one of linear, spherical; got 'spheric' .*did you mean spherical"),
        ({"points": torch.zeros(1, 3)}, r"`points` must be at least two, \(P, L\); got \(1, 3\)"),
        ({"points": torch.zeros(3)}, r"`points` must be at least two, \(P, L\); got \(3,\)"),
    ],
)
def test_what_is_no_walk_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        walk(**{"points": torch.zeros(3, 3), "steps": 2, **changes})  # type: ignore[arg-type]
