"""The compiled engine's functions: those of the NumPy twin, compiled by numba.

Nothing of the mathematics is written again here. Each function of the twin is compiled with its calls to other
functions of the twin redirected to their compiled forms. Three get a driver of their own: ``update``, because a
compiler vectorises one loop over numbers and not a chain of array expressions; ``tanh`` in single precision, for the
same reason; and for large layers the products with the recurrent weights, which two cores share (``two_cores.py``).
"""

import hashlib
import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numba
import numpy as np
from threadpoolctl import ThreadpoolController

from genlab.char_rnn import compiled_optimizers, jit, numpy_optimizers, numpy_sampling, numpy_twin, two_cores
from genlab.char_rnn.jit import OPTIONS, compile_with


@numba.njit(**OPTIONS)
def tanh(x):
    """Tanh of every element of a (B, H) array; in single precision to 4e-7 relative, by arithmetic alone.

    An eighth of the argument goes into the [5/4] Pade approximant, from Lambert's continued fraction, and the result
    is doubled three times by ``tanh 2t = 2 tanh t / (1 + tanh^2 t)``. Beyond 9 tanh is 1 in single precision.
    """
    y = np.empty_like(x)
    one = x.dtype.type(1)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            t = np.minimum(np.maximum(x[i, j], -9 * one), 9 * one) * (one / 8)
            s = t * t
            t = t * ((s + 105 * one) * s + 945 * one) / ((15 * one * s + 420 * one) * s + 945 * one)
            t = (t + t) / (one + t * t)
            t = (t + t) / (one + t * t)
            y[i, j] = (t + t) / (one + t * t)
    return y


@numba.njit(**OPTIONS)
def _tanh(x):
    return tanh(x) if x.itemsize == 4 else np.tanh(x)


def _compile_training(update_all: Any, **products: Any) -> tuple[Any, Any]:
    """``forward`` and ``train_windows`` around an update and the three products with the recurrent weights."""
    recur, recur_back, recur_gradient = (
        products.get(function.__name__) or compile_with(function)
        for function in (numpy_twin.recur, numpy_twin.recur_back, numpy_twin.recur_gradient)
    )
    forward = compile_with(
        numpy_twin.forward,
        layer_forward=compile_with(numpy_twin.layer_forward, recur=recur, tanh=_tanh),
        drive_from_indices=compile_with(numpy_twin.drive_from_indices),
        drive_from_below=compile_with(numpy_twin.drive_from_below),
    )
    backward = compile_with(
        numpy_twin.backward,
        layer_backward=compile_with(numpy_twin.layer_backward, recur_back=recur_back),
        recur_gradient=recur_gradient,
        scatter_columns=compile_with(numpy_twin.scatter_columns),
    )
    window = compile_with(
        numpy_twin.window,
        forward=forward,
        softmax_loss=compile_with(numpy_twin.softmax_loss),
        backward=backward,
    )
    return forward, compile_with(numpy_twin.train_windows, window=window, update_all=update_all)


_forward, _train_windows = _compile_training(compile_with(numpy_twin.update_all, update=compiled_optimizers.update))
_, _train_windows_shared = _compile_training(
    two_cores.update_all,
    recur=two_cores.recur,
    recur_back=two_cores.recur_back,
    recur_gradient=two_cores.recur_gradient,
)
_sample = compile_with(
    numpy_sampling.sample,
    forward=_forward,
    draw=compile_with(numpy_sampling.draw),
    next_distribution=compile_with(numpy_sampling.next_distribution),
)
_log_prob = compile_with(numpy_sampling.log_prob, forward=_forward)


def _digest() -> str:
    """A hash of the sources that are compiled; numba's cache on disk would not notice a change in the twin's."""
    modules = (numpy_optimizers, numpy_twin, numpy_sampling, compiled_optimizers, jit, two_cores)
    return hashlib.sha256("".join(map(inspect.getsource, modules)).encode()).hexdigest()


def _entries(digest: str) -> tuple[Any, ...]:
    """The functions that Python calls, cached on disk; ``digest`` is closed over, which makes it part of the key."""

    @numba.njit(cache=True, **OPTIONS)
    def train_windows(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit):
        _ = digest
        return _train_windows(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit)

    @numba.njit(cache=True, **OPTIONS)
    def train_windows_shared(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit):
        _ = digest
        return _train_windows_shared(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit)

    @numba.njit(cache=True, **OPTIONS)
    def help_out(layers):
        _ = digest
        two_cores.help_out(layers)

    @numba.njit(cache=True, **OPTIONS)
    def sample(logits_BV, h_LBH, uniforms_TB, params, temperature, top_k, top_p):
        _ = digest
        return _sample(logits_BV, h_LBH, uniforms_TB, params, temperature, top_k, top_p)

    @numba.njit(cache=True, **OPTIONS)
    def log_prob(x_T, params, h_LBH):
        _ = digest
        return _log_prob(x_T, params, h_LBH)

    return train_windows, train_windows_shared, help_out, sample, log_prob


_alone, _shared, _help_out, sample, log_prob = _entries(_digest())

# Where the recurrent weights outgrow this, a second core's cache pays for talking to it.
SHARED_HIDDEN = 384


def one_blas_thread() -> None:
    """Hold BLAS to one thread from now on: its threads would wait in loops on the very cores that work here.

    The products are too short to be shared among threads by BLAS itself. To be called once by whoever trains, not
    around every call: OpenBLAS starts its threads anew each time that the limit is lifted.
    """
    import_module("scipy.linalg.cython_blas")  # numba's BLAS, which it would load only later
    ThreadpoolController().limit(limits=1, user_api="blas")


def train_windows(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit, cores=1):
    """``numpy_twin.train_windows`` compiled, on one core or, for large layers, on two."""
    rest = x_NTB, y_NTB, resets_N, h_LBH
    if cores < 2 or h_LBH.shape[2] < SHARED_HIDDEN or sys.platform == "win32":
        return _alone(*rest, params, grads, flat, rule, hyper_N7, limit)
    rows, streams = x_NTB.shape[1] * x_NTB.shape[2], x_NTB.shape[2]
    with two_cores.two_cores(_help_out, params.weight_hh, grads.weight_hh, flat, rows, streams) as shared:
        params = params._replace(weight_hh=shared.layers)
        grads = grads._replace(weight_hh=shared.layers)
        return _shared(*rest, params, grads, shared, rule, hyper_N7, limit)


def is_compiled() -> bool:
    """Whether some form of ``train_windows`` is in the cache on disk: if not, the first call takes a while."""
    folder = Path(_alone.stats.cache_path)
    return any(folder.glob("compiled._entries.locals.train_windows*.nbi"))
