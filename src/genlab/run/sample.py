"""``genlab sample``: draw from a trained model by reading its run folder alone."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig

from genlab.checks import at_least, refuse
from genlab.run.artifacts import write_text
from genlab.run.outcome import Outcome
from genlab.run.trained import Trained, load_trained


def main(cfg: DictConfig) -> Outcome:
    """Write samples to a text file and show them. Raises ``ValueError`` for a setting out of range."""
    trained = load_trained(str(cfg.run), cfg.checkpoint)
    if isinstance(cfg.temperature, ListConfig):
        content = _sweep(cfg, trained)
        default = "temperature.txt"
    else:
        content = "\n\n".join(_draw(cfg, trained, cfg.temperature)) + "\n"
        default = "generated_text.txt"
    path = Path(str(cfg.output)).expanduser() if cfg.output else trained.folder / "samples" / default
    try:
        write_text(path, content)
    except OSError as error:
        raise refuse("output", f"be a file that can be written ({error.strerror})", str(path), "output") from error
    print(f"{content}\nwritten to {path}")
    return Outcome("done", trained.folder)


def _sweep(cfg: DictConfig, trained: Trained) -> str:
    """One text a temperature, under a heading each, from the same seed and prompt."""
    if not cfg.temperature:
        raise refuse("temperature", "be a number or a list of at least one", [], "temperature")
    parts = []
    for temperature in cfg.temperature:
        body = "\n\n".join(_draw(cfg, trained, temperature))
        parts.append(f"=== temperature {temperature} ===\n\n{body}\n\n")
    return "".join(parts)


def _draw(cfg: DictConfig, trained: Trained, temperature: float) -> list[str]:
    prompts = [str(cfg.prompt)] if cfg.prompt is not None else trained.module.prompts or [""]
    chosen = [prompts[i % len(prompts)] for i in range(at_least("count", cfg.count, 1, "count"))]
    texts = trained.module.sample(
        cfg.count,
        cfg.length,
        temperature=temperature,
        seed=cfg.seed,
        prompts=chosen,
        top_k=cfg.top_k,
        top_p=cfg.top_p,
    )
    return [prompt + text for prompt, text in zip(chosen, texts, strict=True)]
