"""The compiled engine's functions: those of the NumPy twin, compiled by numba.

Nothing of the mathematics is written again here. Each function of the twin is compiled with its calls to other
functions of the twin redirected to their compiled forms; only ``update`` gets a driver of its own, which applies the
twin's scalar rules in one pass over memory, because a compiler vectorises that and not a chain of array expressions.
"""

import hashlib
import inspect
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba
from threadpoolctl import ThreadpoolController

from genlab.char_rnn import numpy_optimizers, numpy_sampling, numpy_twin, two_cores
from genlab.char_rnn.numpy_optimizers import ADAGRAD, ADAM, RMSPROP, SGD

# The rules divide, and a division that must raise ZeroDivisionError cannot be vectorised; contraction (fused
# multiply-add) is the one liberty taken with floating point: sums are not reordered and NaN stays NaN.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True}


def _compile(function: Callable[..., Any], **callees: Any) -> Any:
    """Compile ``function`` as if the names in ``callees`` meant their compiled forms where it was written."""
    assert isinstance(function, FunctionType)
    return numba.njit(**_OPTIONS)(FunctionType(function.__code__, {**function.__globals__, **callees}))


_clip = _compile(numpy_optimizers.clip)
_adam_step = _compile(numpy_optimizers.adam_step)
_sgd = _compile(numpy_optimizers.sgd)
_rmsprop = _compile(numpy_optimizers.rmsprop)
_adagrad = _compile(numpy_optimizers.adagrad)
_adam = _compile(numpy_optimizers.adam, adam_step=_adam_step)
_adamw = _compile(numpy_optimizers.adamw, adam_step=_adam_step)


@numba.njit(**_OPTIONS)
def _update(rule, p, g, a, b, c, limit):  # type: ignore[no-untyped-def]
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


def _compile_training(recur: Any, recur_back: Any) -> tuple[Any, Any]:
    """``forward`` and ``train_windows`` around the two products with the recurrent weights."""
    forward = _compile(
        numpy_twin.forward,
        layer_forward=_compile(numpy_twin.layer_forward, recur=recur),
        drive_from_indices=_compile(numpy_twin.drive_from_indices),
        drive_from_below=_compile(numpy_twin.drive_from_below),
    )
    backward = _compile(
        numpy_twin.backward,
        layer_backward=_compile(numpy_twin.layer_backward, recur_back=recur_back),
        scatter_columns=_compile(numpy_twin.scatter_columns),
    )
    window = _compile(
        numpy_twin.window,
        forward=forward,
        softmax_loss=_compile(numpy_twin.softmax_loss),
        backward=backward,
    )
    return forward, _compile(numpy_twin.train_windows, window=window, update=_update)


_forward, _train_windows = _compile_training(_compile(numpy_twin.recur), _compile(numpy_twin.recur_back))
_, _train_windows_shared = _compile_training(two_cores.recur, two_cores.recur_back)
_sample = _compile(
    numpy_sampling.sample,
    forward=_forward,
    draw=_compile(numpy_sampling.draw),
    next_distribution=_compile(numpy_sampling.next_distribution),
)
_log_prob = _compile(numpy_sampling.log_prob, forward=_forward)


def _digest() -> str:
    """A hash of the sources that are compiled; numba's cache on disk would not notice a change in the twin's."""
    sources = [inspect.getsource(module) for module in (numpy_optimizers, numpy_twin, numpy_sampling, two_cores)]
    return hashlib.sha256("".join(sources).encode()).hexdigest()


def _entries(digest: str) -> tuple[Any, ...]:
    """The functions that Python calls, cached on disk; ``digest`` is closed over, which makes it part of the key."""

    @numba.njit(cache=True, **_OPTIONS)
    def train_windows(  # type: ignore[no-untyped-def]
        x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit
    ):
        _ = digest
        return _train_windows(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit)

    @numba.njit(cache=True, **_OPTIONS)
    def train_windows_shared(  # type: ignore[no-untyped-def]
        x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit
    ):
        _ = digest
        return _train_windows_shared(x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit)

    @numba.njit(cache=True, **_OPTIONS)
    def sample(logits_BV, h_LBH, uniforms_TB, params, temperature, top_k, top_p):  # type: ignore[no-untyped-def]
        _ = digest
        return _sample(logits_BV, h_LBH, uniforms_TB, params, temperature, top_k, top_p)

    @numba.njit(cache=True, **_OPTIONS)
    def log_prob(x_T, params, h_LBH):  # type: ignore[no-untyped-def]
        _ = digest
        return _log_prob(x_T, params, h_LBH)

    return train_windows, train_windows_shared, sample, log_prob


_alone, _shared, sample, log_prob = _entries(_digest())

# Where the recurrent weights outgrow this, a second core's cache pays for talking to it; measured at 100 to 1,024.
SHARED_HIDDEN = 100
_BLAS = ThreadpoolController()


def train_windows(  # type: ignore[no-untyped-def]
    x_NTB, y_NTB, resets_N, h_LBH, params, grads, flat, rule, hyper_N7, limit, cores=1
):
    """``numpy_twin.train_windows`` compiled, on one core or, for large layers, on two.

    The products are too short for BLAS to share among threads by itself, so it is held to one meanwhile.
    """
    rest = x_NTB, y_NTB, resets_N, h_LBH
    with _BLAS.limit(limits=1, user_api="blas"):
        if cores < 2 or h_LBH.shape[2] < SHARED_HIDDEN or sys.platform == "win32":
            return _alone(*rest, params, grads, flat, rule, hyper_N7, limit)
        with two_cores.two_cores(params.weight_hh, h_LBH.shape[1]) as shared:
            params = params._replace(weight_hh=shared)
            return _shared(*rest, params, grads, flat, rule, hyper_N7, limit)
