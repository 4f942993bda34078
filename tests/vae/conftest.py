"""The VAE on a handful of digits."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from genlab.vae.data import VaeDataModule
from genlab.vae.module import VaeModule

MakeModule = Callable[..., VaeModule]


@pytest.fixture(scope="session")
def data(few_digits: Callable[..., Any]) -> VaeDataModule:
    """48 digits in batches of 8: a pass is six iterations."""
    made: VaeDataModule = few_digits(VaeDataModule)
    assert made.iterations_per_pass == 6
    return made


@pytest.fixture(scope="session")
def make_module(data: VaeDataModule) -> MakeModule:
    def make(seed: int = 0, lr: float = 2e-3, **options: Any) -> VaeModule:
        torch.manual_seed(seed)
        return VaeModule(partial(torch.optim.Adam, lr=lr), **(data.facts() | options))

    return make
