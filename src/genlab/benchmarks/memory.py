"""Peak memory of char-RNN training, each contender in a process of its own (those of the other cases are there too)."""

import shutil
from pathlib import Path

import torch

from genlab.benchmarks.children import Runner
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case
from genlab.benchmarks.training import NUMPY, OURS, RNN, Setting, char_rnn_words, data_of, first_losses

LOOPS = {RNN: "RnnLoop", NUMPY: "MinCharRnn"}


def memory_case(plan: Plan) -> Case:
    """MiB at most while each trains for some updates, at the report's largest size."""
    setting = Setting(plan.size(16, 512), plan.size(10, 50))
    file, runner = write_windows(setting, plan.folder), Runner(plan.quick)
    run = plan.folder / "memory"
    for _ in range(1 if plan.quick else plan.few):
        runner.genlab(OURS, ["train", *char_rnn_words(setting, run, plan.size(20, 500), plan.size(10, 100))])
        shutil.rmtree(run)
        for name, loop in LOOPS.items():
            runner.program(name, "genlab.benchmarks.peers", {"loop": loop, "file": str(file)})
    return Case("char-RNN training", setting.size, "MiB", runner.peaks, [], peaks=runner.medians())


def write_windows(setting: Setting, folder: Path) -> Path:
    """Write the first windows of the text, and the weights that ``genlab train`` starts from."""
    file = folder / "windows.pt"
    weights, _ = first_losses(setting, folder / "weights")
    torch.save({"weights": weights, "chunk": list(data_of(setting).streams.chunk(0, 100))}, file)
    return file
