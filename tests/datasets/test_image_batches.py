"""Batches: every image once a pass, in an order that the seed and the iteration alone decide."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genlab.datasets.image_batches import Augment, Batch, ImageBatches, WholeSet, as_floats

sizes = st.integers(1, 40)
seeds = st.integers(0, 2**32 - 1)


def numbered(count: int) -> tuple[Tensor, Tensor]:
    """Images that are told apart by their label and by their brightness alike."""
    labels = torch.arange(count)
    return labels.to(torch.uint8).view(count, 1, 1, 1).expand(count, 1, 2, 3), labels


def batches(count: int, size: int, seed: int = 0, done: int = 0, augment: Augment | None = None) -> list[Batch]:
    return list(ImageBatches(*numbered(count), size, seed, lambda: done, augment))


def read(got: list[Batch]) -> list[int]:
    return [int(label) for batch in got for label in batch.labels]


def add_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    return images + torch.rand(images.shape, generator=generator)


# --- a pass ------------------------------------------------------------------------------------------------------


@given(sizes, st.data(), seeds)
def test_a_pass_is_every_image_once_but_for_what_fills_no_batch(count: int, data: st.DataObject, seed: int) -> None:
    size = data.draw(st.integers(1, count))
    loader = ImageBatches(*numbered(count), size, seed, lambda: 0)
    got = list(loader)
    assert len(got) == loader.iterations_per_pass == count // size
    assert len(set(read(got))) == len(read(got)) == count // size * size
    assert set(read(got)) <= set(range(count))


@given(sizes, st.data(), seeds)
def test_images_are_floats_from_0_to_1_and_belong_to_their_labels(count: int, data: st.DataObject, seed: int) -> None:
    size = data.draw(st.integers(1, count))
    for batch in batches(count, size, seed):
        assert batch.images.shape == (size, 1, 2, 3)
        assert batch.images.dtype == torch.float32
        assert batch.labels.dtype == torch.int64
        expected = (batch.labels.float() / 255).view(size, 1, 1, 1).expand(size, 1, 2, 3)
        assert torch.equal(batch.images, expected)


def test_over_many_passes_no_image_is_left_out_for_good() -> None:
    seen = {label for passes in range(20) for label in read(batches(10, 4, done=2 * passes))}
    assert seen == set(range(10))


def test_passes_and_seeds_differ_in_their_order() -> None:
    orders = [tuple(read(batches(40, 4, seed, 10 * number))) for seed in range(3) for number in range(4)]
    assert len(set(orders)) == 12
    assert all(sorted(order) == list(range(40)) for order in orders)
    assert tuple(range(40)) not in orders


# --- where a pass is taken up ------------------------------------------------------------------------------------


@settings(max_examples=50)
@given(sizes, st.data(), seeds, st.integers(0, 200), st.booleans())
def test_a_loader_gives_from_any_iteration_what_the_straight_one_gives(
    count: int, data: st.DataObject, seed: int, done: int, noisy: bool
) -> None:
    size = data.draw(st.integers(1, count))
    augment = add_noise if noisy else None
    per_pass = count // size
    whole = batches(count, size, seed, done // per_pass * per_pass, augment)
    rest = batches(count, size, seed, done, augment)
    assert len(rest) == per_pass - done % per_pass
    for ours, theirs in zip(rest, whole[done % per_pass :], strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)


def test_progress_is_asked_anew_at_each_pass() -> None:
    done = [0]
    loader = ImageBatches(*numbered(12), 4, 0, lambda: done[0])
    first = read(list(loader))
    assert read(list(loader)) == first
    done[0] = 3
    second = read(list(loader))
    assert second == read(batches(12, 4, 0, 3)) != first
    done[0] = 4
    assert read(list(loader)) == second[4:]


def test_distortions_differ_from_batch_to_batch_from_pass_to_pass_and_from_seed_to_seed() -> None:
    one_image = torch.zeros(4, 1, 3, 3, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64)

    def noise(seed: int, done: int) -> list[bytes]:
        return [b.images.numpy().tobytes() for b in ImageBatches(*one_image, 2, seed, lambda: done, add_noise)]

    seen = [noise(0, 0), noise(0, 2), noise(0, 4), noise(1, 0)]
    assert len({each for both in seen for each in both}) == 8


def test_nothing_but_the_seed_is_drawn_from() -> None:
    state = torch.get_rng_state()
    first = batches(20, 4, augment=add_noise)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1234)
    again = batches(20, 4, augment=add_noise)
    assert all(torch.equal(a.images, b.images) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("augment", [None, add_noise])
def test_the_data_set_is_not_changed(augment: Augment | None) -> None:
    images, labels = torch.full((6, 1, 2, 2), 200, dtype=torch.uint8), torch.arange(6)
    for batch in ImageBatches(images, labels, 3, 0, lambda: 0, augment):
        batch.images.zero_()
        batch.labels.zero_()
    for batch in WholeSet(images, labels, 4):
        batch.images.zero_()
    assert bool((images == 200).all())
    assert torch.equal(labels, torch.arange(6))


@pytest.mark.parametrize(("count", "size"), [(3, 4), (1, 128)])
def test_a_batch_larger_than_the_data_is_refused(count: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"^`batch_size` must be at most") as error:
        batches(count, size)
    assert str(error.value) == (
        f"`batch_size` must be at most the {count} images to train on; got {size} (data.batch_size)"
    )


def test_one_batch_may_be_the_whole_set() -> None:
    assert sorted(read(batches(7, 7))) == list(range(7))
    assert read(batches(1, 1)) == [0]


# --- the whole set -----------------------------------------------------------------------------------------------


@given(sizes, st.integers(1, 50))
def test_the_whole_set_is_every_image_in_its_own_order(count: int, size: int) -> None:
    whole = WholeSet(*numbered(count), size)
    got = list(whole)
    assert read(got) == list(range(count))
    assert len(got) == len(whole)
    assert [len(batch.labels) for batch in got[:-1]] == [size] * (len(got) - 1)
    assert read(list(whole)) == list(range(count)), "it can be gone through again"


def test_bytes_are_floats_from_0_to_1() -> None:
    every = torch.arange(256).to(torch.uint8)
    floats = as_floats(every)
    assert floats.dtype == torch.float32
    assert (floats[0], floats[255]) == (0, 1)
    assert torch.equal((floats * 255).round().to(torch.uint8), every)
    assert torch.equal(floats, torch.arange(256) / 255)


def test_a_batch_is_a_record_of_images_and_labels() -> None:
    made: Any = Batch(torch.zeros(1), torch.ones(1))
    assert made._fields == ("images", "labels")


def test_an_augmentation_is_called_once_a_batch_with_floats() -> None:
    seen: list[tuple[Any, ...]] = []

    def note(images: Tensor, generator: torch.Generator) -> Tensor:
        seen.append((tuple(images.shape), images.dtype, type(generator)))
        return images

    augment: Callable[..., Tensor] = note
    batches(10, 4, augment=augment)
    assert seen == [((4, 1, 2, 3), torch.float32, torch.Generator)] * 2
