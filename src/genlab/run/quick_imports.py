"""Lets a command import torch and Lightning in a good half of the time that they would take (docs/adr/0013).

Lightning imports torchmetrics, and that imports torchvision, SciPy's signals and statistics and matplotlib where they
are installed, for measures that nobody takes here. ``GENLAB_TORCHMETRICS=whole`` leaves it as it is.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError
from types import ModuleType

from genlab.checks import one_of

PACKAGE = "torchmetrics"
LEFT_OUT = ("matplotlib", "scipy", "torch_fidelity", "torchvision", "transformers")
"""What torchmetrics takes to be missing. Everybody else can import it as ever."""
SWITCH = "GENLAB_TORCHMETRICS"


@contextmanager
def quick_imports() -> Iterator[None]:
    """Within it, nothing is collected, for what is imported stays; and torchmetrics comes alone, now and later.

    Where torch is imported here, the collector passes over all that is there at the end from then on: it would go
    through a million objects several times before the first step.

    Raises ``ValueError`` for another word than ``lean`` or ``whole`` in ``GENLAB_TORCHMETRICS``.
    """
    way = one_of(SWITCH, os.environ.get(SWITCH, "lean"), ("lean", "whole"), "the environment")
    if way == "lean" and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    collecting, before = gc.isenabled(), "torch" in sys.modules
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
        if collecting and "torch" in sys.modules and not before:
            gc.freeze()


class _Finder(MetaPathFinder):
    """Finds torchmetrics where it is, and gives it a loader that hides the others while its package is executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == PACKAGE else None
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.loader
        with _hidden():
            self.loader.exec_module(module)


@contextmanager
def _hidden() -> Iterator[None]:
    """Let lightning-utilities, which torchmetrics asks what is installed, know nothing of ``LEFT_OUT``.

    A version of it that asks in another way says what is so, and torchmetrics is imported whole.
    """
    asked = import_module("lightning_utilities.core.imports")
    ways = {name: getattr(asked, name) for name in ("_version", "find_spec") if hasattr(asked, name)}
    for name, way in ways.items():
        setattr(asked, name, partial(_unless_left_out, way))
    try:
        yield
    finally:
        for name, way in ways.items():
            setattr(asked, name, way)
        for name in ("package_available", "module_available"):
            getattr(getattr(asked, name, None), "cache_clear", lambda: None)()


def _unless_left_out(ask: Callable[[str], object], name: str) -> object:
    if name.split(".")[0] in LEFT_OUT:
        raise PackageNotFoundError(name)  # what both of them raise for a package that is not there
    return ask(name)
