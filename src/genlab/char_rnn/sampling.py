"""Drawing text from a trained network: temperature, top-k, nucleus; many samples at once, each with its own draws.

The uniform numbers behind the draws are made per sample from (seed, number of the sample), so a sample does not
depend on how many others are drawn beside it, nor on the engine. Axes: T steps, B samples, V symbols.
"""

import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from genlab.char_rnn.cell import TANH
from genlab.char_rnn.engines import numpy_parameters
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.text import Vocabulary
from genlab.checks import at_least, in_range, one_of, positive, refuse

# Samples do not know of one another, so that cores share them; fewer than this are not worth a thread.
STREAMS_A_CORE = 16


@dataclass(frozen=True)
class Draw:
    """How the next character is drawn.

    Logits are divided by ``temperature``; the ``top_k`` likeliest stay (0: all), and of those the fewest that hold
    ``top_p`` of the probability (1: all). Raises ``ValueError`` out of range.
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        positive("temperature", self.temperature, "temperature")
        at_least("top_k", self.top_k, 0, "top_k")
        in_range("top_p", self.top_p, 0, 1, "top_p", low_open=True)


def sample_texts(
    net: CharRnn,
    vocabulary: Vocabulary,
    count: int,
    length: int,
    draw: Draw,
    seed: int,
    prompts: Sequence[str] = (),
    engine: str = "auto",
) -> list[str]:
    """Draw ``count`` texts of ``length`` characters, returned without their prompts.

    Sample i follows ``prompts[i % len(prompts)]``; an empty prompt, or none, starts as a line does. Raises
    ``ValueError`` for a prompt with characters that the vocabulary lacks, and for an ``engine`` (``auto``,
    ``compiled``, ``torch``) that cannot draw from this network.
    """
    at_least("count", count, 1, "count")
    at_least("length", length, 1, "length")
    at_least("seed", seed, 0, "seed")
    chosen = [prompts[i % len(prompts)] if prompts else "" for i in range(count)]
    logits_BV, h_LBH = _prime(net, vocabulary, chosen)
    rows = [np.random.default_rng([seed, i]).random(length) for i in range(count)]
    uniforms_TB = np.stack(rows, axis=1)
    if _compiled_fits(net, engine):
        drawn = _sample_compiled(net, logits_BV, h_LBH, uniforms_TB, draw)
    else:
        drawn = _sample_torch(net, logits_BV, h_LBH, uniforms_TB, draw)
    return [vocabulary.decode(drawn[:, i]) for i in range(count)]


def log_probs(net: CharRnn, indices: np.ndarray[Any, np.dtype[np.int64]], engine: str = "auto") -> Any:
    """Nats of each character after the first (T-1,), in one stream from a zero state."""
    if len(indices) < 2:
        return np.empty(0)
    if _compiled_fits(net, engine):
        from genlab.char_rnn import compiled

        return compiled.log_prob(indices, numpy_parameters(net), net.initial_state(1).numpy())
    h, parts = net.initial_state(1), []
    x = torch.as_tensor(indices, device=h.device)
    for start in range(0, len(indices) - 1, 1000):
        targets = x[start + 1 : start + 1001]
        logits, h = net(x[start : start + len(targets), None], h)
        scores = torch.log_softmax(logits[:, 0].double(), 1)
        parts.append(scores.gather(1, targets[:, None])[:, 0])
    return torch.cat(parts).cpu().numpy()


def line_start(vocabulary: Vocabulary) -> str:
    """What stands before a text that has no prompt: a line break, or the first symbol where there is none."""
    return "\n" if "\n" in vocabulary.symbols else vocabulary.symbols[0]


def _prime(net: CharRnn, vocabulary: Vocabulary, prompts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """The logits (B, V) after each prompt and the states (L, B, H); equal prompts are run once."""
    primed: dict[str, tuple[Tensor, Tensor]] = {}
    for prompt in set(prompts):
        text = prompt or line_start(vocabulary)
        x_T1 = torch.as_tensor(vocabulary.encode(text, "prompt", "prompt"))[:, None]
        h = net.initial_state(1)
        logits, h = net(x_T1.to(h.device), h)
        primed[prompt] = logits[-1], h
    pairs = [primed[prompt] for prompt in prompts]
    return torch.cat([logits for logits, _ in pairs]), torch.cat([h for _, h in pairs], dim=1)


def _compiled_fits(net: CharRnn, engine: str) -> bool:
    """Whether the compiled engine draws; raises ``ValueError`` where it is asked for by name and cannot."""
    one_of("engine", engine, ("auto", "compiled", "torch"), "engine")
    weight = net.head.weight
    plain = weight.device.type == "cpu" and weight.dtype in (torch.float32, torch.float64) and net.cell is TANH
    fits = plain and importlib.util.find_spec("numba") is not None
    if engine == "compiled" and not fits:
        rule = "be torch or auto here, because the compiled engine needs numba and a tanh cell in float32/64 on the CPU"
        raise refuse("engine", rule, engine, "engine")
    return fits and engine != "torch"


def _sample_compiled(
    net: CharRnn, logits_BV: Tensor, h_LBH: Tensor, uniforms_TB: np.ndarray[Any, Any], draw: Draw
) -> np.ndarray[Any, Any]:
    from genlab.char_rnn import compiled

    params = numpy_parameters(net)
    # Each character takes a column of the input weights: columns that lie together are read in one go.
    by_columns = params._replace(weight_ih=tuple(np.asfortranarray(weight) for weight in params.weight_ih))

    def part(chosen: slice) -> np.ndarray[Any, Any]:
        drawn: np.ndarray[Any, Any] = compiled.sample(
            np.ascontiguousarray(logits_BV.numpy()[chosen]),
            h_LBH.numpy()[:, chosen].copy(),
            np.ascontiguousarray(uniforms_TB[:, chosen]),
            by_columns,
            float(draw.temperature),
            draw.top_k,
            float(draw.top_p),
        )
        return drawn

    parts = shares(len(logits_BV), torch.get_num_threads())
    if len(parts) == 1:
        return part(parts[0])
    with ThreadPoolExecutor(len(parts)) as threads:  # what is compiled lets other threads run
        return np.concatenate(list(threads.map(part, parts)), axis=1)


def shares(count: int, cores: int) -> list[slice]:
    """``count`` samples in shares as equal as can be, one a core; several hold ``STREAMS_A_CORE`` or more."""
    number = max(1, min(cores, count // STREAMS_A_CORE))
    bounds = [count * i // number for i in range(number + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _sample_torch(
    net: CharRnn, logits_BV: Tensor, h_LBH: Tensor, uniforms_TB: np.ndarray[Any, Any], draw: Draw
) -> np.ndarray[Any, Any]:
    drawn = []
    for uniforms_B in torch.as_tensor(uniforms_TB, device=logits_BV.device):
        probs = next_distribution(logits_BV, draw)
        total = probs.cumsum(1)
        last = probs.shape[1] - 1 - (probs.flip(1) > 0).long().argmax(1)
        index = torch.searchsorted(total, uniforms_B[:, None], right=True)[:, 0].minimum(last)
        drawn.append(index)
        logits, h_LBH = net(index[None], h_LBH)
        logits_BV = logits[0]
    return torch.stack(drawn).cpu().numpy()


def next_distribution(logits_BV: Tensor, draw: Draw) -> Tensor:
    """The probabilities (B, V), float64, that the next characters are drawn from; see ``Draw``."""
    logits = logits_BV.double()
    logits = logits - logits.amax(1, keepdim=True)  # before the division, which may overflow
    probs = torch.softmax(logits / draw.temperature, 1)
    if draw.top_k == 0 and draw.top_p == 1:
        return probs
    ordered, order = probs.sort(dim=1, descending=True, stable=True)
    if draw.top_k:
        ordered[:, draw.top_k :] = 0
    before = nn.functional.pad(ordered.cumsum(1)[:, :-1], (1, 0))
    ordered[before >= draw.top_p * ordered.sum(1, keepdim=True)] = 0
    kept = torch.zeros_like(probs).scatter_(1, order, ordered)
    return kept / kept.sum(1, keepdim=True)
