"""Every notebook runs from top to bottom, and what is stored of it can be shown to anyone."""

import os
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LIMIT_S = 60  # of processor time, which other work on the machine does not stretch; a first compilation included
PRIVATE_PATH = re.compile(
    r"(?<![\w.])/(home|root|Users|tmp|work|workspace|private|var|mnt|opt|builds?)/|\b[A-Z]:\\[A-Za-z]"
)

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells_of(path: Path) -> list[Any]:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return list(notebook.cells)


def code_cells_of(path: Path) -> list[Any]:
    return [cell for cell in cells_of(path) if cell.cell_type == "code"]


def texts_of(path: Path) -> Iterator[str]:
    """Everything that is stored as text: sources, printed lines, tables, tracebacks; not the pictures."""
    for cell in cells_of(path):
        yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("text", "")
            yield from output.get("traceback", [])
            yield from (str(data) for kind, data in output.get("data", {}).items() if kind.startswith("text/"))


def children_seconds() -> float:
    """Processor time of the processes that have ended: the kernel, and what it started (0 on Windows)."""
    times = os.times()
    return times.children_user + times.children_system


@pytest.fixture
def clean_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for whatever Jupyter, matplotlib and the notebook write, and no settings of the user's."""
    for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    for name in ("GENLAB_DATA", "GENLAB_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTER_PATH", os.path.join(sysconfig.get_path("data"), "share", "jupyter"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("GENLAB_NOTEBOOK_BUDGET", "smoke")
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@every_notebook
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own libraries
def test_it_runs(path: Path, clean_home: Path) -> None:
    notebook: Any = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=180, kernel_name="python3", resources={"metadata": {"path": str(clean_home)}}
    )
    started = children_seconds()
    client.execute()  # raises with the cell's traceback
    assert children_seconds() - started < LIMIT_S
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not list(clean_home.iterdir()), "the notebook left files where it ran"


@every_notebook
def test_it_is_stored_after_a_whole_run_in_order(path: Path) -> None:
    cells = code_cells_of(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)


@every_notebook
def test_every_cell_has_an_id_of_its_own(path: Path) -> None:
    ids = [cell.get("id") for cell in cells_of(path)]
    assert all(ids)
    assert len(set(ids)) == len(ids)


@every_notebook
def test_what_is_stored_shows_no_error_and_no_warning(path: Path) -> None:
    outputs = [output for cell in code_cells_of(path) for output in cell.outputs]
    assert [output.ename for output in outputs if output.output_type == "error"] == []
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


@every_notebook
def test_what_is_stored_names_no_place_of_the_machine_that_ran_it(path: Path) -> None:
    shown = "\n".join(texts_of(path))
    assert [found[0] for found in PRIVATE_PATH.finditer(shown)] == []
    assert "127.0.0.1" not in shown


@every_notebook
def test_it_is_small_enough_to_read_on_a_web_page(path: Path) -> None:
    assert path.stat().st_size < 400_000


@every_notebook
def test_figures_come_with_labelled_axes(path: Path) -> None:
    """A cell that makes axes names what they show."""
    for cell in code_cells_of(path):
        if "plt.subplots" in cell.source:
            assert "xlabel" in cell.source, cell.id
