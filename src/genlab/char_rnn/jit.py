"""Compiling functions of the NumPy twin with numba."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numba

# The rules divide, and a division that must raise ZeroDivisionError cannot be vectorised. Two liberties are taken with
# floating point: fused multiply-add, and a constant's reciprocal in place of a division by it. Sums are not reordered
# and NaN stays NaN.
OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "arcp"}, "nogil": True}


def compile_with(function: Callable[..., Any], **callees: Any) -> Any:
    """Compile ``function`` as if the names in ``callees`` meant these compiled functions where it was written."""
    assert isinstance(function, FunctionType)
    return numba.njit(**OPTIONS)(FunctionType(function.__code__, {**function.__globals__, **callees}))
