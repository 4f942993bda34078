"""A process beside the one that was called: it trains the run in a folder with it, and leaves everything else to it.

``python -m genlab.run.follower FOLDER NUMBER COUNT PORT``, which nobody needs to type (``several_processes.py``). Its
input stays open as long as the first process lives. Exit codes: 0 trained, or stopped with the others; 1 failed, with
the reason in the last line of the error output; 3 left alone.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genlab.run.several_processes import Place


def main(argv: Sequence[str] | None = None) -> int:
    """Train; returns the exit code."""
    folder, *numbers = sys.argv[1:] if argv is None else argv
    threading.Thread(target=_end_with_the_first, daemon=True).start()
    ready = os.dup(1)
    os.dup2(2, 1)  # what is printed is for nobody, but for the last line of a failure
    from genlab.run.quick_imports import quick_imports

    with quick_imports():
        from genlab.run.several_processes import LOST, READY, Place, ignore_signals, is_lost

    ignore_signals()
    try:
        _train(Path(folder), Place(*map(int, numbers)), lambda: os.write(ready, READY))
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        return LOST if is_lost(error) else 1
    return 0


def _train(folder: Path, place: "Place", say_ready: Callable[[], object]) -> None:
    from omegaconf import OmegaConf

    from genlab.run.artifacts import RunFolder, read_config
    from genlab.run.fit import follow

    follow(RunFolder(folder), OmegaConf.create(read_config(folder / "config.yaml", "run_dir")), place, say_ready)


def _end_with_the_first() -> None:
    """End this process, wherever it stands, when the first one has ended or wants it to."""
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
