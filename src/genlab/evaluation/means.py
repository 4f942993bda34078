"""Means of one figure an image, with how far they can be trusted."""

import math
from typing import Any

from torch import Tensor


def mean(values: Tensor) -> dict[str, Any]:
    """Mean of ``values`` (N,) with its ``standard_error``, their ``count``, and how many are ``not_finite``.

    The mean is None where there is none or where a value is not finite, the error besides for fewer than two.
    """
    numbers = values.detach().double().cpu()
    not_finite = int((~numbers.isfinite()).sum())
    usable = len(numbers) > 0 and not not_finite
    error = float(numbers.std()) / math.sqrt(len(numbers)) if usable and len(numbers) > 1 else None
    return {
        "value": float(numbers.mean()) if usable else None,
        "standard_error": error,
        "count": len(numbers),
        "not_finite": not_finite,
    }
