"""What is compared must compute the same thing: losses, and the weights that training ends with."""

import numpy as np
import pytest
import torch
from torch import Tensor

from genlab.benchmarks import peers
from genlab.benchmarks.peers import LEARNING_RATE, MinCharRnn, RnnLoop, rnn_from, sample_rnn
from genlab.char_rnn.engines import make_engine
from genlab.char_rnn.nets import CharRnn

VOCAB = 11


def windows(seq_len: int, streams: int, count: int = 30) -> tuple[Tensor, Tensor, Tensor]:
    """Random windows; the text starts anew in the middle."""
    torch.manual_seed(1)
    resets = torch.zeros(count, dtype=torch.bool)
    resets[[0, count // 2]] = True
    x = torch.randint(0, VOCAB, (count, seq_len, streams))
    return x, torch.randint(0, VOCAB, x.shape), resets


def trained_by_genlab(
    net: CharRnn, engine: str, clip: float, chunk: tuple[Tensor, Tensor, Tensor]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    streams = chunk[0].shape[2]
    made = make_engine(engine, net, optimizer, clip, streams)
    lrs = [LEARNING_RATE] * len(chunk[0])
    return made.train(*chunk, net.initial_state(streams), lrs).losses


def network(hidden: int, dtype: torch.dtype = torch.float32) -> CharRnn:
    torch.manual_seed(0)
    return CharRnn(VOCAB, hidden).to(dtype)


@pytest.mark.parametrize(("hidden", "seq_len", "streams"), [(1, 1, 1), (16, 10, 1), (16, 10, 3)])
@pytest.mark.parametrize("clip", [5.0, 0.01])
def test_rnn_loop_has_our_losses_and_weights(
    hidden: int, seq_len: int, streams: int, clip: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "CLIP", clip)
    net, chunk = network(hidden), windows(seq_len, streams)
    peer = RnnLoop(net.state_dict())
    theirs = peer.train(*chunk)
    ours = trained_by_genlab(net, "torch", clip, chunk)
    np.testing.assert_allclose(theirs, ours, atol=1e-4, rtol=0)
    for name, value in peer.model.state_dict().items():
        torch.testing.assert_close(value, net.state_dict()[name], atol=1e-3, rtol=0)


@pytest.mark.parametrize(("hidden", "seq_len"), [(1, 1), (16, 10)])
@pytest.mark.parametrize("clip", [5.0, 0.01])
def test_min_char_rnn_has_our_losses_and_weights(
    hidden: int, seq_len: int, clip: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "CLIP", clip)
    net, chunk = network(hidden, torch.float64), windows(seq_len, 1)
    peer = MinCharRnn(net.state_dict())
    theirs = peer.train(*chunk)
    ours = trained_by_genlab(net, "numpy", clip, chunk)
    np.testing.assert_allclose(theirs, ours, atol=1e-9, rtol=0)
    np.testing.assert_allclose(peer.p["Whh"], net.state_dict()["rnn.weight_hh_l0"].numpy(), atol=1e-8, rtol=0)
    np.testing.assert_allclose(peer.p["bh"][:, 0], net.state_dict()["rnn.bias_hh_l0"].numpy(), atol=1e-8, rtol=0)


def test_state_is_carried_and_reset() -> None:
    """One call and two chained calls agree; without the reset in the middle the losses are others."""
    net, (x, y, resets) = network(16), windows(10, 1)
    whole = RnnLoop(net.state_dict()).train(x, y, resets)
    chained = RnnLoop(net.state_dict())
    parts = chained.train(x[:7], y[:7], resets[:7]) + chained.train(x[7:], y[7:], resets[7:])
    assert parts == pytest.approx(whole, abs=1e-5)
    never = RnnLoop(net.state_dict()).train(x, y, torch.zeros_like(resets))
    assert never[:15] == pytest.approx(whole[:15], abs=1e-5)
    assert abs(never[15] - whole[15]) > 1e-3


def test_samples_of_the_peer_follow_its_distribution() -> None:
    """Of a network without input or memory, each character comes as often as the head's biases say."""
    net = network(4)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        net.head.bias[3] = 0.5 * np.log(VOCAB - 1)
    torch.manual_seed(0)
    drawn = sample_rnn(rnn_from(net.state_dict()), start=0, count=100, length=50, temperature=0.5)
    assert drawn.shape == (50, 100)
    assert float((drawn == 3).double().mean()) == pytest.approx(0.5, abs=0.03)
