"""The update rules of ``numpy_optimizers``, compiled and applied in one pass over memory."""

import numba

from genlab.char_rnn import numpy_optimizers
from genlab.char_rnn.jit import OPTIONS, compile_with
from genlab.char_rnn.numpy_optimizers import ADAGRAD, ADAM, RMSPROP, SGD

_clip = compile_with(numpy_optimizers.clip)
_adam_step = compile_with(numpy_optimizers.adam_step)
_sgd = compile_with(numpy_optimizers.sgd)
_rmsprop = compile_with(numpy_optimizers.rmsprop)
_adagrad = compile_with(numpy_optimizers.adagrad)
_adam = compile_with(numpy_optimizers.adam, adam_step=_adam_step)
_adamw = compile_with(numpy_optimizers.adamw, adam_step=_adam_step)


@numba.njit(**OPTIONS)
def update(rule, p, g, a, b, c, limit):
    """``numpy_optimizers.update`` in one pass: a loop a rule, so that each is vectorised by itself."""
    if rule == SGD:
        for i in range(p.size):
            p[i], a[i], b[i] = _sgd(p[i], _clip(g[i], limit), a[i], b[i], c)
    elif rule == RMSPROP:
        for i in range(p.size):
            p[i], a[i], b[i] = _rmsprop(p[i], _clip(g[i], limit), a[i], b[i], c)
    elif rule == ADAGRAD:
        for i in range(p.size):
            p[i], a[i], b[i] = _adagrad(p[i], _clip(g[i], limit), a[i], b[i], c)
    elif rule == ADAM:
        for i in range(p.size):
            p[i], a[i], b[i] = _adam(p[i], _clip(g[i], limit), a[i], b[i], c)
    else:
        for i in range(p.size):
            p[i], a[i], b[i] = _adamw(p[i], _clip(g[i], limit), a[i], b[i], c)
