"""How many iterations a training has, which Lightning says in two limits."""

from pytorch_lightning import Trainer


def iterations_in_all(trainer: Trainer, per_pass: int) -> int:
    """The iterations of the whole training: of its two limits the one that is met first; 1 where there is none."""
    limits = (trainer.max_steps, max(0, trainer.max_epochs or 0) * per_pass)
    return min((limit for limit in limits if limit > 0), default=1)
