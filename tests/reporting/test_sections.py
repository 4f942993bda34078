from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from genlab.reporting import sections
from genlab.reporting.runs import read_run

MakeRun = Callable[..., Path]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, sections.NOTHING),
        (0.71234, "0.7123"),
        (12345, "12,345"),
        (12345.6, "12,346"),
        (2.0, "2"),
        ([1, 0.5], "1, 0.5"),
        ("a", "a"),
    ],
)
def test_number(value: object, shown: str) -> None:
    assert sections.number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, sections.NOTHING),
        (0, "0.0 s"),
        (8.31, "8.3 s"),
        (59.96, "1 min 00 s"),
        (245, "4 min 05 s"),
        (7800, "2 h 10 min"),
    ],
)
def test_duration(seconds: object, shown: str) -> None:
    assert sections.duration(seconds) == shown


def test_settings_name_what_was_trained(make_run: MakeRun) -> None:
    rows = dict(sections.settings(read_run(make_run())))
    assert rows["corpus"] == "tiny_shakespeare"
    assert rows["hidden units"] == "256"
    assert rows["optimiser"] == "Adam"
    assert rows["learning rate"] == "0.001"
    assert rows["engine"] == "numba"  # the one that ran, not the config's 'auto'
    assert rows["seed"] == "0"
    assert "latent size" not in rows
    assert "text" not in rows


def test_a_text_of_ones_own_hides_the_corpus_that_it_replaced(make_run: MakeRun) -> None:
    record = read_run(make_run())
    record.config["data"]["text"] = "my/book.txt"
    rows = dict(sections.settings(record))
    assert rows["text"] == "my/book.txt"
    assert "corpus" not in rows


def test_measures_show_units_intervals_and_details(make_run: MakeRun) -> None:
    bits, words, copied = sections.measures(read_run(make_run()))
    assert (bits.name, bits.value, bits.unit) == ("held-out text", "2.413", "bits per character")
    assert (bits.interval, bits.count, bits.seed) == ("± 0.012 (s.e.)", "111,539", sections.NOTHING)
    assert bits.checkpoint == "cdcdcdcdcdcd"
    assert (words.value, words.unit, words.seed) == ("71.23", "% of generated words", "0")
    assert (words.interval, words.real) == ("70.12 to 72.34", "94.21")
    assert words.details == (("temperature", "0.8"), ("by temperature", "0.4: 91 · 1.4: 31"))
    assert (copied.value, copied.real, copied.interval) == ("42", "31", sections.NOTHING)
    ((key, text),) = copied.details
    assert key == "longest run"
    assert text.startswith("and the and the")
    assert text.endswith(" ...")
    assert len(text) <= sections.MAX_DETAIL


def test_an_evaluation_of_another_form_is_still_shown(make_run: MakeRun) -> None:
    result = {"value": None, "unit": "share", "checkpoint": {"sha256": "ef" * 32}, "rows": [[1], [2]]}
    (measure,) = sections.measures(replace(read_run(make_run()), evaluation={"fid_mnist_cnn": result}))
    assert (measure.value, measure.unit, measure.checkpoint) == (sections.NOTHING, "%", "efefefefefef")
    assert measure.details == ()


def test_bars_put_the_model_among_the_floors(make_run: MakeRun) -> None:
    bars = sections.floor_bars(read_run(make_run()))
    assert [bar.label for bar in bars] == ["unigram", "bigram", "trigram", "this model (char_rnn)", "5-gram"]
    assert [bar.is_model for bar in bars] == [False, False, False, True, False]
    assert bars[0].percent == 100
    assert bars[3].percent == pytest.approx(100 * 2.4131 / 4.829)


def test_bars_need_both_the_floors_and_the_model(make_run: MakeRun) -> None:
    record = read_run(make_run())
    assert sections.floor_bars(replace(record, evaluation={})) == []
    bare = replace(record, status={"state": "done"}, metrics={})
    bare.evaluation.pop("bits_per_char")
    assert sections.floor_bars(bare) == []


def test_held_out_bits_fall_back_to_the_last_validation(make_run: MakeRun) -> None:
    record = replace(read_run(make_run()), evaluation={})
    assert sections.held_out_bits(record) == 2.5
    (headline,) = sections.headlines(record)
    assert (headline.value, headline.name) == ("2.5", "held-out, in training")
    logged = replace(record, status={"state": "running"})
    assert sections.held_out_bits(logged) == record.metrics["val/bits_per_char"][1][-1]


def test_provenance_and_command(make_run: MakeRun) -> None:
    record = read_run(make_run())
    rows = dict(sections.provenance_rows(record))
    assert rows["commit"].endswith("67 with uncommitted changes")
    assert rows["data: sha256"] == "ab" * 32
    assert rows["versions"] == "python 3.11.2 · torch 2.14.1 · numpy 2.4.6"
    assert sections.command(record) == "genlab train experiment=char_rnn seed=0"
    listed = replace(record, provenance={"command": ["genlab", "train", "data.text=my book.txt"]})
    assert sections.command(listed) == "genlab train 'data.text=my book.txt'"
    nothing = replace(record, provenance={}, status={"state": "failed"})
    assert (sections.provenance_rows(nothing), sections.command(nothing)) == ([], "")


def test_headlines_of_each_model_are_its_most_telling_measures(make_run: MakeRun) -> None:
    record = read_run(make_run())
    generator = ("class_histogram", "coverage", "fid_mnist_cnn", "kid_mnist_cnn", "precision", "recall")
    for names, expected in (
        (generator, ["FID (mnist_cnn)", "precision", "recall"]),
        ((*generator, "elbo", "iw_bound"), ["ELBO", "importance-weighted bound", "FID (mnist_cnn)"]),
        (("accuracy", "calibration", "confusion"), ["accuracy", "calibration"]),
    ):
        judged = replace(record, evaluation={name: {"value": 0.5} for name in names})
        assert [measure.name for measure in sections.headlines(judged)] == expected


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [("val/accuracy", 0.9912, ("99.12", "%")), ("val/elbo", -101.5, ("-101.5", "nats an image"))],
)
def test_other_models_fall_back_to_the_last_validation_too(
    metric: str, value: float, shown: tuple[str, str], make_run: MakeRun
) -> None:
    record = replace(
        read_run(make_run()), evaluation={}, metrics={}, status={"state": "done", "metrics": {metric: value}}
    )
    (headline,) = sections.headlines(record)
    assert (headline.value, headline.unit) == shown


def test_the_floor_is_real_data_in_the_measures_own_unit(make_run: MakeRun) -> None:
    results = {
        "precision": {"value": 0.9, "unit": "share of generated images", "floor": {"value": 0.9731}},
        "fid_mnist_cnn": {"value": 3.0, "unit": "", "floor": {"value": 0.41}, "judge_sha256": "ab" * 32},
        "memorisation": {"value": 3.0, "floor": None},
    }
    fid, precision, memorisation = sections.measures(replace(read_run(make_run()), evaluation=results))
    assert (precision.real, fid.real, memorisation.real) == ("97.31", "0.41", sections.NOTHING)
    assert ("judge", "abababababab") in fid.details


def test_warnings_come_once_from_provenance_and_results(make_run: MakeRun) -> None:
    record = read_run(make_run())
    assert sections.warnings(record) == []
    record.evaluation["valid_words"]["warning"] = record.evaluation["copied_run"]["warning"] = "one"
    record.provenance["data"]["warning"] = "two"
    assert sections.warnings(record) == ["two", "one"]
    assert all("warning" not in dict(measure.details) for measure in sections.measures(record))
