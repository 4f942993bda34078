"""A look at what the model writes while it trains: a short sample every so many iterations."""

import logging
import re
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from genlab.char_rnn.module import CharRnnModule
from genlab.char_rnn.sampling import Draw
from genlab.checks import at_least, positive
from genlab.evaluation.words import lexicon, whole_words
from genlab.processes import process_number
from genlab.whole_file import whole_file

SAMPLES = logging.getLogger("genlab.samples")
SMOOTHING = 0.9  # what an average keeps of itself from one sample to the next
_HEADING = re.compile(r"^=== iteration (\d+) ", re.MULTILINE)
_END = "\n\n"


class TextSamples(Callback):
    """Every ``every`` iterations, draw ``length`` characters after half a frequent word of the corpus.

    The sample goes to ``samples/training.txt`` of the run folder, to loggers that take text, and to the log
    ``genlab.samples``, from which the progress line shows it. Logged: ``train/valid_words``, the share of the sample's
    words that occur in the training text, and ``train/smoothed_valid_words``, its exponential average over samples
    from 0 on: a lucky first sample is no knowledge. Several processes draw the same, and the first one writes it down.
    """

    def __init__(self, every: int = 100, length: int = 100, temperature: float = 0.8) -> None:
        self.every = at_least("every", every, 1, "callbacks.text_samples.every")
        self.length = at_least("length", length, 1, "callbacks.text_samples.length")
        self.draw = Draw(positive("temperature", temperature, "callbacks.text_samples.temperature"))
        self.smoothed_valid_words = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The average so far."""
        return {"smoothed_valid_words": self.smoothed_valid_words}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with the average of a checkpoint."""
        self.smoothed_valid_words = state_dict.get("smoothed_valid_words") or 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Drop samples that a resumed run will draw again."""
        self.path = Path(trainer.default_root_dir) / "samples" / "training.txt"
        self._last = trainer.global_step
        data = getattr(trainer, "datamodule", None)
        self._known = None if data is None else lexicon(data.train_text)
        self._rows: list[list[object]] = []
        self._logged = 0
        if process_number() == 0 and self.path.is_file():
            text = self.path.read_text(encoding="utf-8")
            if (kept := _up_to(text, self._last)) != text:
                with whole_file(self.path) as file:
                    file.write(kept.encode())

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Draw a sample if a multiple of ``every`` iterations was passed."""
        assert isinstance(pl_module, CharRnnModule)
        iteration = trainer.global_step
        if iteration // self.every == self._last // self.every:
            return
        self._last = iteration
        prompts = pl_module.prompts or [""]
        prompt = prompts[iteration // self.every % len(prompts)]
        (text,) = pl_module.sample(1, self.length, temperature=self.draw.temperature, seed=iteration, prompts=[prompt])
        heading = f"=== iteration {iteration} | smoothed loss {pl_module.smoothed_loss:.3f} | prompt {prompt!r} ==="
        if process_number() == 0:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{heading}\n{prompt}{text}{_END}")
        SAMPLES.info("%s", prompt + text)
        self._log_words(trainer, prompt + text)
        self._log_text(trainer, iteration, prompt, text)

    def _log_words(self, trainer: Trainer, text: str) -> None:
        """Log how many of the words are ones of the training text, where there is that and a whole word.

        To the loggers themselves: Lightning keeps what a callback logs, its iteration too, and would log it again with
        every later step until the next sample.
        """
        found = whole_words(text)
        if self._known is None or not found:
            return
        share = sum(word in self._known for word in found) / len(found)
        self.smoothed_valid_words = SMOOTHING * self.smoothed_valid_words + (1 - SMOOTHING) * share
        figures = {"train/valid_words": share, "train/smoothed_valid_words": self.smoothed_valid_words}
        for logger in trainer.loggers:
            logger.log_metrics(figures, trainer.global_step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hand over the table of all samples."""
        self._log_table(trainer)

    def _log_text(self, trainer: Trainer, iteration: int, prompt: str, text: str) -> None:
        """Hand the sample to every logger that takes text by name and step, and now and then the table of all."""
        for logger in trainer.loggers:
            if (add_text := getattr(getattr(logger, "experiment", None), "add_text", None)) is not None:
                add_text("samples", f"**{prompt}**{text}", iteration)
        self._rows.append([iteration, prompt, text])
        if len(self._rows).bit_count() == 1:  # 1, 2, 4, 8...: all tables together are no longer than two of the last
            self._log_table(trainer)

    def _log_table(self, trainer: Trainer) -> None:
        """Hand all samples so far to every logger that takes a table, unless it has them already."""
        if len(self._rows) == self._logged:
            return
        self._logged = len(self._rows)
        for logger in trainer.loggers:
            if (log_text := getattr(logger, "log_text", None)) is not None:
                columns = ["iteration", "prompt", "text"]
                log_text(key="samples", columns=columns, data=list(self._rows), step=trainer.global_step)


def _up_to(text: str, iteration: int) -> str:
    """The samples of ``text`` up to ``iteration``, without one that a full disk or a kill has cut short."""
    whole = text[: text.rfind(_END) + len(_END)] if _END in text else ""
    later = [found.start() for found in _HEADING.finditer(whole) if int(found[1]) > iteration]
    return whole[: later[0]] if later else whole
