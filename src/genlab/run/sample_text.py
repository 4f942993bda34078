"""Texts of a trained model: drawn, written to a file and shown."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig

from genlab.checks import at_least, refuse
from genlab.run.artifacts import write_text
from genlab.run.trained import Trained

SETTINGS: dict[str, Any] = {"length": 1000, "temperature": 0.8, "top_k": 0, "top_p": 1.0, "prompt": None}
"""What a text takes beside its number and seed, and what a null stands for."""


def sample_text(cfg: DictConfig, trained: Trained, folder: Path, output: Path | None) -> None:
    """Write samples to a text file, in ``folder`` where ``output`` names none, and show them."""
    settings = {name: default if cfg[name] is None else cfg[name] for name, default in SETTINGS.items()}
    settings |= {"count": 1 if cfg.count is None else cfg.count, "seed": cfg.seed}
    if isinstance(settings["temperature"], ListConfig):
        content, default = _sweep(settings, trained), "temperature.txt"
    else:
        content, default = "\n\n".join(_draw(settings, trained)) + "\n", "generated_text.txt"
    path = output or folder / default
    write_text(path, content)
    print(f"{content}\nwritten to {path}")


def _sweep(settings: dict[str, Any], trained: Trained) -> str:
    """One text a temperature, under a heading each, from the same seed and prompt."""
    if not settings["temperature"]:
        raise refuse("temperature", "be a number or a list of at least one", [], "temperature")
    parts = []
    for temperature in settings["temperature"]:
        body = "\n\n".join(_draw({**settings, "temperature": temperature}, trained))
        parts.append(f"=== temperature {temperature} ===\n\n{body}\n\n")
    return "".join(parts)


def _draw(settings: dict[str, Any], trained: Trained) -> list[str]:
    prompt, count = settings["prompt"], at_least("count", settings["count"], 1, "count")
    prompts = [str(prompt)] if prompt is not None else trained.module.prompts or [""]
    chosen = [prompts[i % len(prompts)] for i in range(count)]
    texts = trained.module.sample(
        count,
        settings["length"],
        temperature=settings["temperature"],
        seed=settings["seed"],
        prompts=chosen,
        top_k=settings["top_k"],
        top_p=settings["top_p"],
    )
    return [prompt + text for prompt, text in zip(chosen, texts, strict=True)]
