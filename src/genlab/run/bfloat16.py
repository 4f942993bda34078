"""bfloat16 on a processor that has no instructions for it: its numbers, multiplied in float32.

Such instructions take two numbers rounded to bfloat16, add up their products in float32 and round the sum. Without them
torch multiplies one number at a time, over ten times as slowly as in float32. The same numbers in float32 give the same
products, exactly, and their sum is rounded once: what comes out differs as it does between two processors that have the
instructions, by the order in which a sum is made.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
PRODUCTS = frozenset(
    {
        aten.convolution.default,
        aten.convolution_backward.default,
        aten.mm.default,
        aten.addmm.default,
        aten.bmm.default,
        aten.baddbmm.default,
    }
)
"""What all linear and convolutional layers and their gradients come to."""


def lacks_bfloat16(precision: Any, device: torch.device) -> bool:
    """Whether a training in ``precision`` on ``device`` wants bfloat16 of a processor without instructions for it."""
    wanted = str(precision).startswith("bf16") and device.type == "cpu"
    return wanted and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def products_in_float32(wanted: bool) -> AbstractContextManager[object]:
    """Within it products of bfloat16 are made in float32, if ``wanted``: of this thread, backward passes included."""
    return _ProductsInFloat32() if wanted else nullcontext()  # type: ignore[no-untyped-call]


class _ProductsInFloat32(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation on its way to the processor; all but products of bfloat16 go on as they are."""

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        options: Mapping[str, Any] = kwargs or {}
        if func not in PRODUCTS or not any(map(_is_bfloat16, args)):
            return func(*args, **options)
        found = func(*(each.float() if _is_bfloat16(each) else each for each in args), **options)
        return tuple(map(_rounded, found)) if isinstance(found, tuple) else _rounded(found)


def _is_bfloat16(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype == torch.bfloat16


def _rounded(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.bfloat16()
