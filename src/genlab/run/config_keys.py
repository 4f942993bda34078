"""The keys of a composed config: which there are, and whether an added one (``+key=value``) means anything."""

import inspect
from collections.abc import Iterator, Mapping, Sequence

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, InterpolationToMissingValueError

from genlab.checks import nearest_hint, refuse
from genlab.run.config_files import config_dir


def leaf_keys(cfg: DictConfig) -> list[str]:
    """Every key of ``cfg`` in dotted form, leaves and the nodes above them."""
    keys = []
    for key in map(str, cfg.keys()):
        keys.append(key)
        node = None if OmegaConf.is_missing(cfg, key) else cfg._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none():
            keys += [f"{key}.{below}" for below in leaf_keys(node)]
    return keys


def fields_of(words: Sequence[str]) -> list[str]:
    """The path of every leaf of the config that a command's words, its verb first, compose."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        keys = leaf_keys(hydra.compose(words[0], overrides=list(words[1:])))
    GlobalHydra.instance().clear()
    above = {key.rpartition(".")[0] for key in keys}
    return [key for key in keys if key not in above]


def refuse_lost_references(cfg: DictConfig) -> None:
    """Raise ``ValueError``, with the config path, for a value like ``${name}`` that refers to nothing."""
    for key in leaf_keys(cfg):
        try:
            value = OmegaConf.select(cfg, key)
            if OmegaConf.is_list(value):
                OmegaConf.to_container(value, resolve=True)
        except InterpolationToMissingValueError:
            continue  # it is the value that is missing
        except InterpolationResolutionError as error:
            rule = f"refer to a value that there is ({str(error).splitlines()[0]})"
            raise refuse(key.rpartition(".")[2], rule, _written(cfg, key), key) from error


def missing_keys(node: object, above: str = "") -> Iterator[str]:
    """The path of every value below ``node``, a config as plain values, that is yet to be given (``???``)."""
    if node == "???":
        yield above
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from missing_keys(value, f"{above}.{key}" if above else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from missing_keys(value, f"{above}[{index}]")


def _written(cfg: DictConfig, key: str) -> object:
    """What stands at ``key``, unresolved."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return OmegaConf.to_container(node, resolve=False)[name]  # type: ignore[call-overload,index]


def refuse_added_keys(cfg: DictConfig, overrides: Sequence[str]) -> None:
    """Raise ``ValueError`` for an added key that nothing would ever read.

    Hydra takes ``+typo=1`` without a word. An added key is of use only if it names a config group, or if it is an
    argument of the class or function that its node is made into.
    """
    parser = OverridesParser.create()
    for override in parser.parse_overrides(list(overrides)):
        key = override.key_or_group
        if (
            not (override.is_add() or override.is_force_add())
            or key.startswith("hydra.")
            or (config_dir() / key).is_dir()
        ):
            continue
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        if not isinstance(node, DictConfig):
            continue
        known = _arguments(node, name)
        if known is None or name in known:
            continue
        raise ValueError(f"{key}: no such key{_nearest(parent, name, known)}")


def nearest_key(cfg: DictConfig, key: str, others: Sequence[str] = ()) -> str:
    """A hint for ``key``, which ``cfg`` lacks: that it may be added, or what is nearest among keys and ``others``."""
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else None
    if not isinstance(node, DictConfig):
        return nearest_hint(key, [*leaf_keys(cfg), *others])
    hint = _nearest(parent, name, [str(below) for below in node])
    if not hint and "_target_" in node and name in (_arguments(node, name) or []):
        return f"; to add it: +{key}=..."
    return hint


def _nearest(parent: str, name: str, known: Sequence[str]) -> str:
    """The nearest of ``known`` below ``parent``: only the last part is compared, for the rest is the same in all."""
    prefix = f"did you mean {parent}." if parent else "did you mean "
    return nearest_hint(name, known).replace("did you mean ", prefix)


def _arguments(node: DictConfig, added: str) -> list[str] | None:
    """What may be set in ``node``; None where anything may.

    A node that is made into an object takes its target's arguments; one that is not takes the keys it had before
    ``added``, or another object to be made.
    """
    if "_target_" in node:
        parameters = inspect.signature(get_object(str(node["_target_"]))).parameters
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        return None if anything else [*parameters, "_target_", "_partial_"]
    value = node.get(added)
    if isinstance(value, DictConfig) and "_target_" in value:
        return None
    return [str(key) for key in node if key != added]
