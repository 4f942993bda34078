"""Several processes that train one model: which of them this is, and what all of them have, on average or in turn.

Where one process trains alone every function here gives back what it was given.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm

from genlab.checks import refuse

T = TypeVar("T")


def process_count() -> int:
    """How many processes train together; 1 where this one is alone."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def process_number() -> int:
    """Which of them this one is, from 0."""
    return distributed.get_rank() if process_count() > 1 else 0


def place_among(processes: int) -> int:
    """The number of this process; ``ValueError`` unless there are the ``processes`` that data were divided for."""
    if process_count() != processes:
        raise refuse("processes", f"be the {process_count()} that train together", processes, "trainer.devices")
    return process_number()


def average(tensors: Iterable[Tensor]) -> None:
    """Put the mean over all processes into each tensor, in one exchange; all processes give the same shapes.

    Every process gets the same numbers, to the bit. Half precision is added up in single.
    """
    given = list(tensors)
    if process_count() == 1 or not given:
        return
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in given])
    flat = flat.float() if flat.dtype in (torch.float16, torch.bfloat16) else flat
    distributed.all_reduce(flat)
    flat.div_(process_count())
    with torch.no_grad():
        for tensor, part in zip(given, torch.split(flat, [each.numel() for each in given]), strict=True):
            tensor.copy_(part.view(tensor.shape))


def means(figures: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Figures of a batch, one number each, as means over the batches of all processes."""
    if process_count() == 1:
        return dict(figures)
    values = torch.stack([value.detach().double() for value in figures.values()])
    average([values])
    return {name: value.to(figures[name].dtype) for name, value in zip(figures, values, strict=True)}


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Put the mean gradient over all processes in the place of this one's, for parameters that are being trained."""
    average(each.grad for each in parameters if each.requires_grad and each.grad is not None)


def average_running_statistics(net: nn.Module) -> None:
    """Put the means over all processes in the place of the batch norms' running means and variances."""
    norms = [part for part in net.modules() if isinstance(part, _BatchNorm)]
    statistics = [each for norm in norms for each in (norm.running_mean, norm.running_var)]
    average(each for each in statistics if each is not None)


def any_says(so: bool) -> bool:
    """Whether it is so in any process: what all are to do in the same step, one has to find out."""
    if process_count() == 1:
        return so
    saying = torch.tensor(float(so), device="cuda" if distributed.get_backend() == "nccl" else "cpu")
    distributed.all_reduce(saying)
    return bool(saying > 0)


def is_mine(index: int) -> bool:
    """Whether, of a list that all processes go through, this entry is one for this process."""
    return index % process_count() == process_number()


def in_order(mine: Sequence[T]) -> list[T]:
    """What all processes made of the entries for them, in the order of the list that they went through.

    Tensors stay on the device that they are on.
    """
    everybody = gathered(list(mine))
    longest = max(map(len, everybody))
    return [made[turn] for turn in range(longest) for made in everybody if turn < len(made)]


def gathered(mine: T) -> list[T]:
    """What each process gives, in the order of their numbers; the same list in all of them."""
    if process_count() == 1:
        return [mine]
    everybody: list[T] = [mine] * process_count()
    distributed.all_gather_object(everybody, mine)
    return everybody
