"""What a study measures of a run: which weights, which measures, and whether their results are as it asks for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genlab.studies.measured import Digests, is_as_asked
from genlab.studies.study import WEIGHTS, weights_of


def checkpoints_of(definition: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The weights that are measured of a run with ``config``: those of all of it, then those of passes within it."""
    passes = (definition.get("evaluate") or {}).get("passes") or []
    within = [number for number in passes if number < config["trainer"]["max_epochs"]]
    return [weights_of(definition), *(f"epoch_{number:04d}" for number in within)]


def not_taken(
    run: Path, checkpoint: str, definition: Mapping[str, Any], evaluators: Mapping[str, Any], judges: Digests
) -> list[str]:
    """The study's measures that the run has and that have no result of these weights as the study asks for."""
    wanted = (definition.get("evaluate") or {}).get("measures") or list(evaluators)
    return [
        name
        for name in wanted
        if name in evaluators and not is_as_asked(_result(run, checkpoint, name), checkpoint, evaluators[name], judges)
    ]


def taken_otherwise(run: Path, definition: Mapping[str, Any], config: Mapping[str, Any], judges: Digests) -> list[str]:
    """The study's measures that have a result of the run, though not as the study asks for: with other weights, say."""
    evaluators = config.get("evaluators") or {}
    found = [
        name
        for checkpoint in checkpoints_of(definition, config)
        for name in not_taken(run, checkpoint, definition, evaluators, judges)
        if _result(run, checkpoint, name) is not None
    ]
    return list(dict.fromkeys(found))


def lacks_weights(run: Path, definition: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether a finished run has not kept weights that the study measures."""
    return not all((run / "checkpoints" / f"{name}.ckpt").is_file() for name in checkpoints_of(definition, config))


def _result(run: Path, checkpoint: str, name: str) -> object:
    """What was measured, or None where there is nothing that can be read."""
    folder = run / "evaluation" / ("" if checkpoint in WEIGHTS else checkpoint)
    try:
        return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
