"""The char-RNN in NumPy alone: forward, backward through time, and training window by window.

It is the twin of ``cell.py`` and ``nets.py``: the same mathematics written a second time, so that each checks the
other, and ``numpy_trainer.py`` trains with it alone. It is also the source of the compiled
engine, which compiles these very functions; that is why they keep to the plain NumPy that a compiler understands:
loops over time and no keyword arguments.

Axes: N windows, T time steps, B streams (rows of the batch), H hidden units, L layers, V symbols, P parameters.
The state is carried as ``h_LBH``; a window is ``x_TB`` (inputs) and ``y_TB`` (the characters that follow them).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genlab.char_rnn.numpy_optimizers import Hyper, Moments, update

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

tanh = np.tanh


class Parameters(NamedTuple):
    """Views into one flat vector, in the order and with the shapes of ``torch.nn.RNN`` and a linear head.

    ``weight_ih[l]`` is (H, V) for the first layer and (H, H) above, ``weight_hh[l]`` (H, H), both biases (H,);
    ``head_weight`` is (V, H) and ``head_bias`` (V,).
    """

    weight_ih: tuple[Array, ...]
    weight_hh: tuple[Array, ...]
    bias_ih: tuple[Array, ...]
    bias_hh: tuple[Array, ...]
    head_weight: Array
    head_bias: Array


def shapes(vocab_size: int, hidden_size: int, num_layers: int) -> list[tuple[int, ...]]:
    """The shape of every parameter in the order of the flat vector: each layer's four, then the head's two."""
    sizes: list[tuple[int, ...]] = []
    for layer in range(num_layers):
        input_size = vocab_size if layer == 0 else hidden_size
        sizes += [(hidden_size, input_size), (hidden_size, hidden_size), (hidden_size,), (hidden_size,)]
    return [*sizes, (vocab_size, hidden_size), (vocab_size,)]


def count_parameters(vocab_size: int, hidden_size: int, num_layers: int) -> int:
    """How many numbers the flat vector holds."""
    return sum(int(np.prod(shape)) for shape in shapes(vocab_size, hidden_size, num_layers))


def view_parameters(flat_P: Array, vocab_size: int, hidden_size: int, num_layers: int) -> Parameters:
    """Name the parts of the flat vector; what is written to a view is written to the vector."""
    parts, start = [], 0
    for shape in shapes(vocab_size, hidden_size, num_layers):
        stop = start + int(np.prod(shape))
        parts.append(flat_P[start:stop].reshape(shape))
        start = stop
    layers = parts[:-2]
    groups = [tuple(layers[kind::4]) for kind in range(4)]
    return Parameters(groups[0], groups[1], groups[2], groups[3], parts[-2], parts[-1])


# --- forward ---------------------------------------------------------------------------------------------------


def recur(h_BH: Array, weight_hh: Array) -> Array:
    """``W_hh h`` for every stream (B, H)."""
    return h_BH @ weight_hh.T


def recur_back(da_BH: Array, weight_hh: Array) -> Array:
    """``W_hh^T da`` for every stream (B, H): the way back through ``recur``."""
    return da_BH @ weight_hh


def recur_gradient(da: Array, before: Array, grad: Array) -> None:
    """The gradient of ``W_hh``: the outer products of all steps and streams (rows of both), added up in one product."""
    np.dot(da.T, before, grad)


def layer_forward(drive_TBH: Array, h_BH: Array, weight_hh: Array) -> Array:
    """Hidden states (T+1, B, H) of one layer, the given one first: ``h[t+1] = tanh(drive[t] + h[t] W_hh^T)``."""
    steps, batch, hidden = drive_TBH.shape
    h_all = np.empty((steps + 1, batch, hidden), drive_TBH.dtype)
    h_all[0] = h_BH
    for t in range(steps):
        h_all[t + 1] = tanh(drive_TBH[t] + recur(h_all[t], weight_hh))
    return h_all


def drive_from_indices(x_TB: Indices, weight_ih: Array, bias_H: Array) -> Array:
    """``W_ih x + b`` for one-hot ``x``: the column of ``W_ih`` that the index names (T, B, H)."""
    steps, batch = x_TB.shape
    drive = np.empty((steps, batch, bias_H.shape[0]), weight_ih.dtype)
    for t in range(steps):
        for b in range(batch):
            drive[t, b] = weight_ih[:, x_TB[t, b]] + bias_H
    return drive


def drive_from_below(y_TBH: Array, weight_ih: Array, bias_H: Array) -> Array:
    """``W_ih y + b`` for the outputs of the layer below (T, B, H)."""
    steps, batch, hidden = y_TBH.shape
    flat = np.ascontiguousarray(y_TBH).reshape(steps * batch, hidden) @ weight_ih.T + bias_H
    return flat.reshape(steps, batch, bias_H.shape[0])


def forward(x_TB: Indices, h_LBH: Array, params: Parameters) -> tuple[Array, Array]:
    """Run all layers over a window.

    Returns the logits (T*B, V), rows ordered by time and then stream, and the hidden states of every layer
    (L, T+1, B, H), from which ``backward`` works and whose last step is the state to carry on.
    """
    steps, batch = x_TB.shape
    num_layers, hidden = h_LBH.shape[0], h_LBH.shape[2]
    h_all = np.empty((num_layers, steps + 1, batch, hidden), h_LBH.dtype)
    for layer in range(num_layers):
        bias = params.bias_ih[layer] + params.bias_hh[layer]
        if layer == 0:
            drive = drive_from_indices(x_TB, params.weight_ih[layer], bias)
        else:
            drive = drive_from_below(h_all[layer - 1, 1:], params.weight_ih[layer], bias)
        h_all[layer] = layer_forward(drive, h_LBH[layer], params.weight_hh[layer])
    top = np.ascontiguousarray(h_all[num_layers - 1, 1:]).reshape(steps * batch, hidden)
    return top @ params.head_weight.T + params.head_bias, h_all


def softmax_loss(logits_NV: Array, targets_N: Indices) -> tuple[float, int, Array]:
    """Mean cross-entropy in nats, the number of correct guesses, and the gradient of the mean (N, V)."""
    count = logits_NV.shape[0]
    grad = np.empty_like(logits_NV)
    loss, correct = 0.0, 0
    for n in range(count):
        target = targets_N[n]
        shifted = logits_NV[n] - logits_NV[n].max()
        exp = np.exp(shifted)
        total = exp.sum()
        loss += np.log(total) - shifted[target]
        correct += np.argmax(shifted) == target
        grad[n] = exp / (total * count)
        grad[n, target] -= 1.0 / count
    return loss / count, correct, grad


# --- backward --------------------------------------------------------------------------------------------------


def layer_backward(dy_TBH: Array, dh_BH: Array, h_all: Array, weight_hh: Array) -> tuple[Array, Array]:
    """Back through time in one layer.

    ``dy_TBH`` is the loss's gradient in the layer's outputs, ``dh_BH`` what comes from beyond the window. Returns
    the gradient before the tanh (T, B, H), by ``tanh' = 1 - tanh^2``, and that in the initial state (B, H).
    """
    steps = dy_TBH.shape[0]
    da_TBH = np.empty_like(dy_TBH)
    dh = dh_BH
    for t in range(steps - 1, -1, -1):
        h = h_all[t + 1]
        d = dy_TBH[t] + dh
        da_TBH[t] = d - d * h * h
        dh = recur_back(da_TBH[t], weight_hh)
    return da_TBH, dh


def backward(
    x_TB: Indices, dlogits: Array, dh_LBH: Array, h_all: Array, params: Parameters, grads: Parameters
) -> Array:
    """Write every parameter's gradient into ``grads``; return that in the initial state (L, B, H).

    ``dlogits`` (T*B, V) and ``dh_LBH`` (zero in truncated training) are the upstream gradients.
    """
    num_layers, batch, hidden = dh_LBH.shape
    steps = x_TB.shape[0]
    rows = steps * batch
    dh0_LBH = np.empty_like(dh_LBH)
    top = np.ascontiguousarray(h_all[num_layers - 1, 1:]).reshape(rows, hidden)
    np.dot(dlogits.T, top, grads.head_weight)
    grads.head_bias[:] = dlogits.sum(0)
    dy = dlogits @ params.head_weight
    for layer in range(num_layers - 1, -1, -1):
        da_TBH, dh0 = layer_backward(
            dy.reshape(steps, batch, hidden), dh_LBH[layer], h_all[layer], params.weight_hh[layer]
        )
        dh0_LBH[layer] = dh0
        da = da_TBH.reshape(rows, hidden)
        before = np.ascontiguousarray(h_all[layer, :-1]).reshape(rows, hidden)
        recur_gradient(da, before, grads.weight_hh[layer])
        grads.bias_ih[layer][:] = da.sum(0)
        grads.bias_hh[layer][:] = grads.bias_ih[layer]
        if layer == 0:
            scatter_columns(x_TB, da_TBH, grads.weight_ih[layer])
        else:
            below = np.ascontiguousarray(h_all[layer - 1, 1:]).reshape(rows, hidden)
            np.dot(da.T, below, grads.weight_ih[layer])
            dy = da @ params.weight_ih[layer]
    return dh0_LBH


def scatter_columns(x_TB: Indices, da_TBH: Array, grad: Array) -> None:
    """The gradient of ``W_ih`` for one-hot inputs: add each step's gradient to the column of its character."""
    steps, batch = x_TB.shape
    grad[:] = 0
    for t in range(steps):
        for b in range(batch):
            grad[:, x_TB[t, b]] += da_TBH[t, b]


