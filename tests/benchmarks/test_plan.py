"""What a plan says, and which cases it has."""

from pathlib import Path

import pytest

from genlab.benchmarks.cases import CASES, chosen
from genlab.benchmarks.plan import Plan, data_root, dataset_in
from genlab.datasets.raw_images import RAW_SETS


def test_mnist_is_taken_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLAB_DATA", str(tmp_path))
    assert data_root() == tmp_path
    assert dataset_in(tmp_path) == "digits"
    for name in RAW_SETS["MNIST"].files:
        file = RAW_SETS["MNIST"].raw_folder(tmp_path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert dataset_in(tmp_path) == "MNIST"


def test_a_stand_in_is_said() -> None:
    plan = Plan("bench", 3, Path(), "digits", Path("/nowhere"), "32-true")
    assert plan.warnings == ["the images are scikit-learn's digits and not MNIST: there is no MNIST in /nowhere"]
    assert "data.val_size=100" in plan.image_words
    (said,) = Plan("quick", 3, Path(), "digits", Path("/there"), "32-true").warnings
    assert said.endswith("not MNIST: that is enough for a try"), "it does not look for MNIST"
    assert Plan("bench", 3, Path(), "MNIST", Path(), "32-true").warnings == []


@pytest.mark.parametrize(("rounds", "fewer", "few"), [(1, 1, 1), (2, 1, 1), (3, 2, 1), (9, 6, 3)])
def test_what_takes_minutes_has_fewer_rounds(rounds: int, fewer: int, few: int) -> None:
    plan = Plan("full", rounds, Path(), "MNIST", Path(), "32-true")
    assert (plan.fewer, plan.few) == (fewer, few)


def test_cases_are_chosen_by_name_and_keep_their_order() -> None:
    assert chosen("vae,startup", "bench") == ["startup", "vae"]
    assert chosen(None, "full") == list(CASES)
    assert chosen(None, "bench") == [name for name in CASES if name != "growth"]
    with pytest.raises(ValueError, match="--only"):
        chosen("dcgan,vea", "bench")
