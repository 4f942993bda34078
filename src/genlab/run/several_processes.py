"""One run trained by several processes of this machine: how they meet, and what Lightning has to know of it.

The first process is the command itself: it alone holds the folder, writes files and talks. The others, its followers
(``follower.py``), read the run's config from its folder. All train the same weights, each on its own part of the data,
with gradients averaged in the open: after every backward pass, in one exchange, whatever has one. torch's wrapper for
this would have to be told which of a GAN's parameters a backward pass leaves out, and would keep the first process's
batch norm statistics alone.
"""

import os
import platform
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.strategies.launchers.launcher import _Launcher
from torch import Tensor

from genlab.processes import average_gradients, average_running_statistics

LOST = 3
"""The exit code of a follower that another process has left alone."""
READY = b"."
"""What a follower writes to its output once it could train."""
PATIENCE = 5.0
"""Seconds in which a follower that ends has done so."""
GRACE = 1.0
"""Seconds for what a follower has begun when the first process has ended."""


@dataclass(frozen=True)
class Place:
    """A process's ``number`` among the ``count`` that train together, and the port at which they meet."""

    number: int
    count: int
    port: int

    def seed(self, seed: int) -> int:
        """The seed of what each process draws for itself: noise, dropout. The first one's is the run's."""
        return (seed + 1_000_003 * self.number) % 2**32


def first_place(count: int) -> Place | None:
    """The place of a command that trains in ``count`` processes; None where it does so alone."""
    if count == 1:
        return None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Place(0, count, int(probe.getsockname()[1]))


class Followers(_Launcher):
    """Starts the processes beside the first one when training begins, and ends them with the run."""

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder, self.place = folder, place
        self._children: list[subprocess.Popen[bytes]] = []
        self._outputs: list[IO[bytes]] = []

    @property
    def is_interactive_compatible(self) -> bool:
        """Lightning asks: no notebook is run anew."""
        return False

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        """Start the followers, wait until all could train, and do so. Raises ``RuntimeError`` if one has ended."""
        for number in range(1, self.place.count):
            self._start(number)
        for child in self._children:
            assert child.stdout is not None
            select.select([child.stdout], [], [])
            if child.stdout.read(1) != READY:
                raise RuntimeError(self.lost() or "another process has ended")
        return function(*args, **kwargs)

    def kill(self, signum: Any) -> None:
        """Nothing: followers are told to stop by the first process, between two steps."""

    def lost(self) -> str | None:
        """Which follower has ended of itself and why, or None; one that was left alone is not meant."""
        for number, (child, output) in enumerate(zip(self._children, self._outputs, strict=True), 1):
            try:
                code = child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                continue
            if code not in (0, LOST):
                output.seek(0)
                lines = output.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
                ended = f"by signal {-code}" if code < 0 else f"with exit code {code}: {lines[-1]}"
                return f"process {number} of {self.place.count} has ended {ended}"
        return None

    def end(self) -> None:
        """Give those that are still there a moment to end by themselves, and end them: nothing is theirs alone."""
        for child, output in zip(self._children, self._outputs, strict=True):
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE)
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None
                pipe.close()
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            output.close()
        self._children, self._outputs = [], []

    def _start(self, number: int) -> None:
        """Start one, out of reach of the terminal's Ctrl-C.

        Its input ends when this process does, however that is; its output is closed by :meth:`end`.
        """
        place = [str(number), str(self.place.count), str(self.place.port)]
        output = tempfile.TemporaryFile()  # noqa: SIM115
        self._outputs.append(output)
        self._children.append(
            subprocess.Popen(
                [sys.executable, "-m", "genlab.run.follower", str(self.folder), *place],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        )


def is_lost(error: BaseException) -> bool:
    """Whether it is what torch raises where another process is gone, in its many ways."""
    words = ("gloo", "nccl", "connection", "peer", "store", "process group")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


class Meeting(LightningEnvironment):
    """Where processes of this machine meet, told to Lightning without variables of the environment."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self._main_port = place.port

    @property
    def creates_processes_externally(self) -> bool:
        """Lightning asks: its own launcher has nothing to do."""
        return True

    @property
    def main_address(self) -> str:
        """The machine itself, by the name that reaches no other."""
        return "127.0.0.1"

    def local_rank(self) -> int:
        """The process's number on this machine, which is its number."""
        return self.place.number

    def node_rank(self) -> int:
        """There is one machine."""
        return 0


class Together(DDPStrategy):
    """Data-parallel training with gradients averaged after every backward pass, whoever asks for it."""

    def __init__(self, place: Place, followers: Followers | None = None) -> None:
        super().__init__(cluster_environment=Meeting(place))
        self._followers = followers

    def _configure_launcher(self) -> None:
        self._launcher = self._followers

    def configure_ddp(self) -> None:
        """Begin with the weights of the first process."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            torch.distributed.broadcast(tensor, 0)

    def post_backward(self, closure_loss: Tensor) -> None:
        """Average the gradients."""
        assert self.lightning_module is not None
        average_gradients(self.lightning_module.parameters())


class RunningStatistics(pl.Callback):
    """Averages what batch norms have learned of the batches of each process, before anything else sees it."""

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Average."""
        average_running_statistics(pl_module)


def together(place: Place | None, followers: Followers | None) -> dict[str, Any]:
    """What a Trainer takes for a run at ``place``: data are divided by the datamodule and not by Lightning."""
    if place is None:
        return {"strategy": "auto"}
    return {"strategy": Together(place, followers), "devices": place.count, "use_distributed_sampler": False}


def leave_signals_alone(trainer: pl.Trainer) -> None:
    """Keep Lightning from a handler of SIGTERM that sends a message of its own amid the others."""
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]


@contextmanager
def meeting(place: Place | None, followers: Followers | None = None) -> Iterator[None]:
    """Within the block this process may train with others; then there are no followers, and all is as it was.

    Each process has its share of the processor's cores, unless ``OMP_NUM_THREADS`` says how many threads it is to have.
    """
    if place is None:
        yield
        return
    threads, names = torch.get_num_threads(), ("MASTER_ADDR", "MASTER_PORT", "GLOO_SOCKET_IFNAME")
    before = {name: os.environ.get(name) for name in names}
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // place.count))
    if platform.system() == "Linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # whatever the machine's own name stands for
    try:
        yield
    finally:
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        if followers is not None:
            followers.end()
        torch.set_num_threads(threads)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def ignore_signals() -> None:
    """Leave Ctrl-C and SIGTERM to the first process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
