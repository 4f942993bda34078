"""Where the config files are, and what their first lines say: read as text, because help must answer at once."""

from pathlib import Path

import genlab


def config_dir() -> Path:
    """The folder of config files: inside the installed package, or at the top of a checkout."""
    inside = Path(genlab.__file__).parent / "configs"
    return inside if inside.is_dir() else Path(genlab.__file__).parents[2] / "configs"


def first_comment(path: Path) -> str:
    """The first comment of a config file, below Hydra's own header line; nothing where there is none."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# @package"):
            return line.removeprefix("#").strip() if line.startswith("#") else ""
    return ""


def experiments() -> dict[str, str]:
    """Every experiment with its first line."""
    return _first_lines("experiment")


def studies() -> dict[str, str]:
    """Every study with its first line."""
    return _first_lines("study")


def _first_lines(group: str) -> dict[str, str]:
    return {path.stem: first_comment(path) for path in sorted((config_dir() / group).glob("*.yaml"))}


def groups() -> dict[str, list[str]]:
    """The options of the groups that people choose from."""
    shown = ("data", "model", "optimizer", "logger")
    return {group: sorted(path.stem for path in (config_dir() / group).glob("*.yaml")) for group in shown}
