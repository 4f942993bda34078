"""The trainings that are tormented: every model at a size of seconds, with all that a training does."""

from pathlib import Path

MODELS = ("char_rnn", "classifier", "dcgan", "vae")

_TEXT_LENGTH = 12_000  # characters: a pass over nine tenths of them is 540 windows of 20
_IMAGES = (
    "data.dataset=digits",
    "data.val_size=64",
    "data.batch_size=16",
    "trainer.check_val_every_n_epoch=null",
    "trainer.log_every_n_steps=1",
)
_GRIDS = ("callbacks.image_grids.epochs=[1]", "callbacks.image_grids.count=16")
_TEXTS = (
    "data.seq_len=20",
    "data.windows_per_step=10",
    "model.hidden_size=64",
    "trainer.val_check_interval=15",
    "callbacks.text_samples.every=200",
    "callbacks.text_samples.length=40",
)
TEXTS_AT_ONCE = (
    *("data.seq_len=5", "data.windows_per_step=2", "model.hidden_size=8", "model.engine=torch"),
    *("trainer.max_steps=4", "trainer.val_check_interval=1", "callbacks.text_samples.length=5"),
)
IMAGES_AT_ONCE = (
    *("data.dataset=digits", "data.download=false", "data.val_size=64", "data.batch_size=8"),
    *("trainer.max_steps=1", "trainer.max_epochs=-1", "trainer.val_check_interval=1"),
    *("trainer.check_val_every_n_epoch=null", "trainer.log_every_n_steps=1"),
)
"""A training of a step or two, for what is refused before it."""
SAVE_SECONDS = {"char_rnn": 0.02, "classifier": 0.1, "dcgan": 0.1, "vae": 0.1}
"""A few training steps each."""
VALIDATIONS = 7
"""Of images, besides the one at the end."""
ITERATIONS = {"char_rnn": 4000, "classifier": 240, "dcgan": 160, "vae": 120}
"""More than one pass over the data each."""
QUICK_ITERATIONS = {"char_rnn": 800, "classifier": 24, "dcgan": 14, "vae": 14}
"""Two passes for the text, and a part of one for the images."""


def command(model: str, text: Path, iterations: int) -> list[str]:
    """The words after ``genlab`` of the training of ``model``; ``text`` is what the character RNN reads."""
    own = [f"data.text={text}", *_TEXTS] if model == "char_rnn" else [*_IMAGES]
    if model in ("dcgan", "vae"):
        own += _GRIDS
    if model != "char_rnn":
        own.append(f"trainer.val_check_interval={iterations // VALIDATIONS}")
    own += [f"trainer.max_steps={iterations}", "trainer.max_epochs=-1"]
    save_often = f"callbacks.last.every_seconds={SAVE_SECONDS[model]}"
    return ["train", f"experiment={model}", *own, "trainer.accelerator=cpu", save_often]


def write_text(folder: Path) -> Path:
    """A text for the character RNN, from what every CPython brings along."""
    from pydoc_data.topics import topics

    path = folder / "text.txt"
    path.write_text("\n".join(topics.values())[:_TEXT_LENGTH], encoding="utf-8")
    return path
