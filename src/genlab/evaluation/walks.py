"""Ways through latent space, from point to point.

Axes: P points on the way, S steps between neighbours, L latent dimensions.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from genlab.checks import at_least, one_of, refuse

PARALLEL = 1e-6
"""Sine of an angle at or below which two vectors span no plane to turn in."""


def linear(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The points (S, L) at ``t`` (S,), 0 to 1, on the straight line from ``a`` to ``b``, (L,) each."""
    return torch.lerp(a, b, t[:, None])


def spherical(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """The points (S, L) at ``t`` (S,), 0 to 1, from ``a`` to ``b``, (L,) each, turning at constant speed.

    The direction follows the great circle and the length goes evenly from that of ``a`` to that of ``b``, so that
    points of one length keep it: between Gaussian points in many dimensions a straight line passes where none are
    drawn. Vectors that span no plane (one is 0, or they point the same way or exactly against each other) have no
    such circle, and are joined by the straight line. Source: Shoemake, "Animating rotation with quaternion curves"
    (SIGGRAPH 1985), section 3.3, of the directions.
    """
    lengths = torch.stack([a.norm(), b.norm()])
    if not lengths.all():
        return linear(a, b, t)
    from_direction, to_direction = a / lengths[0], b / lengths[1]
    # Twice the arctangent of chord lengths: the arccosine of a product is blind to small angles.
    angle = 2 * torch.atan2((from_direction - to_direction).norm(), (from_direction + to_direction).norm())
    if angle.sin() <= PARALLEL:
        return linear(a, b, t)
    t = t[:, None]
    directions = ((1 - t) * angle).sin() * from_direction + (t * angle).sin() * to_direction
    return torch.lerp(lengths[0], lengths[1], t) * directions / angle.sin()


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"linear": linear, "spherical": spherical}


def walk(points: Tensor, steps: int, way: str = "linear") -> Tensor:
    """All points of a walk through ``points`` (P, L) in order: ``steps`` from each to the next, ((P - 1) S + 1, L).

    ``way`` is ``"linear"`` or ``"spherical"``; every given point is met exactly. Raises ValueError for fewer than
    two points, no steps and another way.
    """
    at_least("steps", steps, 1, "steps")
    way = one_of("way", way, WAYS, "way")
    if points.ndim != 2 or len(points) < 2:
        raise refuse("points", "be at least two, (P, L)", tuple(points.shape), "points")
    t = torch.arange(1, steps, dtype=points.dtype, device=points.device) / steps
    parts = [points[:1]]
    for a, b in pairwise(points):
        parts += [WAYS[way](a, b, t), b[None]]
    return torch.cat(parts)
