"""A product shared by two cores, for networks whose recurrent weights outgrow what one core reads in time.

At batch 1 an iteration waits for the recurrent weights to pass from cache to processor, twice a time step. With a
helper each core keeps one half of the rows in its own cache. A product takes some ten microseconds, too short for
any thread pool to wake up for, so the helper waits in a loop and the two talk through a small board in memory.
Where the helper has not come to its half, because the machine is busy with other things, it is done here: the
result is the same to the bit whoever makes it, and a busy machine costs little more than working alone.
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

# Places on the board, a cache line apart so that the cores do not contend for lines they do not share.
_ORDER, _CLAIMED, _DONE, _WHAT, _LAYER = 0, 8, 16, 24, 32
_FORWARD, _BACK, _STOP = 1, 2, 3
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}


class Shared(NamedTuple):
    """A layer's recurrent weights (H, H) as the two-core products take them: with the board and the buffers."""

    weight: Any
    layer: Any
    board: Any
    x_BH: Any
    y_BH: Any


@intrinsic  # type: ignore[untyped-decorator]
def _read(typing_context: Any, board: Any, place: Any) -> Any:
    """Read a place on the board; what was written before the other core's ``_post`` is visible after it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), ordering="acquire", align=8)

    return types.int64(board, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def _post(typing_context: Any, board: Any, place: Any, value: Any) -> Any:
    """Write a place on the board, after everything written before it."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        builder.store_atomic(args[2], builder.gep(data, [args[1]]), ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(board, types.intp, types.int64), generate


# What processors offer for waiting in a loop: it leaves the core's units to a sibling thread, and power to others.
_HAS_PAUSE = platform.machine() == "x86_64"


@intrinsic  # type: ignore[untyped-decorator]
def _pause(typing_context: Any) -> Any:
    """Wait a few cycles."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if _HAS_PAUSE:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic  # type: ignore[untyped-decorator]
def _yield(typing_context: Any) -> Any:
    """Let another thread have the core: if one wants it, waiting in a loop would only keep it from working."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic  # type: ignore[untyped-decorator]
def _claim(typing_context: Any, board: Any, order: Any) -> Any:
    """Take an order's second half, once only: true for whichever core comes first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        place = builder.gep(data, [ir.Constant(ir.IntType(64), _CLAIMED)])
        before = builder.sub(args[1], ir.Constant(ir.IntType(64), 1))
        pair = builder.cmpxchg(place, before, args[1], "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(board, types.int64), generate


@numba.njit(**_OPTIONS)
def recur(h_BH, shared):  # type: ignore[no-untyped-def]
    """``numpy_twin.recur`` on two cores: each makes half of the outputs."""
    order = _give_order(h_BH, shared, _FORWARD)
    result = np.empty_like(h_BH)
    half = h_BH.shape[1] // 2
    result[:, :half] = h_BH @ shared.weight[:half].T
    _finish(shared, _FORWARD, order)
    result[:, half:] = shared.y_BH[:, half:]
    return result


@numba.njit(**_OPTIONS)
def recur_back(da_BH, shared):  # type: ignore[no-untyped-def]
    """``numpy_twin.recur_back`` on two cores: each adds up its half of the rows."""
    order = _give_order(da_BH, shared, _BACK)
    half = da_BH.shape[1] // 2
    result = np.ascontiguousarray(da_BH[:, :half]) @ shared.weight[:half]
    _finish(shared, _BACK, order)
    result += shared.y_BH
    return result


@numba.njit(**_OPTIONS)
def _give_order(x_BH, shared, what):  # type: ignore[no-untyped-def]
    board = shared.board
    shared.x_BH[:] = x_BH
    board[_WHAT], board[_LAYER] = what, shared.layer
    order = board[_ORDER] + 1
    _post(board, _ORDER, order)
    return order


@numba.njit(**_OPTIONS)
def _finish(shared, what, order):  # type: ignore[no-untyped-def]
    """See that the second half is done: by the helper, or here if the helper has not come to it."""
    if _claim(shared.board, order):
        _second_half(shared.weight, shared.x_BH, shared.y_BH, what)
        return
    spins = 0
    while _read(shared.board, _DONE) != order:
        spins = _spin(spins)


@numba.njit(**_OPTIONS)
def _second_half(weight, x_BH, y_BH, what):  # type: ignore[no-untyped-def]
    half = x_BH.shape[1] // 2
    if what == _FORWARD:
        y_BH[:, half:] = x_BH @ weight[half:].T
    else:
        np.dot(np.ascontiguousarray(x_BH[:, half:]), weight[half:], y_BH)


@numba.njit(**_OPTIONS)
def _spin(spins):  # type: ignore[no-untyped-def]
    _pause()
    if spins % 2000 == 1999:
        _yield()
    return spins + 1


@numba.njit(cache=True, **_OPTIONS)
def _help(matrices):  # type: ignore[no-untyped-def]
    """Take orders from the board until told to stop."""
    board, x_BH, y_BH = matrices[0].board, matrices[0].x_BH, matrices[0].y_BH
    seen, spins = 0, 0
    while True:
        order = _read(board, _ORDER)
        if order == seen:
            spins = _spin(spins)
            continue
        seen = order
        if _claim(board, order):
            if board[_WHAT] == _STOP:
                return
            _second_half(matrices[board[_LAYER]].weight, x_BH, y_BH, board[_WHAT])
            _post(board, _DONE, order)


@contextmanager
def two_cores(weights: tuple[Any, ...], streams: int) -> Iterator[tuple[Shared, ...]]:
    """Share the products with ``weights`` between this thread and a helper that lives as long as the block."""
    board = np.zeros(40, np.int64)
    buffers = [np.empty((streams, weights[0].shape[0]), weights[0].dtype) for _ in range(2)]
    matrices = tuple(Shared(weight, layer, board, *buffers) for layer, weight in enumerate(weights))
    helper = threading.Thread(target=_help, args=(matrices,), daemon=True)
    helper.start()
    try:
        yield matrices
    finally:
        board[_WHAT] = _STOP
        board[_ORDER] += 1
        helper.join()
