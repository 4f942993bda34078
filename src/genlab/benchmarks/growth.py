"""How cost grows: with hidden size, time steps and batch (an update), with images (evaluation), with runs (a sweep)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from genlab.benchmarks import sweep
from genlab.benchmarks.children import Runner
from genlab.benchmarks.curves import Curve
from genlab.benchmarks.evaluation import evaluation_case
from genlab.benchmarks.hydra_project import PEER, write_text
from genlab.benchmarks.plan import Plan
from genlab.benchmarks.rounds import Measure, alternate
from genlab.benchmarks.training import ENGINE, RNN, Reader, Setting, Slices, bare_loops, data_of
from genlab.char_rnn.nets import CharRnn

AROUND = Setting(256, 20)
MILLISECONDS = 1000


def growth_curves(plan: Plan) -> Iterator[Curve]:
    """Measure one curve after the other."""
    small = (8, 16)
    hidden = small if plan.quick else (64, 128, 256, 512)
    yield update_curve("hidden_size", "hidden units", hidden, plan, AROUND)
    around = Setting(8, 20) if plan.quick else AROUND
    yield update_curve("seq_len", "time steps", small if plan.quick else (10, 20, 50, 100), plan, around)
    yield update_curve("batch_size", "streams in a batch", (1, 4) if plan.quick else (1, 4, 16, 64), plan, around)
    yield images_curve(plan, (50, 100) if plan.quick else (1000, 2000, 5000))
    if not plan.quick:
        yield runs_curve(plan, (2, 4, 8))


def update_curve(name: str, axis: str, sizes: Sequence[int], plan: Plan, around: Setting) -> Curve:
    """Milliseconds an update of the engine alone and of ``nn.RNN`` in a bare loop, one size varied."""
    costs: dict[str, list[list[float]]] = {ENGINE: [], RNN: []}
    for size in sizes:
        rates = update_rates(replace(around, **{name: size}), plan)
        for contender, found in costs.items():
            found.append([MILLISECONDS / rate for rate in fastest(rates, contender)])
    fixed = {"hidden_size": "hidden units", "seq_len": "time steps", "batch_size": "streams"}
    values = {key: getattr(around, key) for key in fixed if key != name}
    rest = ", ".join(
        f"{value} {fixed[key].removesuffix('s') if value == 1 else fixed[key]}" for key, value in values.items()
    )
    return Curve(name, axis, "milliseconds an update", f"char-RNN update at {rest}", list(map(float, sizes)), costs)


def update_rates(setting: Setting, plan: Plan) -> dict[str, list[float]]:
    """Updates a second in every round."""
    data = data_of(setting)
    weights = CharRnn(len(data.vocabulary), setting.hidden_size).state_dict()
    seconds = 0.02 if plan.quick else setting.slice_seconds
    contenders: dict[str, Measure] = {
        name: Slices(train, Reader(data.streams, 10 if name == ENGINE else 2), seconds).rate
        for name, train in bare_loops(setting.batch_size, weights).items()
        if name.startswith((ENGINE, RNN))
    }
    return alternate(contenders, plan.rounds)


def fastest(rates: Mapping[str, list[float]], peer: str) -> list[float]:
    """The rounds of the fastest of a peer's settings."""
    return max((found for name, found in rates.items() if name.startswith(peer)), key=sum)


def images_curve(plan: Plan, counts: Sequence[int]) -> Curve:
    """Seconds of an evaluation by the number of images."""
    cases = [evaluation_case(replace(plan, rounds=1), count) for count in counts]
    costs = {name: [case.rates[name] for case in cases] for name in cases[0].rates}
    what = "FID, KID, precision and recall of so many images"
    return Curve("images", "generated images, and as many real ones", "seconds", what, list(map(float, counts)), costs)


def runs_curve(plan: Plan, counts: Sequence[int]) -> Curve:
    """Seconds of a sweep by the number of its runs."""
    text, runner, updates = write_text(sweep.SETTING, plan.folder), Runner(), sweep.UPDATES
    folder = plan.folder / "growth"
    costs: dict[str, list[list[float]]] = {sweep.OURS: [], PEER: []}
    for count in counts:
        costs[sweep.OURS].append([sweep.ours(count, updates, folder, runner)])
        costs[PEER].append([sweep.theirs(count, updates, text, folder, runner)])
    what = f"a sweep of char-RNN runs, {sweep.SETTING.size}, {updates:,} updates each"
    return Curve("runs", "runs", "seconds", what, list(map(float, counts)), costs)
