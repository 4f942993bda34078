"""Mutants: which are drawn, what their verdicts come to, and which survivors lack an explanation."""

from pathlib import Path

import pytest
import yaml

from genlab.evaluation.shares import wilson_interval
from genlab.torture.mutants import main, read_verdicts, seconds_of_tests
from genlab.torture.mutants_record import Survivor, killed_share, markdown, read_explanations, to_explain
from genlab.torture.mutants_sample import Count, Verdicts, counts_of, draw

MUTANTS = {
    "src/genlab/vae/losses.py": [f"genlab.vae.losses.x_kl__mutmut_{n}" for n in range(30)],
    "src/genlab/studies/claims.py": [f"genlab.studies.claims.x_a__mutmut_{n}" for n in range(70)],
    "src/genlab/studies/small.py": ["genlab.studies.small.x_b__mutmut_1"],
}
DIFF = """# genlab.vae.losses.x_kl__mutmut_3: survived
--- src/genlab/vae/losses.py
+++ src/genlab/vae/losses.py
@@ -1,3 +1,3 @@
 def kl(mu):
-    return 0.5 * mu
+    return 1.5 * mu
"""


def test_the_draw_is_in_proportion_with_a_least_number_and_all_for_none() -> None:
    drawn = draw(MUTANTS, 50, 0)
    assert [len(names) for names in drawn.values()] == [20, 35, 1]
    assert [len(names) for names in draw(MUTANTS, 1, 0).values()] == [20, 4, 1]
    everything = draw(MUTANTS, None, 0)
    assert {file: sorted(names) for file, names in everything.items()} == {f: sorted(n) for f, n in MUTANTS.items()}


def test_a_larger_sample_holds_the_smaller_and_another_seed_draws_others() -> None:
    for file, names in draw(MUTANTS, 10, 3).items():
        assert draw(MUTANTS, 40, 3)[file][: len(names)] == names
    assert draw(MUTANTS, 10, 3) == draw({file: names[::-1] for file, names in MUTANTS.items()}, 10, 3)
    assert draw(MUTANTS, 10, 3) != draw(MUTANTS, 10, 4)


def test_verdicts_are_counted_and_what_no_test_reaches_survives() -> None:
    codes = {"a": 1, "b": 0, "c": 36, "d": 33, "e": 3, "f": 0, "g": -11}
    verdicts = Verdicts({"x.py": codes}, {"x.py": list("abcdeg")})
    (count,) = counts_of(verdicts)
    assert count == Count("x.py", 7, 6, 2, 1)
    assert count.survived == 3
    assert list(verdicts.survivors()) == [("x.py", "b"), ("x.py", "d"), ("x.py", "g")]


def test_mutants_whose_tests_take_long_can_be_left_out() -> None:
    timed = {
        "tests_by_mangled_function_name": {"m.x_slow": ["t1", "t2"], "m.x_fast": ["t1"]},
        "duration_by_test": {"t1": 1.5, "t2": 3.0},
    }
    names = ["m.x_slow__mutmut_1", "m.x_fast__mutmut_2", "m.x_none__mutmut_3"]
    assert [seconds_of_tests(timed, name) for name in names] == [4.5, 1.5, 0]
    verdicts = Verdicts({"a": dict.fromkeys(names, 1), "b": {names[0]: 0}}, {"a": names[:2], "b": names[:1]})
    kept = verdicts.only(lambda name: seconds_of_tests(timed, name) <= 2)
    assert kept == Verdicts({"a": {names[1]: 1, names[2]: 1}}, {"a": names[1:2]})


def test_a_mutant_without_verdict_is_no_result() -> None:
    with pytest.raises(ValueError, match=r"^x\.py: 1 of 2 mutants were not tried$"):
        counts_of(Verdicts({"x.py": {"a": 1, "b": None}}, {"x.py": ["a", "b"]}))


