"""bfloat16 on a processor that oneDNN has no fast products of it for: its numbers, multiplied in float32.

Instructions for it take two numbers rounded to bfloat16, add up their products in float32 and round the sum. Without
them torch multiplies one number at a time, over ten times as slowly as in float32. The same numbers in float32 give the
same products, exactly, and their sum is rounded once: what comes out differs as it does between two processors that
have the instructions, by the order in which a sum is made.
"""

from collections.abc import Callable, Sequence
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
PRODUCTS_IN_PLACE: dict[Any, Any] = {aten.mm.out: aten.mm.default, aten.addmm.out: aten.addmm.default}
"""Those that are written to a tensor which is there already (``out=``), as the char-RNN's steps are."""


def lacks_bfloat16(precision: Any, device: torch.device) -> bool:
    """Whether a training in ``precision`` on ``device`` wants bfloat16 of a processor without fast products."""
    wanted = str(precision).startswith("bf16") and device.type == "cpu"
    with_onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return wanted and not (with_onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def products_in_float32(wanted: bool) -> AbstractContextManager[object]:
    """Within it products of bfloat16 are made in float32, if ``wanted``: of this thread, backward passes included."""
    return _ProductsInFloat32() if wanted else nullcontext()  # type: ignore[no-untyped-call]


class _ProductsInFloat32(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operation on its way to the processor; all but products of bfloat16 go on as they are."""

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        options: dict[str, Any] = dict(kwargs or {})
        factors = [each for each in args if isinstance(each, Tensor)]
        product = PRODUCTS_IN_PLACE.get(func, func)
        # Of numbers of two kinds torch makes no product, and so none is made here.
        if product not in PRODUCTS or not factors or any(each.dtype != torch.bfloat16 for each in factors):
            return func(*args, **options)
        place = options.pop("out", None)
        found = product(*(each.float() if isinstance(each, Tensor) else each for each in args), **options)
        if place is not None:
            return place.copy_(found)
        return tuple(map(_rounded, found)) if isinstance(found, tuple) else _rounded(found)


def _rounded(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.bfloat16()
