"""Twenty iterations whose losses are kept in a file: nobody changes the numbers without saying so.

``python -m pytest tests/char_rnn/test_golden.py --regenerate-golden`` writes the file anew.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from genlab.char_rnn.data import Streams
from genlab.char_rnn.engines import make_engine
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.text import Vocabulary

GOLDEN = Path(__file__).parents[1] / "golden" / "char_rnn.json"
TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness. "


def golden_losses(drawn_in_double: Callable[..., Any]) -> list[float]:
    """Nats a character: torch engine, float64, two layers of 16, T=10, B=2, Adam, a pass boundary on the way."""
    vocabulary = Vocabulary.from_text(TEXT)
    net = drawn_in_double(CharRnn(len(vocabulary), 16, 2, init="identity"))
    engine = make_engine("torch", net, torch.optim.Adam(net.parameters(), lr=1e-2), 5.0, 2)
    streams = Streams(vocabulary.encode(TEXT * 3), 10, 2)
    chunks = [streams.chunk(0, streams.windows_per_pass), streams.chunk(0, 20 - streams.windows_per_pass)]
    h, losses = net.initial_state(2), []
    for chunk in chunks:
        windows = engine.train(*chunk, h, [1e-2] * len(chunk.resets_N))
        h = windows.h_LBH
        losses += windows.losses.tolist()
    return losses


def test_twenty_iterations_are_those_of_the_golden_file(
    drawn_in_double: Callable[..., Any], regenerate_golden: bool
) -> None:
    losses = golden_losses(drawn_in_double)
    assert len(losses) == 20
    if regenerate_golden:
        GOLDEN.write_text(json.dumps({"losses": losses}, indent=2) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["losses"]
    np.testing.assert_allclose(losses, golden, rtol=1e-9)
