import pytest

from genlab.reporting import texts
from genlab.reporting.texts import Passage, first_middle_last, temperature_passages, training_passages


def test_temperature_file_is_split_at_its_headings() -> None:
    content = "=== temperature 0.4 ===\n\nthe the\n\nthe\n\n=== temperature 1.0 ===\n\nqx=== zz ===\n\n"
    assert temperature_passages(content) == [
        Passage("temperature 0.4", "", "the the\n\nthe"),
        Passage("temperature 1.0", "", "qx=== zz ==="),
    ]


def test_training_file_is_split_and_the_prompt_set_apart() -> None:
    content = (
        "=== iteration 100 | smoothed loss 3.214 | prompt 'Har' ===\nHarry said\n=== Title ===\n\n"
        "=== iteration 200 | smoothed loss 3.100 | prompt \"Don'\" ===\nDon't\n\n"
        "=== iteration 300 | smoothed loss 3.000 | prompt 'Ron' ===\nelse\n\n"
    )
    first, second, third = training_passages(content)
    assert first == Passage("iteration 100 · smoothed loss 3.214 · prompt 'Har'", "Har", "ry said\n=== Title ===")
    assert (second.prompt, second.text) == ("Don'", "t")
    assert (third.prompt, third.text) == ("", "else")


def test_a_prompt_that_is_no_string_is_not_marked() -> None:
    (passage,) = training_passages("=== iteration 1 | prompt '\\' ===\nabc\n")
    assert (passage.prompt, passage.text) == ("", "abc")


def test_a_file_without_headings_is_one_text() -> None:
    assert temperature_passages("just text\n") == [Passage("", "", "just text")]
    assert temperature_passages("") == []


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(0, []), (1, [0]), (2, [0, 1]), (4, [0, 1, 2, 3]), (5, [0, 2, 3, 4]), (9, [0, 4, 6, 7, 8])],
)
def test_first_middle_last(count: int, chosen: list[int]) -> None:
    passages = [Passage(str(index), "", "") for index in range(count)]
    assert first_middle_last(passages) == [passages[index] for index in chosen]


def test_control_characters_become_spaces_and_long_texts_are_cut() -> None:
    assert texts.visible("a\x0bb\x0cc\td\ne\x00") == "a b c\td\ne "
    long = texts.visible("x" * (texts.MAX_CHARACTERS + 1234))
    assert long.startswith("x" * texts.MAX_CHARACTERS + "\n")
    assert long.endswith("1,234 more characters in the file]")
