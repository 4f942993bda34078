"""The DCGAN on a handful of digits."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from genlab.dcgan.data import DcganDataModule
from genlab.dcgan.module import DcganModule
from genlab.dcgan.nets import Discriminator, Generator

MakeModule = Callable[..., DcganModule]


@pytest.fixture(scope="session")
def data(few_digits: Callable[..., Any]) -> DcganDataModule:
    """48 digits in batches of 8: a pass is six iterations."""
    made: DcganDataModule = few_digits(DcganDataModule)
    assert made.iterations_per_pass == 6
    return made


@pytest.fixture(scope="session")
def make_module(data: DcganDataModule) -> MakeModule:
    def make(seed: int = 0, lr: float = 2e-3, layers: tuple[int, int] = (3, 4), **options: Any) -> DcganModule:
        torch.manual_seed(seed)
        nets = partial(Generator, num_layers=layers[0]), partial(Discriminator, num_layers=layers[1])
        optimizer = partial(torch.optim.Adam, lr=lr, betas=(0.5, 0.999))
        return DcganModule(optimizer, *nets, **(data.facts() | {"latent_dim": 10} | options))

    return make
