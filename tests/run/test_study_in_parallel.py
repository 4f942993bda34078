"""Every study at its smallest budget under joblib's launcher, two runs at a time in processes of their own."""

from pathlib import Path

import pytest
from tests.run.test_study_smoke import STUDIES, smoke_of

pytestmark = pytest.mark.minutes

ALWAYS = "rnn_lr"
"""The launcher does the same with the others, and they take minutes."""
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of all studies of this module."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize(
    "study", [pytest.param(name, marks=[] if name == ALWAYS else pytest.mark.exhaustive) for name in STUDIES]
)
def test_a_study_runs_in_several_processes(study: str, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = smoke_of(study, shared, monkeypatch, *JOBLIB)
    assert "JoblibLauncher" in (folder / "launcher" / "multirun.yaml").read_text()
