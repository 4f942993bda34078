"""Training shared by two cores, for networks whose recurrent weights outgrow what one core reads in time.

At batch 1 an iteration waits for the recurrent weights to pass from cache to processor, twice a time step. Here each
core owns half of their rows: it multiplies with them, makes their gradient and updates them, so that they stay in its
own cache. A product takes some ten microseconds, too short for any thread pool to wake up for, so the helper waits in
a loop and the two talk through a small board in memory. Where the helper has not come to its half, because the
machine is busy with other things, it is done here: the result is the same to the bit whoever makes it.

The functions here stand in for those of the same names in ``numpy_twin`` where layers are ``Shared``.
"""

import platform
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from genlab.char_rnn.compiled_optimizers import update
from genlab.char_rnn.jit import OPTIONS
from genlab.char_rnn.numpy_optimizers import Hyper, Moments

# Places on the board, a cache line apart so that the cores do not contend for lines they do not share.
_ORDER, _CLAIMED, _DONE, _WHAT, _LAYER, _RULE = 0, 8, 16, 24, 32, 40
_FORWARD, _BACK, _GRADIENT, _UPDATE, _STOP = 1, 2, 3, 4, 5


class Shared(NamedTuple):
    """A layer's recurrent weights as two cores work on them.

    ``moments`` holds the (H*H,) views of weights, gradient and the optimiser's two; ``weight`` and ``grad`` are the
    first two as (H, H); ``start`` is where they begin in the flat vectors. ``x_BH``, ``y_BH``, ``da``, ``before``
    and ``constants`` are where this core leaves what the helper needs, and the helper its results.
    """

    weight: Any
    grad: Any
    moments: Any
    start: Any
    layer: Any
    board: Any
    x_BH: Any
    y_BH: Any
    da: Any
    before: Any
    constants: Any


class SharedMoments(NamedTuple):
    """``numpy_twin.Moments``, and the parts of them that are shared."""

    p: Any
    g: Any
    a: Any
    b: Any
    layers: Any


