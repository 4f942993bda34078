"""``genlab sample`` of a text model: defaults that stand for the nulls, and no use for pictures' settings."""

import pytest


def test_defaults_are_those_of_the_config_file(genlab, trained) -> None:
    assert genlab("sample", f"run={trained}", "length=12").code == 0
    first = (trained / "samples" / "generated_text.txt").read_text()
    same = ["temperature=0.8", "top_k=0", "top_p=1.0", "count=1", "seed=0", "prompt=null"]
    assert genlab("sample", f"run={trained}", "length=12", *same).code == 0
    assert (trained / "samples" / "generated_text.txt").read_text() == first
    assert genlab("sample", f"run={trained}", "length=12", "seed=1").code == 0
    assert (trained / "samples" / "generated_text.txt").read_text() != first
    assert genlab("sample", f"run={trained}").code == 0
    assert len((trained / "samples" / "generated_text.txt").read_text()) > 1000


@pytest.mark.parametrize(
    "word", ["kind=grid", "columns=3", "points=3", "steps=3", "interpolation=linear", "from_images=false", "judge=x"]
)
def test_what_pictures_take_is_refused(word: str, genlab, trained, files) -> None:
    before = files(trained)
    answer = genlab("sample", f"run={trained}", word)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer
    name = word.partition("=")[0]
    assert f"`{name}` must be left out: a char_rnn has no use for it; got" in answer.err
    assert files(trained) == before
