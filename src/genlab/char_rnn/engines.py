"""Who trains the windows: torch, NumPy, or the NumPy twin compiled. The mathematics is the same in all three.

The torch module owns the parameters and a ``torch.optim`` optimiser owns its moments, whichever engine works: the
NumPy engines take both out for a run of windows and put them back after it, so checkpoints do not depend on the
engine and a run may go on with another. What an engine cannot do it says before training starts.
"""

import importlib.util
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from genlab.char_rnn import numpy_twin
from genlab.char_rnn.cell import TANH
from genlab.char_rnn.nets import CharRnn
from genlab.char_rnn.numpy_optimizers import RULES, Hyper, Moments
from genlab.char_rnn.numpy_twin import Parameters, view_parameters
from genlab.checks import one_of, refuse
from genlab.processes import average_gradients, process_count

LOG = logging.getLogger("genlab.engines")

ENGINES = ("auto", "compiled", "torch", "numpy")

# Above this many streams the products are large enough for torch's threaded ones to win.
COMPILED_STREAMS = 8


class Windows(NamedTuple):
    """What N windows gave: mean losses (N,) in nats a character before each update, correct guesses (N,), the state."""

    losses: np.ndarray[Any, np.dtype[np.float64]]
    correct: np.ndarray[Any, np.dtype[np.int64]]
    h_LBH: Tensor


class Engine(Protocol):
    """Trains windows one after another, one update each, moving the network and its optimiser in place."""

    name: str

    def train(self, x_NTB: Tensor, y_NTB: Tensor, resets_N: Tensor, h_LBH: Tensor, lrs: Sequence[float]) -> Windows:
        """Train N windows with the given learning rates; ``resets_N`` says before which the state is zeroed."""
        ...


def make_engine(name: str, net: CharRnn, optimizer: Optimizer, clip_value: float, streams: int) -> Engine:
    """The engine called ``name``; ``auto`` takes the compiled one where it can work and is the faster.

    Raises ``ValueError`` where a named engine cannot train this network, with the reason.
    """
    one_of("engine", name, ENGINES, "model.engine")
    if name == "torch":
        return TorchEngine(net, optimizer, clip_value)
    obstacle = _obstacle(net, optimizer, compiled=name != "numpy")
    if name == "auto":
        fits = obstacle is None and streams <= COMPILED_STREAMS
        return make_engine("compiled" if fits else "torch", net, optimizer, clip_value, streams)
    if obstacle is not None:
        raise refuse("engine", f"be torch or auto here, because {obstacle}", name, "model.engine")
    return NumpyEngine(net, optimizer, clip_value, name)


def _obstacle(net: CharRnn, optimizer: Optimizer, compiled: bool) -> str | None:
    """Why the NumPy engines cannot train this network, or None."""
    weight = net.head.weight
    if process_count() > 1:
        return "its gradients are not averaged over processes"
    if compiled and importlib.util.find_spec("numba") is None:
        return "numba is not installed"
    if weight.device.type != "cpu":
        return f"the network is on {weight.device.type}"
    if weight.dtype not in (torch.float32, torch.float64):
        return f"the precision is {weight.dtype}"
    if net.dropout and net.num_layers > 1:
        return "there is dropout between the layers (model.dropout)"
    if net.cell is not TANH:
        return "only the tanh cell has a NumPy twin (model.cell)"
    return _optimizer_obstacle(optimizer)


def _optimizer_obstacle(optimizer: Optimizer) -> str | None:
    name = type(optimizer).__name__
    if name not in RULES:
        return f"the optimizer {name} has no NumPy twin"
    if len(optimizer.param_groups) != 1:
        return "the optimizer has several parameter groups"
    (group,) = optimizer.param_groups
    refused = [
        "nesterov",
        "dampening",
        "centered",
        "amsgrad",
        "maximize",
        "lr_decay",
        "initial_accumulator_value",
    ]
    if name == "Adam":
        refused.append("decoupled_weight_decay")
    if name == "RMSprop":
        refused.append("momentum")
    used = [option for option in refused if group.get(option)]
    return f"the optimizer's option {used[0]} has no NumPy twin (optimizer.{used[0]})" if used else None


class TorchEngine:
    """The hand-written forward and backward of ``nets.py`` and torch's own optimiser; any device and precision.

    Of several processes each takes windows of its own streams; gradients are averaged before they are clipped, and so
    the update is that of one process with the streams of all.
    """

    name = "torch"

    def __init__(self, net: CharRnn, optimizer: Optimizer, clip_value: float) -> None:
        self.net, self.optimizer, self.clip_value = net, optimizer, clip_value

    def train(self, x_NTB: Tensor, y_NTB: Tensor, resets_N: Tensor, h_LBH: Tensor, lrs: Sequence[float]) -> Windows:
        """See ``Engine.train``."""
        losses, correct = [], []
        for x_TB, y_TB, reset, lr in zip(x_NTB, y_NTB, resets_N.tolist(), lrs, strict=True):
            window = self.net.loss_and_gradients(x_TB, y_TB, torch.zeros_like(h_LBH) if reset else h_LBH)
            h_LBH = window.h_LBH
            average_gradients(self.net.parameters())
            nn.utils.clip_grad_value_(self.net.parameters(), self.clip_value)
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.step()
            losses.append(window.loss)
            correct.append(window.correct)
        return Windows(torch.stack(losses).double().cpu().numpy(), torch.stack(correct).cpu().numpy(), h_LBH)


