"""Whether a result of an evaluation is what a study asks for: of these weights, with these settings, by this judge."""

from collections.abc import Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

ROLES = ("judge", "witness")
"""The classifiers that judge; a result names the one that it is by as ``judge_sha256`` or ``witness_sha256``."""

Digests = Mapping[str, str | None]
"""The SHA-256 of the weights of each of ``ROLES``; None for one that a study has not, or that is not trained yet."""


def judge_digests(folder: Path, plan: Mapping[str, Any]) -> dict[str, str | None]:
    """The digests of the judges of the study in ``folder``, whose ``plan`` names their runs relative to it."""
    return {role: digest_of(folder / str(plan[role])) if plan.get(role) else None for role in ROLES}


def digest_of(judge: Path) -> str | None:
    """The SHA-256 of the weights that the run ``judge`` judges with; None where there are none to be read."""
    try:
        with (judge / "checkpoints" / "best.ckpt").open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def is_as_asked(result: object, checkpoint: str, settings: Mapping[str, Any] | None, judges: Digests) -> bool:
    """Whether ``result`` is of the weights ``checkpoint``, with ``settings`` (None: any), by ``judges``.

    A result that nothing was judged for names no judge and is by any.
    """
    if not isinstance(result, Mapping) or result.get("checkpoint", checkpoint) != checkpoint:
        return False
    if settings is not None and result.get("settings") != dict(settings):
        return False
    return all(result.get(f"{role}_sha256") in (None, digest) for role, digest in judges.items() if digest is not None)
