"""Dropout that draws sixteen random bits a number.

torch draws the numbers that a CPU drops one after the other, by one thread, and takes longer over it than the layers
before and after do. Sixteen bits a number tell shares apart that are 1/65,536 apart, and sixty-four come at once.
"""

import torch
from torch import Tensor, nn

BITS = 16
LEVELS = 1 << BITS
LEAST = torch.iinfo(torch.int64).min


class Dropout(nn.Dropout):
    """``torch.nn.Dropout``, with other random numbers on a CPU: each number is dropped with probability ``p``.

    There ``p`` is rounded to a multiple of 1/65,536, but neither to 0 nor to 1, and what is kept is divided by the
    share that is kept then: the expectation stays what it was. Differentiable any number of times.
    """

    def forward(self, input: Tensor) -> Tensor:
        """The same numbers in evaluation; in training some are 0 and the others larger. Any shape."""
        if not self.training or not 0 < self.p < 1 or input.device.type != "cpu":
            return super().forward(input)
        return input * _factors(input, self.p)


def _factors(like: Tensor, p: float) -> Tensor:
    """0 with probability ``p``, otherwise the factor that makes up for it, in ``like``'s shape and memory format."""
    kept = min(max(round((1 - p) * LEVELS), 1), LEVELS - 1)
    count = like.numel()
    words = torch.empty(-(-count * BITS // 64), dtype=torch.int64).random_(LEAST, None)  # all 64 bits of each
    drawn = words.view(torch.int16)[:count]
    factors = (drawn < kept - LEVELS // 2).to(like.dtype).mul_(LEVELS / kept)
    return factors.as_strided(like.shape, torch.empty_like(like).stride())  # whose numbers lie without gaps
