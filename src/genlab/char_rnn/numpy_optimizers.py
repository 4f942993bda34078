"""Update rules in NumPy: SGD with momentum, RMSprop, Adagrad, Adam and AdamW, in the forms that torch gives them.

A rule maps a parameter, its gradient and two moments to the new parameter and moments. It is written so that it
works on whole arrays, as here, and on single numbers, as the compiled engine applies it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SGD, RMSPROP, ADAGRAD, ADAM, ADAMW = 0, 1, 2, 3, 4
RULES = {"SGD": SGD, "RMSprop": RMSPROP, "Adagrad": ADAGRAD, "Adam": ADAM, "AdamW": ADAMW}


class Hyper(NamedTuple):
    """An update rule's constants, all of the parameters' own precision; a rule ignores those it has no use for.

    ``decay`` is SGD's momentum, RMSprop's alpha and Adam's beta1; ``debias1`` and ``debias2`` are Adam's
    ``1 - beta^step``.
    """

    lr: Any
    decay: Any
    decay2: Any
    eps: Any
    weight_decay: Any
    debias1: Any
    debias2: Any


class Moments(NamedTuple):
    """The flat vectors that training moves: parameters, their gradients, and the optimiser's two moments (P,)."""

    p: Array
    g: Array
    a: Array
    b: Array


def clip(g: Any, limit: Any) -> Any:
    """Clip to [-limit, limit] by value; a NaN stays one, so that it is found and not hidden."""
    return np.minimum(np.maximum(g, -limit), limit)


def sgd(p: Any, g: Any, a: Any, b: Any, c: Hyper) -> tuple[Any, Any, Any]:
    """Stochastic gradient descent with momentum (``a``), in torch's form: the buffer is not scaled by the rate."""
    a = c.decay * a + (g + c.weight_decay * p)
    return p - c.lr * a, a, b


def rmsprop(p: Any, g: Any, a: Any, b: Any, c: Hyper) -> tuple[Any, Any, Any]:
    """RMSprop (Tieleman and Hinton 2012): divide by a running root mean square (``a`` is its square)."""
    g = g + c.weight_decay * p
    a = c.decay * a + (g - c.decay * g) * g
    return p - c.lr * g / (np.sqrt(a) + c.eps), a, b


def adagrad(p: Any, g: Any, a: Any, b: Any, c: Hyper) -> tuple[Any, Any, Any]:
    """Adagrad (Duchi, Hazan and Singer 2011): divide by the root of the sum of squares (``a``)."""
    g = g + c.weight_decay * p
    a = a + g * g
    return p - c.lr * g / (np.sqrt(a) + c.eps), a, b


def adam(p: Any, g: Any, a: Any, b: Any, c: Hyper) -> tuple[Any, Any, Any]:
    """Adam (Kingma and Ba 2015) with L2 regularisation; ``a`` and ``b`` are the two moments."""
    return adam_step(p, g + c.weight_decay * p, a, b, c)


def adamw(p: Any, g: Any, a: Any, b: Any, c: Hyper) -> tuple[Any, Any, Any]:
    """AdamW (Loshchilov and Hutter 2019): Adam with the weight decay taken out of the gradient."""
    return adam_step(p - c.lr * c.weight_decay * p, g, a, b, c)


def adam_step(p: Any, g: Any, a: Any, b: Any, c: Hyper) -> tuple[Any, Any, Any]:
    """Adam's step for a given gradient: bias-corrected moments, ``eps`` outside the root."""
    a = c.decay * a + (g - c.decay * g)
    b = c.decay2 * b + (g - c.decay2 * g) * g
    return p - (c.lr / c.debias1) * a / (np.sqrt(b) / np.sqrt(c.debias2) + c.eps), a, b


def update(rule: int, p: Array, g: Array, a: Array, b: Array, c: Hyper, limit: Any) -> None:
    """Clip the gradient and apply a rule, in place, to flat vectors of parameters and their two moments."""
    g = clip(g, limit)
    if rule == SGD:
        p[:], a[:], b[:] = sgd(p, g, a, b, c)
    elif rule == RMSPROP:
        p[:], a[:], b[:] = rmsprop(p, g, a, b, c)
    elif rule == ADAGRAD:
        p[:], a[:], b[:] = adagrad(p, g, a, b, c)
    elif rule == ADAM:
        p[:], a[:], b[:] = adam(p, g, a, b, c)
    else:
        p[:], a[:], b[:] = adamw(p, g, a, b, c)
