"""Turns, ratios and threads, on made-up rates."""

import pytest
import torch

from genlab.benchmarks.rounds import alternate, at_most, compare, ratio, thread_settings, torch_threads, with_threads


def test_everybody_has_a_turn_a_round_and_the_order_is_turned_around() -> None:
    turns: list[str] = []

    def contender(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    rates = alternate({name: lambda name=name: contender(name) for name in "abc"}, rounds=3)  # type: ignore[misc]
    assert "".join(turns) == "abccbaabc"
    assert rates == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}


def test_ratio_is_taken_within_rounds() -> None:
    """A machine that is half as fast in one round changes nothing."""
    found = ratio([40, 20, 40, 44, 36], [10, 5, 10, 10, 10])
    assert found.median == pytest.approx(4)
    assert (found.lower_quartile, found.upper_quartile) == pytest.approx((4, 4))
    assert (found.lowest, found.highest) == pytest.approx((3.6, 4.4))


@pytest.mark.parametrize(("ours", "peer"), [([1.0], [1.0, 2.0]), ([], [])])
def test_ratio_refuses_rounds_that_do_not_pair_up(ours: list[float], peer: list[float]) -> None:
    with pytest.raises(ValueError, match="`peer` must have as many rounds"):
        ratio(ours, peer)


def test_a_peer_counts_at_its_fastest_setting() -> None:
    rates = {"we": [10.0, 12.0, 11.0], "p, 1 thread": [2.0, 2.0, 2.0], "p, 2 threads": [1.0, 4.0, 4.0], "px": [9.0] * 3}
    found = compare(rates, "we", "p", target=3.0)
    assert found.setting == "2 threads"
    assert (found.our_rate, found.peer_rate) == (11, 4)
    assert found.ratio.median == pytest.approx(3.0)
    assert found.reached
    assert not compare(rates, "we", "p", target=3.1).reached


def test_a_peer_without_settings() -> None:
    found = compare({"we": [6.0], "px": [3.0]}, "we", "px", target=2.0)
    assert (found.setting, found.ratio.median, found.reached) == ("", 2.0, True)


def test_where_less_is_better_the_peer_counts_at_its_shortest() -> None:
    seconds = {"we": [2.0, 2.0, 2.5], "p, 0 workers": [8.0, 7.0, 10.0], "p, 2 workers": [20.0, 5.0, 20.0]}
    found = compare(seconds, "we", "p", target=3.9, less_is_better=True)
    assert (found.setting, found.our_rate, found.peer_rate) == ("0 workers", 2, 8)
    assert found.ratio.median == pytest.approx(4)
    assert found.reached
    assert compare(seconds, "we", "p", None, less_is_better=True).reached is None


def test_a_limit_holds_for_the_median() -> None:
    assert at_most({"we": [0.5, 0.9, 3.0]}, "we", 1.0).reached
    found = at_most({"we": [0.5, 1.1, 3.0]}, "we", 1.0)
    assert not found.reached
    assert (found.found.lowest, found.found.median, found.found.highest) == (0.5, 1.1, 3.0)


def test_threads_are_set_for_the_call_and_given_back() -> None:
    before = torch.get_num_threads()
    assert with_threads(1, torch.get_num_threads)() == 1
    assert torch.get_num_threads() == before
    with pytest.raises(KeyError), torch_threads(1):
        raise KeyError
    assert torch.get_num_threads() == before
    assert before in thread_settings().values()
    assert 1 in thread_settings().values()
