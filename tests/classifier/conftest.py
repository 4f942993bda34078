"""The classifier on a handful of digits."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from genlab.classifier.data import ClassifierDataModule
from genlab.classifier.module import ClassifierModule

MakeModule = Callable[..., ClassifierModule]

AS_THEY_ARE = {"degrees": 0.0, "translate": 0.0, "scale": 0.0, "shear": 0.0}


@pytest.fixture(scope="session")
def data(few_digits: Callable[..., Any]) -> ClassifierDataModule:
    """48 digits in batches of 8, as they are: a pass is six iterations."""
    made: ClassifierDataModule = few_digits(ClassifierDataModule, **AS_THEY_ARE)
    assert made.iterations_per_pass == 6
    return made


@pytest.fixture(scope="session")
def make_module(data: ClassifierDataModule) -> MakeModule:
    def make(seed: int = 0, lr: float = 2e-3, **options: Any) -> ClassifierModule:
        torch.manual_seed(seed)
        return ClassifierModule(partial(torch.optim.Adam, lr=lr), **(data.facts() | options))

    return make
