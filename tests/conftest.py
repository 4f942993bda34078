"""What all tests share: hypothesis without a deadline, and a way to write the golden files anew."""

import os

import pytest
from hypothesis import settings

# Networks this small only wait for a second thread, above all where tests run side by side; said before torch is
# imported, so that the commands that tests start heed it too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The first example of a test may compile or load a library: time is no property here. Examples are new at every run
# on a developer's machine, and the same at every run of continuous integration, which is to judge the change alone.
settings.register_profile("genlab", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI")))
settings.load_profile("genlab")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--regenerate-golden",
        action="store_true",
        help="write the files in tests/golden anew; the commit says why they changed",
    )


@pytest.fixture
def regenerate_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--regenerate-golden"))