@intrinsic
def _read(typing_context: Any, board: Any, place: Any) -> Any:
    """Read a place on the board; what was written before the other core's ``_post`` is visible after it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), ordering="acquire", align=8)

    return types.int64(board, types.intp), generate


@intrinsic
def _post(typing_context: Any, board: Any, place: Any, value: Any) -> Any:
    """Write a place on the board, after everything written before it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        builder.store_atomic(args[2], builder.gep(data, [args[1]]), ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(board, types.intp, types.int64), generate


# What processors offer for waiting in a loop: it leaves the core's units to a sibling thread, and power to others.
_HAS_PAUSE = platform.machine() == "x86_64"


@intrinsic
def _pause(typing_context: Any) -> Any:
    """Wait a few cycles."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _HAS_PAUSE:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _yield(typing_context: Any) -> Any:
    """Let another thread have the core: if one wants it, waiting in a loop would only keep it from working."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _claim(typing_context: Any, board: Any, order: Any) -> Any:
    """Take an order's second half, once only: true for whichever core comes first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.gep(data, [ir.Constant(ir.IntType(64), _CLAIMED)])
        before = builder.sub(args[1], ir.Constant(ir.IntType(64), 1))
        pair = builder.cmpxchg(place, before, args[1], "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(board, types.int64), generate


# --- in place of the twin's functions: this core's half ---------------------------------------------------------


@numba.njit(**OPTIONS)
def recur(h_BH, shared):
    """Each core makes half of the outputs."""
    shared.x_BH[:] = h_BH
    order = _give_order(shared, _FORWARD)
    result = np.empty_like(h_BH)
    half = h_BH.shape[1] // 2
    result[:, :half] = h_BH @ shared.weight[:half].T
    _finish(shared, _FORWARD, order)
    result[:, half:] = shared.y_BH[:, half:]
    return result


@numba.njit(**OPTIONS)
def recur_back(da_BH, shared):
    """Each core adds up half of the rows."""
    shared.x_BH[:] = da_BH
    order = _give_order(shared, _BACK)
    half = da_BH.shape[1] // 2
    result = np.ascontiguousarray(da_BH[:, :half]) @ shared.weight[:half]
    _finish(shared, _BACK, order)
    result += shared.y_BH
    return result


@numba.njit(**OPTIONS)
def recur_gradient(da, before, shared):
    """Each core makes half of the rows."""
    shared.da[:] = da
    shared.before[:] = before
    order = _give_order(shared, _GRADIENT)
    half = da.shape[1] // 2
    np.dot(np.ascontiguousarray(da[:, :half]).T, before, shared.grad[:half])
    _finish(shared, _GRADIENT, order)


@numba.njit(**OPTIONS)
def update_all(rule, flat, c, limit):
    """The helper updates its half of each layer's recurrent weights; all other parameters are updated here."""
    done = 0
    for layer in range(len(flat.layers)):
        shared = flat.layers[layer]
        size = shared.moments.p.size
        shared.board[_RULE] = rule
        for i in range(7):
            shared.constants[i] = c[i]
        shared.constants[7] = limit
        order = _give_order(shared, _UPDATE)
        _update_range(rule, flat, done, shared.start + size // 2, c, limit)
        _finish(shared, _UPDATE, order)
        done = shared.start + size
    _update_range(rule, flat, done, flat.p.size, c, limit)


# --- the helper, and its half -----------------------------------------------------------------------------------


@numba.njit(**OPTIONS)
def help_out(layers):
    """Take orders from the board until told to stop."""
    board = layers[0].board
    seen, spins = 0, 0
    while True:
        order = _read(board, _ORDER)
        if order == seen:
            spins = _spin(spins)
            continue
        seen = order
        if _claim(board, order):
            what = board[_WHAT]
            if what == _STOP:
                return
            _second_half(layers[board[_LAYER]], what)
            _post(board, _DONE, order)


@numba.njit(**OPTIONS)
def _second_half(shared, what):
    half = shared.weight.shape[0] // 2
    if what == _FORWARD:
        shared.y_BH[:, half:] = shared.x_BH @ shared.weight[half:].T
    elif what == _BACK:
        np.dot(np.ascontiguousarray(shared.x_BH[:, half:]), shared.weight[half:], shared.y_BH)
    elif what == _GRADIENT:
        np.dot(np.ascontiguousarray(shared.da[:, half:]).T, shared.before, shared.grad[half:])
    else:
        c, size = shared.constants, shared.moments.p.size
        constants = Hyper(c[0], c[1], c[2], c[3], c[4], c[5], c[6])
        _update_range(shared.board[_RULE], shared.moments, size // 2, size, constants, c[7])


@numba.njit(**OPTIONS)
def _update_range(rule, flat, start, stop, c, limit):
    update(rule, flat.p[start:stop], flat.g[start:stop], flat.a[start:stop], flat.b[start:stop], c, limit)


# --- orders -----------------------------------------------------------------------------------------------------


@numba.njit(**OPTIONS)
def _give_order(shared, what):
    board = shared.board
    board[_WHAT], board[_LAYER] = what, shared.layer
    order = board[_ORDER] + 1
    _post(board, _ORDER, order)
    return order


@numba.njit(**OPTIONS)
def _finish(shared, what, order):
    """See that the second half is done: by the helper, or here if the helper has not come to it."""
    if _claim(shared.board, order):
        _second_half(shared, what)
    else:
        _wait_for(shared.board, order)


@numba.njit(**OPTIONS)
def _wait_for(board, order):
    spins = 0
    while _read(board, _DONE) != order:
        spins = _spin(spins)


@numba.njit(**OPTIONS)
def _spin(spins):
    _pause()
    if spins % 2000 == 1999:
        _yield()
    return spins + 1


@contextmanager
def two_cores(help_out: Any, weights: Any, grads: Any, flat: Any, rows: int, streams: int) -> Iterator[SharedMoments]:
    """Share the work on the recurrent ``weights`` between this thread and a helper that lives as long as the block.

    ``rows`` is time steps times streams; ``flat`` holds the vectors that weights and gradients are views of.
    """
    hidden, dtype = weights[0].shape[0], weights[0].dtype
    board = np.zeros(48, np.int64)
    vectors = [np.empty((streams, hidden), dtype) for _ in range(2)]
    matrices = [np.empty((rows, hidden), dtype) for _ in range(2)]
    constants = np.empty(8, dtype)
    layers = []
    for layer, (weight, grad) in enumerate(zip(weights, grads, strict=True)):
        start = (weight.ctypes.data - flat.p.ctypes.data) // dtype.itemsize
        moments = Moments(*(vector[start : start + weight.size] for vector in flat))
        layers.append(Shared(weight, grad, moments, start, layer, board, *vectors, *matrices, constants))
    shared = tuple(layers)
    helper = threading.Thread(target=help_out, args=(shared,), daemon=True)
    helper.start()
    try:
        yield SharedMoments(*flat, shared)
    finally:
        board[_WHAT] = _STOP
        board[_ORDER] += 1
        helper.join()
