"""What people would use instead of genlab's char-RNN, written the way its documentation or best-known example does it.

``RnnLoop`` is ``torch.nn.RNN`` with a linear head and autograd in a bare loop; ``MinCharRnn`` is the plain NumPy way of
Karpathy's min-char-rnn. Both do the arithmetic of genlab's own (the same loss, clipping, two biases and Adam), so that
from the same weights and windows they come to the same losses: only the way of doing it differs.

Run as a program: options as JSON, and a JSON object on the last line that it prints.
Axes: N windows, T time steps, B streams, H hidden units, V symbols.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

CLIP = 5.0
LEARNING_RATE = 1e-3


class Rnn(nn.Module):
    """``nn.RNN`` on one-hot vectors, and a linear head; the parameters have the names of genlab's ``CharRnn``."""

    def __init__(self, vocab_size: int, hidden_size: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.rnn = nn.RNN(vocab_size, hidden_size)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, x_TB: Tensor, h_1BH: Tensor | None) -> tuple[Tensor, Tensor]:
        """Logits (T, B, V) and the state (1, B, H) after the window; None is the zero state."""
        one_hot = functional.one_hot(x_TB, self.vocab_size).float()
        output, h_1BH = self.rnn(one_hot, h_1BH)
        return self.head(output), h_1BH


def rnn_from(weights: Mapping[str, Tensor]) -> Rnn:
    """An ``Rnn`` with the weights of a one-layer ``CharRnn``'s state dict."""
    vocab_size, hidden_size = weights["head.weight"].shape
    model = Rnn(vocab_size, hidden_size)
    model.load_state_dict(dict(weights))
    return model


