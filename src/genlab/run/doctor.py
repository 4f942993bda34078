"""``genlab doctor``: what this machine has for genlab, and what to do about what it lacks."""

import importlib.util
import netrc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genlab.datasets.corpora import CORPORA
from genlab.datasets.download import sha256_of
from genlab.datasets.raw_images import RAW_SETS, RawSet, damaged, expected_hashes, missing
from genlab.run.outcome import Outcome
from genlab.run.provenance import machine, versions


class Finding(NamedTuple):
    """One thing looked at: what was found, and what to do where it is wanting."""

    subject: str
    found: str
    mend: str = ""


def main(cfg: DictConfig) -> Outcome:
    """Print what was found; what needs mending stands at the end."""
    findings = [*_versions(), *_machine(), *_data(Path(str(cfg.root)).expanduser())]
    findings += [*_tools(), *_wandb()]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = Text("!", style="bold yellow") if finding.mend else Text("+", style="green")
        table.add_row(mark, finding.subject, Text(finding.found, overflow="fold"))
    console = Console(highlight=False)
    console.print(table)
    mends = [finding for finding in findings if finding.mend]
    console.print("\nto mend:" if mends else "\nnothing to mend")
    for finding in mends:
        console.print(f"  {finding.subject}: {finding.mend}", soft_wrap=True)
    return Outcome()


def _versions() -> Iterator[Finding]:
    for name, found in versions().items():
        mend = "" if found else f"pip install {name}"
        yield Finding(name, found or "not installed", mend)


def _machine() -> Iterator[Finding]:
    facts = machine()
    yield Finding("processor", f"{facts['processor']}, {facts['cores']} cores, torch uses {facts['threads']}")
    yield Finding("vector instructions", _vector_instructions(str(facts["capability"])))
    yield Finding("GPU", str(facts["gpu"] or "none; the CPU does all of it"))
    compiled = importlib.util.find_spec("numba") is not None
    yield Finding(
        "char-RNN engine",
        "compiled" if compiled else "torch",
        "" if compiled else "pip install numba: small networks train several times as fast",
    )


def _vector_instructions(capability: str) -> str:
    """Torch's own account, and whether matrix units for bfloat16 are there."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text(errors="replace").split() if info.is_file() else []
    extra = [name for name in ("avx512_bf16", "amx_bf16") if name in flags]
    return ", ".join([capability, *extra])


def _data(root: Path) -> Iterator[Finding]:
    source = "GENLAB_DATA" if os.environ.get("GENLAB_DATA") else "default"
    yield Finding("data root", f"{root} ({source})")
    for name, corpus in CORPORA.items():
        if corpus.file is None:
            yield Finding(name, "ships inside this Python")
            continue
        path = root / corpus.file
        if not path.is_file():
            yield Finding(name, f"not at {path}", f"genlab fetch corpus={name}, or set GENLAB_DATA")
        elif sha256_of(path) != corpus.sha256:
            yield Finding(name, f"damaged: {path}", f"delete it, then genlab fetch corpus={name}")
        else:
            yield Finding(name, f"{path}, checksum right")
    for raw in {raw.name: raw for raw in RAW_SETS.values()}.values():  # two names may mean the same
        yield from _image_files(raw, root)


def _image_files(raw: RawSet, root: Path) -> Iterator[Finding]:
    """MNIST in any case; of the others those of which there is anything."""
    folder = raw.raw_folder(root)
    if wrong := damaged(raw, root):
        yield Finding(raw.name, "; ".join(wrong), f"delete what is wrong, then genlab fetch dataset={raw.name}")
    elif lacking := missing(raw, root):
        if raw.name == "MNIST" or len(lacking) < len(raw.files):
            found = f"not at {folder}" if len(lacking) == len(raw.files) else f"not whole at {folder}"
            yield Finding(raw.name, found, f"genlab fetch dataset={raw.name}, or set GENLAB_DATA")
    else:
        known = set(raw.files) <= set(expected_hashes(raw, root))
        yield Finding(raw.name, f"{folder}, {'checksums right' if known else 'no checksums on record'}")


def _tools() -> Iterator[Finding]:
    runs = Path(os.environ.get("GENLAB_RUNS") or "runs")
    free = shutil.disk_usage(_existing(runs)).free / 2**30
    yield Finding("runs go to", f"{runs} ({free:.0f} GiB free)", "free some disk space" if free < 1 else "")
    has_board = importlib.util.find_spec("tensorboard") is not None
    yield Finding(
        "TensorBoard",
        "installed" if has_board else "not installed",
        "" if has_board else "pip install 'genlab[tensorboard]', if you want logger=tensorboard",
    )


def _wandb() -> Iterator[Finding]:
    """Whether W&B could go online; the key itself is never shown."""
    mode = os.environ.get("WANDB_MODE", "offline unless logger.wandb.offline=false")
    key = bool(os.environ.get("WANDB_API_KEY")) or _has_netrc()
    yield Finding("W&B", f"{mode}; {'a key is there' if key else 'no key, so offline only'}")


def _has_netrc() -> bool:
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError, RuntimeError):
        return False


def _existing(path: Path) -> Path:
    return next(folder for folder in [path.absolute(), *path.absolute().parents] if folder.exists())
