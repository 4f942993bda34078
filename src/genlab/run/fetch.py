"""``genlab fetch``: data for training, verified by checksum."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from genlab.datasets.corpora import CORPORA, fetch
from genlab.datasets.download import DownloadError, Progress
from genlab.datasets.images import DATASETS, fetch_images
from genlab.run.outcome import Outcome

AUTO = "auto"
Fetch = Callable[[str, Path, Progress | None], Path]


def main(cfg: DictConfig) -> Outcome:
    """Get a corpus, a data set or both, or say that they are there already; one that fails stops no other."""
    root = Path(str(cfg.root))
    wanted = _wanted(cfg.corpus, cfg.dataset)
    if not wanted:
        print(f"corpus=NAME: {', '.join(CORPORA)}\ndataset=NAME: {', '.join(DATASETS)}")
    failed = []
    for name, get in wanted:
        try:
            with _shown(name) as progress:
                path = get(name, root, progress)
        except DownloadError as error:
            failed.append(str(error))
        else:
            print(f"{name} is at {path}")
    if failed:
        raise DownloadError("; ".join(failed))
    return Outcome("done", root)


def _wanted(corpus: object, dataset: object) -> list[tuple[str, Fetch]]:
    """What to fetch and by what: ``auto`` is a usual one, but nothing where the other of the two is named."""
    usual = corpus in (AUTO, None) and dataset in (AUTO, None)
    choices: list[tuple[object, str, Fetch]] = [(corpus, "tiny_shakespeare", fetch), (dataset, "MNIST", fetch_images)]
    named = [(default if usual else None, get) if name == AUTO else (name, get) for name, default, get in choices]
    return [(str(name), get) for name, get in named if name is not None]


@contextmanager
def _shown(name: str) -> Iterator[Progress]:
    """Yield what shows the megabytes on one line of a terminal; elsewhere a line says that something is fetched."""
    console = Console(stderr=True, highlight=False)
    if console.is_terminal:
        with console.status(f"fetching {name}") as status:
            yield lambda done, total: status.update(f"fetching {name}: {_megabytes(done, total)}")
        return
    said: list[str] = []

    def say_once(done: int, total: int | None) -> None:
        if not said:
            said.append(name)
            console.print(f"fetching {name}", soft_wrap=True)

    yield say_once


def _megabytes(done: int, total: int | None) -> str:
    return f"{done / 1e6:.1f}" + (f" of {total / 1e6:.1f} MB" if total else " MB")
