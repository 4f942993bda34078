"""Latents of a generator whose prior is N(0, I).

Axes: N images, Z latent.
"""

import torch
from torch import Tensor

from genlab.checks import at_least, refuse

BLOCK = 16  # torch draws normal numbers so many at a time, and those of an unfinished block anew


def draw_normal(count: int, latent_dim: int, seed: int) -> Tensor:
    """``count`` draws from the prior (N, Z), float32; each depends on ``seed`` and its own place alone.

    Raises ``ValueError`` for a ``count`` below 1.
    """
    at_least("count", count, 1, "count")
    whole = -(-count // BLOCK) * BLOCK
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(whole, latent_dim, generator=generator, dtype=torch.float32)[:count]


def refuse_other_latents(z: Tensor, latent_dim: int) -> None:
    """Raise ``ValueError`` unless ``z`` is (N, ``latent_dim``)."""
    if z.ndim != 2 or z.shape[1] != latent_dim:
        raise refuse("z", f"have shape (N, {latent_dim})", tuple(z.shape), "model.latent_dim")