def test_files_weigh_as_many_mutants_as_they_have() -> None:
    """Drawn in proportion the share is the plain one and its interval Wilson's; unequal draws make it wider."""
    plain = killed_share([Count("a", 100, 10, 9, 1), Count("b", 300, 30, 30, 0)])
    assert plain.value == pytest.approx(39 / 40)
    assert (plain.low, plain.high) == pytest.approx(wilson_interval(39, 40))
    uneven = killed_share([Count("a", 100, 30, 27, 0), Count("b", 300, 10, 10, 0)])
    assert uneven.value == pytest.approx(39 / 40)
    assert uneven.high - uneven.low > plain.high - plain.low


def test_there_is_no_interval_where_everything_was_tried() -> None:
    assert killed_share([Count("a", 4, 4, 3, 0), Count("b", 6, 6, 6, 0)]) == (0.9, 0.9, 0.9)


def test_a_survivor_is_read_from_its_diff_and_explained_by_what_it_changes() -> None:
    survivor = Survivor.read("src/genlab/vae/losses.py", "genlab.vae.losses.x_kl__mutmut_3", DIFF)
    assert survivor == Survivor("vae/losses.py: kl", "return 0.5 * mu", "return 1.5 * mu")
    method = Survivor.read("src/genlab/a/b.py", "genlab.a.b.xǁShareǁindex__mutmut_12", DIFF)
    assert method.function == "a/b.py: Share.index"
    assert to_explain([survivor], {survivor.key: "because"}) == "every survivor is explained"
    said = to_explain([survivor, method], {method.key: "because"})
    assert said.startswith("1 survivors have no explanation yet:\n")
    assert yaml.safe_load(said.partition("\n")[2]) == [
        {"function": "vae/losses.py: kl", "was": "return 0.5 * mu", "now": "return 1.5 * mu", "why": ""}
    ]


def test_the_table_has_a_row_a_file_a_folder_and_one_for_all() -> None:
    counts = [
        Count("src/genlab/studies/claims.py", 70, 35, 30, 1),
        Count("src/genlab/studies/small.py", 30, 15, 15, 0),
        Count("src/genlab/vae/losses.py", 30, 15, 15, 0),
    ]
    lines = markdown(counts, [Survivor("f", "a", "b")], {}).splitlines()
    assert lines[2] == "| studies/claims.py | 70 | 35 | 30 | 1 | 4 | 86% |"
    assert lines[4].startswith("| **studies/** | 100 | 50 | 45 | 1 | 4 | 90.0% (")
    assert lines[5].startswith("| vae/losses.py ")
    assert lines[6].startswith("| **all** | 130 | 65 | 60 | 1 | 4 | 92.3% (")
    assert lines[-1] == "Of 1 survivors 0 are explained in [mutants.yaml](mutants.yaml)."


@pytest.mark.parametrize("text", ["- {function: f, was: a, now: b}", "- {function: f, was: a, now: b, why: ''}", "- f"])
def test_an_explanation_without_a_reason_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "mutants.yaml").write_text(text)
    with pytest.raises(ValueError, match="an entry has function, was, now and why"):
        read_explanations(tmp_path / "mutants.yaml")


def test_the_explanations_that_there_are_can_be_read() -> None:
    docs = Path(__file__).parents[2] / "docs" / "mutants.yaml"
    assert all(len(why.split()) > 3 for why in read_explanations(docs).values())


def test_verdicts_are_read_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "mutants" / "src" / "genlab"
    folder.mkdir(parents=True)
    (folder / "a.py.meta").write_text('{"exit_code_by_key": {"m": 1, "n": null}, "hash_by_function_name": {}}')
    (folder / "b.py.meta").write_text('{"exit_code_by_key": {}}')
    assert read_verdicts(tmp_path) == {"src/genlab/a.py": {"m": 1, "n": None}}


@pytest.mark.parametrize(
    "words",
    [
        *[["--sample", "0"], ["--sample", "some"], ["--seed", "x"], ["--children", "0"], ["--within", "0"]],
        *[["--within", "nan"], ["--at-least", "1.5"], ["--at-least", "nan"], ["--at-least", "-0.1"]],
    ],
)
def test_a_wrong_command_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