def window(x_TB: Indices, y_TB: Indices, h_LBH: Array, params: Parameters, grads: Parameters) -> tuple[float, int]:
    """One window: loss (nats a character) and correct guesses; fills ``grads`` and moves ``h_LBH`` on in place."""
    logits, h_all = forward(x_TB, h_LBH, params)
    loss, correct, dlogits = softmax_loss(logits, y_TB.reshape(-1))
    backward(x_TB, dlogits, np.zeros_like(h_LBH), h_all, params, grads)
    h_LBH[:] = h_all[:, -1]
    return loss, correct


# --- training -------------------------------------------------------------------------------------------------


def train_windows(
    x_NTB: Indices,
    y_NTB: Indices,
    resets_N: NDArray[np.bool_],
    h_LBH: Array,
    params: Parameters,
    grads: Parameters,
    flat: Moments,
    rule: int,
    hyper_N7: Array,
    limit: Any,
) -> tuple[Array, Indices]:
    """Truncated back-propagation through time: one update a window, the state carried between windows.

    ``params`` and ``grads`` are views of ``flat.p`` and ``flat.g``; ``resets_N`` says before which windows the text
    starts anew; ``hyper_N7`` holds a row of ``Hyper`` a window. Everything is moved in place. Returns the losses
    (nats a character, before each update) and the correct guesses of every window.
    """
    count = x_NTB.shape[0]
    losses, correct = np.empty(count), np.empty(count, np.int64)
    for n in range(count):
        if resets_N[n]:
            h_LBH[:] = 0
        losses[n], correct[n] = window(x_NTB[n], y_NTB[n], h_LBH, params, grads)
        c = hyper_N7[n]
        constants = Hyper(c[0], c[1], c[2], c[3], c[4], c[5], c[6])
        update_all(rule, flat, constants, limit)
    return losses, correct


def update_all(rule: int, flat: Moments, constants: Hyper, limit: Any) -> None:
    """One update of every parameter."""
    update(rule, flat.p, flat.g, flat.a, flat.b, constants, limit)
