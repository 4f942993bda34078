"""The character RNN as a torch module whose gradients are made by hand, and its initialisations.

Axes: T time steps, B streams, V symbols, H hidden units, L layers.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genlab.char_rnn.cell import CELLS, Cache, Gradients, Layer
from genlab.checks import at_least, in_range, one_of


class Window(NamedTuple):
    """What one training window gives: mean loss in nats a character, correct guesses, and the state to carry on."""

    loss: Tensor
    correct: Tensor
    h_LBH: Tensor


class CharRnn(nn.Module):
    """One-hot characters -> recurrent layers -> a linear head of logits.

    ``rnn`` holds parameters with the names and shapes of ``torch.nn.RNN``, so its state dict loads there and back;
    ``head`` is a linear layer. ``forward`` gives logits; ``loss_and_gradients`` fills every ``.grad`` by hand.

    Raises ``ValueError`` for sizes below 1, a dropout outside [0, 1), or an unknown ``init`` or ``cell``.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int = 256,
        num_layers: int = 1,
        init: str = "uniform",
        dropout: float = 0.0,
        cell: str = "tanh",
    ) -> None:
        super().__init__()
        self.vocab_size = at_least("vocab_size", vocab_size, 1, "data")
        self.hidden_size = at_least("hidden_size", hidden_size, 1, "model.hidden_size")
        self.num_layers = at_least("num_layers", num_layers, 1, "model.num_layers")
        self.dropout = in_range("dropout", dropout, 0, 1, "model.dropout", high_open=True)
        self.cell = CELLS[one_of("cell", cell, CELLS, "model.cell")]
        fill = INITS[one_of("init", init, INITS, "model.init")]
        self.rnn = nn.Module()
        rows = self.cell.gates * hidden_size
        for layer in range(num_layers):
            inputs = vocab_size if layer == 0 else hidden_size
            sizes = (rows, inputs), (rows, hidden_size), (rows,), (rows,)
            for name, size in zip(Layer._fields, sizes, strict=True):
                self.rnn.register_parameter(f"{name}_l{layer}", nn.Parameter(torch.empty(size)))
        self.head = nn.Linear(hidden_size, vocab_size)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                fill(name, parameter, hidden_size)

    def layers(self) -> list[Layer]:
        """The recurrent parameters, layer by layer from the bottom."""
        return [
            Layer(*(self.rnn.get_parameter(f"{name}_l{layer}") for name in Layer._fields))
            for layer in range(self.num_layers)
        ]

    def initial_state(self, streams: int) -> Tensor:
        """The zero state (L, B, H) in which a text starts."""
        width = self.cell.states * self.hidden_size
        return self.head.weight.new_zeros(self.num_layers, streams, width)

    @torch.no_grad()
    def forward(self, x_TB: Tensor, h_LBH: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (T, B, V) and the state (L, B, H) after the window; no dropout and no gradients."""
        y, states = x_TB, []
        for layer, h in zip(self.layers(), h_LBH, strict=True):
            y, h_next, _ = self.cell.forward(y, h, layer)
            states.append(h_next)
        return self.head(y), torch.stack(states)

    @torch.no_grad()
    def loss_and_gradients(self, x_TB: Tensor, y_TB: Tensor, h_LBH: Tensor) -> Window:
        """One window of truncated back-propagation: fills ``.grad`` of every parameter, returns the loss.

        Dropout (inverted, between layers, as in ``torch.nn.RNN``) acts here when the module is in training mode.
        """
        y, states, caches, masks = x_TB, [], list[Cache](), list[Tensor | None]()
        for index, (layer, h) in enumerate(zip(self.layers(), h_LBH, strict=True)):
            mask = self._mask(y) if index > 0 else None
            y, h_next, cache = self.cell.forward(y if mask is None else y * mask, h, layer)
            states.append(h_next)
            caches.append(cache)
            masks.append(mask)
        top = y.flatten(0, 1)
        logits = self.head(top)
        loss, dlogits = cross_entropy(logits, y_TB.flatten())
        correct = (logits.argmax(1) == y_TB.flatten()).sum()
        self.head.weight.grad = dlogits.t() @ top
        self.head.bias.grad = dlogits.sum(0)
        self._backward((dlogits @ self.head.weight).view(*y_TB.shape, -1), caches, masks)
        return Window(loss, correct, torch.stack(states))

    def _backward(self, dy_TBH: Tensor, caches: list[Cache], masks: list[Tensor | None]) -> None:
        for index in range(self.num_layers - 1, -1, -1):
            nothing = torch.zeros_like(caches[index].h_all[0])
            grads: Gradients = self.cell.backward(dy_TBH, nothing, caches[index])
            for name, grad in zip(Layer._fields, grads.layer, strict=True):
                # As its parameter lies in memory: fused optimisers go through both without looking at strides.
                self.rnn.get_parameter(f"{name}_l{index}").grad = grad.contiguous()
            if grads.x is not None:
                mask = masks[index]
                dy_TBH = grads.x if mask is None else grads.x * mask

    def _mask(self, like: Tensor) -> Tensor | None:
        if not (self.training and self.dropout):
            return None
        keep = 1 - self.dropout
        return torch.empty_like(like).bernoulli_(keep).div_(keep)


def cross_entropy(logits_NV: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of ``-log softmax(logits)[target]`` in nats, and its gradient in the logits: ``(softmax - one_hot) / N``."""
    log_probs = torch.log_softmax(logits_NV, 1)
    rows = torch.arange(len(targets_N), device=targets_N.device)
    loss = -log_probs[rows, targets_N].mean()
    grad = log_probs.exp_()
    grad[rows, targets_N] -= 1
    return loss, grad.div_(len(targets_N))


# --- initialisations: fill(name, parameter, hidden_size), in place -----------------------------------------------


def _uniform(name: str, parameter: Tensor, hidden_size: int) -> None:
    """Uniform within +-1/sqrt(hidden_size), weights and biases alike: torch's own default for its RNN."""
    bound = 1 / math.sqrt(hidden_size)
    parameter.uniform_(-bound, bound)


def _normal(name: str, parameter: Tensor, hidden_size: int) -> None:
    """Weights from N(0, 0.01^2) and biases of zero, as in Karpathy's min-char-rnn."""
    parameter.zero_() if "bias" in name else parameter.normal_(0, 0.01)


def _xavier(name: str, parameter: Tensor, hidden_size: int) -> None:
    """Glorot and Bengio 2010, uniform; biases of zero."""
    parameter.zero_() if "bias" in name else nn.init.xavier_uniform_(parameter)


def _orthogonal(name: str, parameter: Tensor, hidden_size: int) -> None:
    """Saxe et al. 2014: the recurrent weights are a random rotation; the rest is Xavier, biases zero."""
    nn.init.orthogonal_(parameter) if "weight_hh" in name else _xavier(name, parameter, hidden_size)


def _identity(name: str, parameter: Tensor, hidden_size: int) -> None:
    """Le, Jaitly and Hinton 2015: recurrent weights of the identity; the rest is Xavier, biases zero."""
    nn.init.eye_(parameter) if "weight_hh" in name else _xavier(name, parameter, hidden_size)


INITS: dict[str, Callable[[str, Tensor, int], None]] = {
    "uniform": _uniform,
    "normal": _normal,
    "xavier": _xavier,
    "orthogonal": _orthogonal,
    "identity": _identity,
}
