"""Memorisation: exact distances, a balance that does not depend on the sizes of the sets, copies found."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.evaluation import memorisation
from genlab.evaluation.memorisation import Memorisation, nearer_share, nearest_squared
from genlab.evaluation.shares import wilson_interval


def as_emitted(fakes: SimpleNamespace, images: torch.Tensor) -> Any:
    return fakes.Emits(lambda count, seed: images[:count].float() / 255)


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
def test_distances_are_exact(seed: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    a, b = (random.integers(0, 256, (n, 1, 28, 28), dtype=np.uint8) for n in (rows, columns))
    apart = (a[:, None].astype(int) - b[None].astype(int)) ** 2
    expected = apart.reshape(rows, columns, -1).sum(axis=2).min(axis=1)
    assert nearest_squared(torch.from_numpy(a), torch.from_numpy(b)).tolist() == expected.tolist()


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch, fakes: SimpleNamespace) -> None:
    images, others = fakes.drawn(30, 1)[0], fakes.drawn(50, 2)[0]
    expected = nearest_squared(images, others)
    monkeypatch.setattr(memorisation, "ROWS", 7)
    monkeypatch.setattr(memorisation, "COLUMNS", 11)
    assert torch.equal(nearest_squared(images, others), expected)


def test_the_share_of_equal_sets_is_a_plain_share() -> None:
    figures = nearer_share(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([2.0, 2.0, 2.0, 9.0]), 50, 50)
    assert figures["value"] == 0.625, "two nearer to training images, one tie"
    assert figures["interval"] == pytest.approx(list(wilson_interval(2.5, 4)))
    assert (figures["count"], figures["expected"]) == (4, 0.5)


@given(st.integers(1, 999), st.integers(1, 60_000), st.integers(1, 60_000))
def test_the_share_is_balanced_for_the_numbers_of_images(wins: int, train: int, test: int) -> None:
    to_train = torch.ones(1000)
    to_test = torch.where(torch.arange(1000) < wins, 2.0, 0.5)
    figures = nearer_share(to_train, to_test, train, test)
    rate_train, rate_test = wins / train, (1000 - wins) / test
    assert figures["value"] == pytest.approx(rate_train / (rate_train + rate_test))
    assert figures["interval"][0] <= figures["value"] <= figures["interval"][1]
    assert nearer_share(to_train, torch.full((1000,), 2.0), train, test)["value"] == 1
    assert nearer_share(to_train, torch.full((1000,), 0.5), train, test)["value"] == 0


def test_independent_images_score_a_half_whatever_the_sizes(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=1500, val=900, test=300)
    result = Memorisation(count=900)(as_emitted(fakes, fakes.drawn(900, 11)[0]), data)
    for figures in (result, result["floor"]):
        assert figures["value"] == pytest.approx(0.5, abs=0.06)
        assert figures["interval"][0] < 0.5 < figures["interval"][1]
        assert figures["nearest_is_train"] == pytest.approx(1500 / 1800, abs=0.04)
        assert figures["near_copies"]["value"] == 0
    assert (result["train_count"], result["test_count"]) == (1500, 300)


def test_copies_of_training_images_are_found(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=1500, test=300)
    result = Memorisation(count=300)(as_emitted(fakes, data.train.images[700:]), data)
    assert result["value"] == 1
    assert result["near_copies"]["value"] == 1
    assert result["median_distance_to_train"] == 0
    assert result["floor"]["value"] < 0.6
    copied_test = Memorisation(count=300)(as_emitted(fakes, data.test.images), data)
    assert copied_test["value"] == 0


def test_a_few_copies_among_many_are_found(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=1500, test=300)
    mixed = torch.cat([data.train.images[:30], fakes.drawn(570, 11)[0]])
    result = Memorisation(count=600)(as_emitted(fakes, mixed), data)
    assert result["near_copies"]["successes"] == 30


def test_ties_count_half(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(train=200, test=200)
    data.test = data.train
    assert Memorisation(count=100)(as_emitted(fakes, fakes.drawn(100, 11)[0]), data)["value"] == 0.5


def test_distances_are_those_of_pixels_in_the_unit_interval(fakes: SimpleNamespace) -> None:
    data = fakes.image_data()
    white = torch.full((9, 1, 6, 6), 255, dtype=torch.uint8)
    result = Memorisation(count=9)(as_emitted(fakes, white), data)
    expected = (1 - data.train.floats()).flatten(1).norm(dim=1).min()
    assert result["median_distance_to_train"] == pytest.approx(float(expected), rel=1e-5)


def test_a_threshold_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`near` must be a finite number > 0; got 0 \(evaluators.memorisation.near\)"):
        Memorisation(near=0)
