"""What several processes divide among themselves; they train together in ``tests/run/test_several_processes.py``."""

import numpy as np
import pytest
import torch
from torch import Tensor

from genlab.char_rnn.data import Streams
from genlab.datasets.image_batches import ImageBatches
from genlab.processes import in_order, means


@pytest.mark.parametrize(("count", "processes"), [(26, 2), (40, 3), (24, 1)])
def test_a_pass_shows_each_image_to_one_process_at_most(count, processes, monkeypatch) -> None:
    images, labels = torch.zeros(count, 1, 2, 2, dtype=torch.uint8), torch.arange(count)
    whole = [batch.labels for batch in ImageBatches(images, labels, 4 * processes, 7, lambda: 0)]
    parts = []
    for number in range(processes):
        monkeypatch.setattr("genlab.datasets.image_batches.place_among", lambda _, number=number: number)
        loader = ImageBatches(images, labels, 4, 7, lambda: 0, processes=processes)
        assert loader.iterations_per_pass == count // (4 * processes)
        parts.append([batch.labels for batch in loader])
    joined = [torch.cat(each) for each in zip(*parts, strict=True)]
    assert all(torch.equal(one, other) for one, other in zip(joined, whole, strict=True))
    seen = torch.cat(joined)
    assert len(seen.unique()) == len(seen) == len(whole) * 4 * processes


def test_processes_distort_their_images_each_in_its_own_way(monkeypatch) -> None:
    drawn = []
    for number in range(2):
        monkeypatch.setattr("genlab.datasets.image_batches.place_among", lambda _, number=number: number)
        images, labels = torch.zeros(8, 1, 2, 2, dtype=torch.uint8), torch.arange(8)
        noise: list[Tensor] = []

        def augment(x: Tensor, generator: torch.Generator, noise: list[Tensor] = noise) -> Tensor:
            noise.append(torch.rand(3, generator=generator))
            return x

        list(ImageBatches(images, labels, 2, 0, lambda: 0, augment, processes=2))
        drawn += noise
    assert len(drawn) == 4
    assert len({tuple(each.tolist()) for each in drawn}) == 4


def test_streams_of_processes_are_those_of_one_with_all(monkeypatch) -> None:
    text = np.arange(100)
    whole = Streams(text, 4, 6).chunk(0, 3)
    parts = []
    for number in range(3):
        monkeypatch.setattr("genlab.char_rnn.data.place_among", lambda _, number=number: number)
        streams = Streams(text, 4, 2, 3)
        assert streams.windows_per_pass == Streams(text, 4, 6).windows_per_pass
        parts.append(streams.chunk(0, 3))
    assert torch.equal(torch.cat([part.x_NTB for part in parts], dim=2), whole.x_NTB)
    assert torch.equal(torch.cat([part.y_NTB for part in parts], dim=2), whole.y_NTB)


def test_data_for_two_processes_are_refused_by_one() -> None:
    images, labels = torch.zeros(8, 1, 2, 2, dtype=torch.uint8), torch.arange(8)
    with pytest.raises(ValueError, match=r"`processes` must be the 1 that train together; got 2 \(trainer.devices\)"):
        next(iter(ImageBatches(images, labels, 2, 0, lambda: 0, processes=2)))


def test_what_processes_make_in_turn_is_put_back_in_order(monkeypatch) -> None:
    monkeypatch.setattr("genlab.processes.gathered", lambda _: [["a", "d", "g"], ["b", "e"], ["c", "f"]])
    assert in_order(["b", "e"]) == list("abcdefg")


def test_alone_a_process_keeps_what_it_has() -> None:
    parts = [torch.ones(2), torch.zeros(3)]
    assert in_order(parts) == parts
    figure = torch.tensor(2.0)
    assert means({"train/loss": figure})["train/loss"] is figure