class NumpyEngine:
    """The NumPy twin, as it stands or compiled."""

    def __init__(self, net: CharRnn, optimizer: Optimizer, clip_value: float, name: str) -> None:
        self.net, self.optimizer, self.clip_value, self.name = net, optimizer, clip_value, name
        self._is_new = name == "compiled"
        if name == "compiled":
            from genlab.char_rnn import compiled

            compiled.one_blas_thread()
            self._train: Callable[..., Any] = partial(compiled.train_windows, cores=torch.get_num_threads())
        else:
            self._train = numpy_twin.train_windows

    def train(self, x_NTB: Tensor, y_NTB: Tensor, resets_N: Tensor, h_LBH: Tensor, lrs: Sequence[float]) -> Windows:
        """See ``Engine.train``."""
        if self._is_new:
            _announce_compilation()
        self._is_new = False
        flat, first_step = self._take_out()
        sizes = self.net.vocab_size, self.net.hidden_size, self.net.num_layers
        h = h_LBH.numpy().copy()
        losses, correct = self._train(
            np.ascontiguousarray(x_NTB.numpy()),
            np.ascontiguousarray(y_NTB.numpy()),
            resets_N.numpy(),
            h,
            view_parameters(flat.p, *sizes),
            view_parameters(flat.g, *sizes),
            flat,
            RULES[type(self.optimizer).__name__],
            self._constants(lrs, first_step).astype(flat.p.dtype),
            flat.p.dtype.type(self.clip_value),
        )
        self._put_back(flat, first_step + len(lrs), lrs[-1])
        return Windows(losses, correct, torch.from_numpy(h))

    def _constants(self, lrs: Sequence[float], first_step: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """A row of ``Hyper`` a window, from the options of torch's optimiser."""
        (group,) = self.optimizer.param_groups
        steps = np.arange(first_step + 1, first_step + 1 + len(lrs), dtype=np.float64)
        decay, decay2 = group.get("betas", (group.get("alpha", group.get("momentum", 0.0)), 0.0))
        columns = Hyper(
            lr=lrs,
            decay=decay,
            decay2=decay2,
            eps=group.get("eps", 0.0),
            weight_decay=group["weight_decay"],
            debias1=1 - decay**steps,
            debias2=1 - decay2**steps,
        )
        return np.stack([np.broadcast_to(np.asarray(column), steps.shape) for column in columns], axis=1)

    def _take_out(self) -> tuple[Moments, int]:
        """Copy parameters and moments into flat vectors, and say how many updates have been made."""
        parameters = list(self.net.parameters())
        flats = [torch.cat([p.detach().reshape(-1) for p in parameters]).numpy()]
        flats.append(np.zeros_like(flats[0]))
        for key in _moment_keys(self.optimizer):
            parts = [self.optimizer.state.get(p, {}).get(key) for p in parameters]
            known = [torch.zeros_like(p) if part is None else part for p, part in zip(parameters, parts, strict=True)]
            flats.append(torch.cat([part.detach().reshape(-1) for part in known]).numpy())
        flats += [np.zeros_like(flats[0]) for _ in range(4 - len(flats))]
        steps = self.optimizer.state.get(parameters[0], {}).get("step", 0)
        return Moments(*flats), int(steps)

    def _put_back(self, flat: Moments, steps: int, lr: float) -> None:
        """Copy them back into the module and the optimiser's state, as torch's own step would have left them.

        But for gradients, which are those of the last window before they are clipped.
        """
        sizes = [p.numel() for p in self.net.parameters()]
        keys = _moment_keys(self.optimizer)
        columns = [
            torch.split(torch.from_numpy(vector), sizes) for vector in (flat.p, flat.g, *flat[2 : 2 + len(keys)])
        ]
        counted = "step" in _state_keys(self.optimizer)
        with torch.no_grad():
            for parameter, value, grad, *moments in zip(self.net.parameters(), *columns, strict=True):
                parameter.copy_(value.view_as(parameter))
                parameter.grad = grad.view_as(parameter).clone()
                for key, moment in zip(keys, moments, strict=True):
                    self.optimizer.state[parameter][key] = moment.view_as(parameter).clone()
                if counted:
                    self.optimizer.state[parameter]["step"] = torch.tensor(float(steps))
        self.optimizer.param_groups[0]["lr"] = lr


def _announce_compilation() -> None:
    """Say why the first step takes long, where nothing compiled is found on this machine."""
    from genlab.char_rnn import compiled

    if not compiled.is_compiled():
        LOG.warning("compiling the engine: about 20 seconds, once on this machine")


def numpy_parameters(net: CharRnn) -> Parameters:
    """A copy of a CPU network's parameters as the NumPy twin names them."""
    flat = torch.cat([p.detach().reshape(-1) for p in net.parameters()]).numpy()
    return view_parameters(flat, net.vocab_size, net.hidden_size, net.num_layers)


def _state_keys(optimizer: Optimizer) -> tuple[str, ...]:
    """The names of a torch optimiser's state, in the order in which the twin's rules use them."""
    keys = {
        "SGD": ("momentum_buffer",),
        "RMSprop": ("square_avg", "step"),
        "Adagrad": ("sum", "step"),
        "Adam": ("exp_avg", "exp_avg_sq", "step"),
        "AdamW": ("exp_avg", "exp_avg_sq", "step"),
    }[type(optimizer).__name__]
    without_momentum = type(optimizer).__name__ == "SGD" and not optimizer.param_groups[0]["momentum"]
    return () if without_momentum else keys


def _moment_keys(optimizer: Optimizer) -> tuple[str, ...]:
    return tuple(key for key in _state_keys(optimizer) if key != "step")
