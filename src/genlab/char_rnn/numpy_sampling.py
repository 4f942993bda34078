"""Sampling from the NumPy twin, and the log-probability that it gives a text.

The uniform numbers that decide each draw are handed in, so that every engine draws the same text from them.
Axes as in ``numpy_twin``: T time steps, B streams, V symbols, L layers, H hidden units.
"""

import numpy as np
from numpy.typing import NDArray

from genlab.char_rnn.numpy_twin import Array, Indices, Parameters, forward


def next_distribution(logits_V: Array, temperature: float, top_k: int, top_p: float) -> Array:
    """The probabilities (V,) that a character is drawn from.

    Logits are divided by ``temperature``; only the ``top_k`` likeliest stay (0: all), and of those the fewest whose
    probabilities reach ``top_p`` (nucleus sampling, Holtzman et al. 2020; 1: all). Ties go to the lower index.
    """
    logits = logits_V.astype(np.float64)
    probs: Array = np.exp((logits - logits.max()) / temperature)
    probs = probs / probs.sum()
    size = probs.shape[0]
    if top_k > 0 or top_p < 1:
        order = np.argsort(-probs, kind="mergesort")
        keep = min(top_k, size) if top_k > 0 else size
        kept_total = probs[order[:keep]].sum()
        mass, last = 0.0, 0
        while last < keep and mass < top_p * kept_total:
            mass += probs[order[last]]
            last += 1
        probs[order[max(last, 1) :]] = 0
        probs = probs / probs.sum()
    return probs


def draw(probs_V: Array, uniform: float) -> int:
    """The index that a uniform number in [0, 1) picks by inverting the cumulative distribution."""
    total, last = 0.0, 0
    for index in range(probs_V.shape[0]):
        if probs_V[index] > 0:
            last = index
            total += probs_V[index]
            if uniform < total:
                return index
    return last


def sample(
    logits_BV: Array,
    h_LBH: Array,
    uniforms_TB: NDArray[np.float64],
    params: Parameters,
    temperature: float,
    top_k: int,
    top_p: float,
) -> Indices:
    """Draw (T, B) characters after a prime whose last logits and state are given; moves ``h_LBH`` in place."""
    steps, batch = uniforms_TB.shape
    drawn = np.empty((steps, batch), np.int64)
    logits = logits_BV
    for t in range(steps):
        for b in range(batch):
            drawn[t, b] = draw(next_distribution(logits[b], temperature, top_k, top_p), uniforms_TB[t, b])
        logits, h_all = forward(drawn[t : t + 1], h_LBH, params)
        h_LBH[:] = h_all[:, -1]
    return drawn


def log_prob(x_T: Indices, params: Parameters, h_LBH: Array) -> Array:
    """Log-probability in nats of each character after the first (T-1,), one stream; moves ``h_LBH`` in place."""
    count = x_T.shape[0] - 1
    result = np.empty(count)
    stride = 1000
    for start in range(0, count, stride):
        stop = min(start + stride, count)
        logits, h_all = forward(x_T[start:stop].reshape(-1, 1), h_LBH, params)
        h_LBH[:] = h_all[:, -1]
        for n in range(stop - start):
            top = logits[n].max()
            result[start + n] = (
                logits[n, x_T[start + n + 1]] - top - np.log(np.exp(logits[n] - top).astype(np.float64).sum())
            )
    return result
