"""metrics.csv: whole at any time, one row an iteration, gone on with exactly."""

from pathlib import Path

import pytest

from genlab.run.metrics_csv import MetricsCsv


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.csv"


def test_rows_of_one_step_are_one_row_and_columns_come_as_they_are_needed(path: Path) -> None:
    logger = MetricsCsv(path)
    logger.log_metrics({"a": 1.0, "epoch": 3}, 10)
    logger.save()
    logger.log_metrics({"b": 2 / 3}, 10)
    logger.log_metrics({"a": 0.1}, 20)
    logger.save()
    assert path.read_text() == "step,a,b\n10,1,0.6666667\n"
    logger.finalize("success")
    assert path.read_text() == "step,a,b\n10,1,0.6666667\n20,0.1,\n"


def test_a_row_that_was_flushed_may_still_grow(path: Path) -> None:
    logger = MetricsCsv(path)
    for step in (1, 2, 3):
        logger.log_metrics({"a": step, "b": 0}, step)
        logger.flush()
        logger.log_metrics({"b": step}, step)
        logger.save()
    logger.flush()
    assert path.read_text() == "step,a,b\n1,1,1\n2,2,2\n3,3,3\n"


def test_rows_are_appended_not_written_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = MetricsCsv(path)
    written = []
    rewrite = MetricsCsv._rewrite
    monkeypatch.setattr(MetricsCsv, "_rewrite", lambda self, stop: (written.append(stop), rewrite(self, stop)))
    for step in range(1000):
        logger.log_metrics({"a": step}, step)
        logger.save()
        logger.log_metrics({"b": step}, step)
    logger.flush()
    assert len(written) <= 3
    assert len(path.read_text().splitlines()) == 1001


@pytest.mark.parametrize("torn", ["", "3", "30,5", "30,5,6"])
def test_what_came_after_the_checkpoint_and_half_a_line_are_cut_off(path: Path, torn: str) -> None:
    path.write_text("step,a,b\n10,1,2\n20,3,\n25,4,4\n" + torn)
    logger = MetricsCsv(path)
    logger.resume(20)
    assert path.read_text() == "step,a,b\n10,1,2\n20,3,\n"
    logger.log_metrics({"a": 7}, 30)
    logger.flush()
    assert path.read_text() == "step,a,b\n10,1,2\n20,3,\n30,7,\n"


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_path_that_names_no_file_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"^`path` must name a file; got '.*' \(logger.csv.path\)$"):
        MetricsCsv(path)


def test_an_empty_file_is_gone_on_with(path: Path) -> None:
    path.touch()
    logger = MetricsCsv(path)
    logger.resume(20)
    logger.log_metrics({"a": 7}, 30)
    logger.flush()
    assert path.read_text() == "step,a\n30,7\n"


def test_a_line_that_the_disk_took_half_of_is_written_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = MetricsCsv(path)
    for step in (1, 2):
        logger.log_metrics({"a": step}, step)
    logger.flush()
    logger.log_metrics({"a": 3}, 3)

    def half(self: object, rows: object) -> None:
        with path.open("a") as file:
            file.write("3,")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("csv.DictWriter.writerows", half)
        with pytest.raises(OSError, match=r"No space left on device: '.*metrics\.csv'"):
            logger.flush()
    logger.flush()
    assert path.read_text() == "step,a\n1,1\n2,2\n3,3\n"
