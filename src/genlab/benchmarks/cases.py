"""The cases by name, in the order in which they are measured."""

from collections.abc import Callable, Iterable, Iterator

from genlab.benchmarks.accuracy import accuracy_case
from genlab.benchmarks.curves import Curve
from genlab.benchmarks.evaluation import evaluation_case
from genlab.benchmarks.growth import growth_curves
from genlab.benchmarks.image_training import image_case
from genlab.benchmarks.loading import loading_case
from genlab.benchmarks.memory import memory_case
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Case
from genlab.benchmarks.sampling import sampling_cases
from genlab.benchmarks.startup import startup_cases
from genlab.benchmarks.sweep import sweep_case
from genlab.benchmarks.sweep_overhead import overhead_cases
from genlab.benchmarks.training import Setting, training_case
from genlab.checks import one_of

# The report's own sizes, one window an iteration; and batches of 64, in which a step takes fewer windows.
SETTINGS = (
    Setting(100, 20),
    Setting(256, 20),
    Setting(256, 50),
    Setting(512, 50),
    Setting(256, 50, batch_size=64, windows_per_step=20, warm_up=20, updates=100, slice_seconds=1.0),
)
QUICK_SETTINGS = (
    Setting(16, 10, windows_per_step=10, warm_up=10, updates=20, slice_seconds=0.02),
    Setting(16, 10, batch_size=64, windows_per_step=10, warm_up=10, updates=20, slice_seconds=0.02),
)
SAMPLING_TARGETS = {1: 5.0, 64: 20.0}


def _char_rnn(plan: Plan) -> Iterator[Case]:
    for setting in QUICK_SETTINGS if plan.quick else SETTINGS:
        yield training_case(setting, plan.rounds, plan.folder)


def _classifier(plan: Plan) -> Iterator[Case]:
    yield image_case("classifier", plan)
    yield accuracy_case(plan)


CASES: dict[str, Callable[[Plan], Iterable[Case | Curve]]] = {
    "startup": startup_cases,
    "char_rnn": _char_rnn,
    "sampling": lambda plan: sampling_cases(plan.size(16, 256), plan.size(100, 1000), SAMPLING_TARGETS, plan.rounds),
    "loading": lambda plan: [loading_case(plan.size(8, 80) * 128, plan.rounds, plan.folder / "loading")],
    "dcgan": lambda plan: [image_case("dcgan", plan)],
    "vae": lambda plan: [image_case("vae", plan)],
    "classifier": _classifier,
    "evaluation": lambda plan: [evaluation_case(plan)],
    "sweep": lambda plan: [sweep_case(plan)],
    "overhead": overhead_cases,
    "memory": lambda plan: [memory_case(plan)],
    "growth": growth_curves,
}


def chosen(only: str | None, plan_name: str) -> list[str]:
    """The names in ``only``, which commas part, in the order of ``CASES``; without it all that the plan has.

    How cost grows is told by the full plan alone, unless it is asked for. Raises ``ValueError`` for another name.
    """
    if only is None:
        return [name for name in CASES if name != "growth" or plan_name == "full"]
    names = {one_of("--only", name, CASES, "--only") for name in only.split(",")}
    return [name for name in CASES if name in names]
