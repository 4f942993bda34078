"""Networks of a given size in float64 with seeded parameters, none of them zero."""

from collections.abc import Callable

import pytest
import torch

from genlab.char_rnn.nets import CharRnn

MakeNet = Callable[..., CharRnn]


@pytest.fixture(scope="session")
def make_net() -> MakeNet:
    def make(
        vocab_size: int = 5,
        hidden_size: int = 4,
        num_layers: int = 1,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        dropout: float = 0.0,
    ) -> CharRnn:
        net = CharRnn(vocab_size, hidden_size, num_layers, dropout=dropout).to(dtype)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.normal_(0, 0.5, generator=generator)
        return net

    return make