class RnnLoop:
    """The bare training loop around ``Rnn``: autograd through the window, the state detached between windows."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self.model = rnn_from(weights)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)
        self.h_1BH: Tensor | None = None

    def train(self, x_NTB: Tensor, y_NTB: Tensor, resets_N: Tensor) -> list[float]:
        """One update a window; the losses (nats a character) before each."""
        losses = []
        for x_TB, y_TB, reset in zip(x_NTB, y_NTB, resets_N.tolist(), strict=True):
            if reset:
                self.h_1BH = None
            self.optimizer.zero_grad()
            logits, h_1BH = self.model(x_TB, self.h_1BH)
            loss = functional.cross_entropy(logits.flatten(0, 1), y_TB.flatten())
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_value_(self.model.parameters(), CLIP)
            self.optimizer.step()
            self.h_1BH = h_1BH.detach()
            losses.append(loss.item())
        return losses


@torch.no_grad()
def sample_rnn(model: Rnn, start: int, count: int, length: int, temperature: float) -> Tensor:
    """Draw ``count`` streams of ``length`` characters after ``start``, one call of ``nn.RNN`` a character: (T, B)."""
    x_1B, h_1BH, drawn = torch.full((1, count), start), None, []
    for _ in range(length):
        logits, h_1BH = model(x_1B, h_1BH)
        probs = functional.softmax(logits[-1] / temperature, dim=-1)
        x_1B = torch.multinomial(probs, 1).T
        drawn.append(x_1B[0])
    return torch.stack(drawn)


class MinCharRnn:
    """A character RNN in plain NumPy for one stream: column vectors, a step at a time, and NumPy's own float64.

    Every gradient is a sum of outer products, one a time step. ``weights`` is a one-layer ``CharRnn``'s state dict.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        named = {name: value.detach().double().numpy().copy() for name, value in weights.items()}
        self.p: dict[str, NDArray[Any]] = {
            "Wxh": named["rnn.weight_ih_l0"],
            "Whh": named["rnn.weight_hh_l0"],
            "bx": named["rnn.bias_ih_l0"][:, None],
            "bh": named["rnn.bias_hh_l0"][:, None],
            "Why": named["head.weight"],
            "by": named["head.bias"][:, None],
        }
        self.m = {name: np.zeros_like(value) for name, value in self.p.items()}
        self.v = {name: np.zeros_like(value) for name, value in self.p.items()}
        self.updates = 0
        self.h = np.zeros_like(self.p["bh"])

    def train(self, x_NTB: Tensor, y_NTB: Tensor, resets_N: Tensor) -> list[float]:
        """One update a window; the losses (nats a character) before each. There must be one stream."""
        losses = []
        for inputs, targets, reset in zip(
            x_NTB[..., 0].tolist(), y_NTB[..., 0].tolist(), resets_N.tolist(), strict=True
        ):
            if reset:
                self.h = np.zeros_like(self.h)
            loss, grads = self._window(inputs, targets)
            self._adam(grads)
            losses.append(loss)
        return losses

    def _window(self, inputs: list[int], targets: list[int]) -> tuple[float, dict[str, NDArray[Any]]]:
        """Forward through the window, backward through it, and the state carried on."""
        p, loss = self.p, 0.0
        xs, hs, probs = {}, {-1: self.h}, {}
        for t, (symbol, target) in enumerate(zip(inputs, targets, strict=True)):
            xs[t] = np.zeros((p["Wxh"].shape[1], 1))
            xs[t][symbol] = 1
            hs[t] = np.tanh(p["Wxh"] @ xs[t] + p["Whh"] @ hs[t - 1] + p["bx"] + p["bh"])
            y = p["Why"] @ hs[t] + p["by"]
            exp = np.exp(y - y.max())
            probs[t] = exp / exp.sum()
            loss -= np.log(probs[t][target, 0])
        self.h = hs[len(inputs) - 1]
        return float(loss) / len(inputs), self._backward(xs, hs, probs, targets)

    def _backward(
        self,
        xs: dict[int, NDArray[Any]],
        hs: dict[int, NDArray[Any]],
        probs: dict[int, NDArray[Any]],
        targets: list[int],
    ) -> dict[str, NDArray[Any]]:
        grads = {name: np.zeros_like(value) for name, value in self.p.items()}
        dh_next = np.zeros_like(self.h)
        for t in reversed(range(len(targets))):
            dy = probs[t].copy()
            dy[targets[t]] -= 1
            dy /= len(targets)
            grads["Why"] += dy @ hs[t].T
            grads["by"] += dy
            da = (self.p["Why"].T @ dy + dh_next) * (1 - hs[t] * hs[t])
            grads["Wxh"] += da @ xs[t].T
            grads["Whh"] += da @ hs[t - 1].T
            grads["bx"] += da
            grads["bh"] += da
            dh_next = self.p["Whh"].T @ da
        return grads

    def _adam(self, grads: dict[str, NDArray[Any]]) -> None:
        """Adam (Kingma and Ba 2015), after clipping by value."""
        self.updates += 1
        for name, grad in grads.items():
            np.clip(grad, -CLIP, CLIP, out=grad)
            self.m[name] = 0.9 * self.m[name] + 0.1 * grad
            self.v[name] = 0.999 * self.v[name] + 0.001 * grad * grad
            m = self.m[name] / (1 - 0.9**self.updates)
            v = self.v[name] / (1 - 0.999**self.updates)
            self.p[name] -= LEARNING_RATE * m / (np.sqrt(v) + 1e-8)


LOOPS: dict[str, type[RnnLoop] | type[MinCharRnn]] = {"RnnLoop": RnnLoop, "MinCharRnn": MinCharRnn}


def main(argv: Sequence[str] | None = None) -> int:
    """Train the peer ``loop`` on the windows in ``file``, from the weights there."""
    options: dict[str, str] = json.loads((sys.argv[1:] if argv is None else argv)[0])
    content = torch.load(options["file"], weights_only=True)
    losses = LOOPS[options["loop"]](content["weights"]).train(*content["chunk"])
    print(json.dumps({"loss": losses[-1]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
