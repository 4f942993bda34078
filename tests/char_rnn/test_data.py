"""Streams, windows, chunks and the held-out tail: every character where it belongs, once, and none that does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from genlab.char_rnn.data import CharRnnDataModule, Chunk, ChunkLoader, Streams

MakeData = Callable[..., CharRnnDataModule]
TEXT = "".join(f"{number:04d}\n" for number in range(200))  # 1,000 characters; every five of them are unlike


@pytest.fixture
def make_data(tmp_path: Path) -> MakeData:
    def make(text: str = TEXT, **options: Any) -> CharRnnDataModule:
        path = tmp_path / "text.txt"
        path.write_text(text)
        return CharRnnDataModule(text=str(path), **options)

    return make


def windows(chunks: list[Chunk]) -> list[tuple[torch.Tensor, torch.Tensor, bool]]:
    return [
        (x, y, bool(reset))
        for chunk in chunks
        for x, y, reset in zip(chunk.x_NTB, chunk.y_NTB, chunk.resets_N, strict=True)
    ]


def whole_pass(streams: Streams, start: int = 0, per_step: int = 7, limit: int = -1) -> list[Chunk]:
    return list(ChunkLoader(streams, per_step, lambda: (start, limit)))


# --- streams -----------------------------------------------------------------------------------------------------


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 60), st.integers(1, 9))
def test_rows_are_contiguous_and_targets_are_the_next_characters(
    seq_len: int, batch: int, more: int, per_step: int
) -> None:
    text = np.arange(seq_len * batch + 1 + more)
    streams = Streams(text, seq_len, batch)
    got = windows(whole_pass(streams, per_step=per_step))
    assert len(got) == streams.windows_per_pass == (len(text) - 1) // batch // seq_len
    read = torch.cat([x for x, _, _ in got])
    starts = [b * ((len(text) - 1) // batch) for b in range(batch)]
    for b, start in enumerate(starts):
        assert read[:, b].tolist() == list(range(start, start + len(read)))
    for x, y, _ in got:
        assert x.shape == y.shape == (seq_len, batch)
        assert torch.equal(y, x + 1)
    assert [reset for _, _, reset in got] == [True] + [False] * (len(got) - 1)
    lost = len(text) - 1 - read.numel()
    assert 0 <= lost < batch * seq_len + batch
    assert len(read.unique()) == read.numel(), "no character is read twice in a pass"


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 80), st.integers(1, 9), st.integers(0, 100), st.data())
def test_a_resumed_pass_gives_the_windows_that_remain(
    seq_len: int, batch: int, more: int, per_step: int, start: int, data: st.DataObject
) -> None:
    streams = Streams(np.arange(seq_len * batch + 1 + more), seq_len, batch)
    per_pass = streams.windows_per_pass
    first = start // per_pass * per_pass
    limit = data.draw(st.sampled_from([-1, start + 1, start + 3, first + per_pass, first + 5 * per_pass]))
    assume(limit < 0 or limit > start)
    whole = whole_pass(streams, first, per_step, limit)
    resumed = whole_pass(streams, start, per_step, limit)
    expected, got = windows(whole)[start - first :], windows(resumed)
    assert len(got) == len(expected) == (first + per_pass if limit < 0 else min(limit, first + per_pass)) - start
    for (x, y, reset), (x_whole, y_whole, reset_whole) in zip(got, expected, strict=True):
        assert torch.equal(x, x_whole)
        assert torch.equal(y, y_whole)
        assert reset == reset_whole
    place, end = start, start + len(got)
    for chunk in resumed:
        place += len(chunk.resets_N)
        assert place % per_step == 0 or place == end, "a step ends at a multiple, at the pass's end or at the limit"
        assert len(chunk.resets_N) <= per_step


def test_the_next_pass_starts_anew_whatever_the_steps_length() -> None:
    streams = Streams(np.arange(23), 2, 1)  # eleven windows
    assert [len(chunk.resets_N) for chunk in whole_pass(streams, 0)] == [7, 4]
    second = whole_pass(streams, 11)
    assert [len(chunk.resets_N) for chunk in second] == [3, 7, 1]  # iterations 11-13, 14-20, 21
    assert windows(second)[0][0].flatten().tolist() == [0, 1]
    assert [reset for _, _, reset in windows(second)] == [True] + [False] * 10
    assert [len(chunk.resets_N) for chunk in whole_pass(streams, 0, limit=9)] == [7, 2]
    assert whole_pass(streams, 9, limit=9) == []


def test_a_chunk_does_not_share_memory_with_the_text() -> None:
    streams = Streams(np.arange(50), 3, 2)
    chunk = streams.chunk(0, 4)
    chunk.x_NTB.zero_()
    chunk.y_NTB.zero_()
    assert streams.chunk(0, 1).x_NTB[0, :, 0].tolist() == [0, 1, 2]
    assert streams.chunk(0, 1).y_NTB[0, :, 0].tolist() == [1, 2, 3]
    assert all(part.is_contiguous() for part in chunk)


@pytest.mark.parametrize(("seq_len", "batch"), [(1, 1), (1, 4), (6, 1), (5, 3)])
def test_the_smallest_text_is_one_window_and_the_next_character(seq_len: int, batch: int) -> None:
    enough = np.arange(seq_len * batch + 1)
    assert Streams(enough, seq_len, batch).windows_per_pass == 1
    with pytest.raises(ValueError, match=r"^`text` must have more than .*\(data\.text\)$") as error:
        Streams(enough[:-1], seq_len, batch)
    assert f"= {seq_len * batch} characters" in str(error.value)
    assert f"got '{seq_len * batch} characters'" in str(error.value)


# --- the datamodule ----------------------------------------------------------------------------------------------


def test_the_held_out_tail_is_never_trained_on(make_data: MakeData) -> None:
    data = make_data(val_fraction=0.2, seq_len=7, batch_size=3)
    assert data.train_text + data.held_out_text == TEXT
    assert len(data.held_out_text) == 200
    assert not set(data.train_text.split("\n")[:-1]) & set(data.held_out_text.split("\n")[:-1])
    read = windows(whole_pass(data.streams))
    for b in range(3):
        inputs = data.vocabulary.decode(torch.cat([x for x, _, _ in read])[:, b].numpy())
        targets = data.vocabulary.decode(torch.cat([y for _, y, _ in read])[:, b].numpy())
        assert inputs in data.train_text
        assert targets in data.train_text
        assert data.train_text.index(targets) == data.train_text.index(inputs) + 1


@pytest.mark.parametrize("val_streams", [1, 3, 64, 500])
def test_validation_covers_the_held_out_text(make_data: MakeData, val_streams: int) -> None:
    data = make_data(val_fraction=0.4, seq_len=7, val_streams=val_streams)
    held_out = data.vocabulary.encode(data.held_out_text)
    batches = list(data.val_dataloader())
    inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
    count = min(val_streams, 399)
    assert inputs.shape == targets.shape == (399 // count, count)
    assert all(len(x) <= 128 for x, _ in batches)
    length = 399 // count
    for b in range(count):
        assert inputs[:, b].tolist() == held_out[b * length : (b + 1) * length].tolist()
        assert targets[:, b].tolist() == held_out[b * length + 1 : (b + 1) * length + 1].tolist()
    lost = 399 - targets.numel()
    assert lost == 399 % count, "what does not fill a row of streams is all that is not scored"
    assert lost < count


def test_validation_needs_no_more_than_two_characters(make_data: MakeData) -> None:
    data = make_data("abcdefghij" * 2, val_fraction=0.1, seq_len=3)
    ((x, y),) = data.val_dataloader()
    assert data.vocabulary.decode(x.flatten().numpy()) == "i"
    assert data.vocabulary.decode(y.flatten().numpy()) == "j"


def test_the_facts_are_those_of_the_text(make_data: MakeData) -> None:
    text = "we saw Harry and met Harry. so Harry met Romeo and Romeo ran.\n" * 20 + "~" * 138
    data = make_data(text, seq_len=10, batch_size=2)
    assert "~" not in data.train_text
    facts = data.facts()
    assert facts["symbols"] == "".join(sorted(set(text)))
    assert facts["prompts"] == ["Har", "Rom"]
    assert facts["windows_per_pass"] == data.streams.windows_per_pass == (len(data.train_text) - 1) // 2 // 10
    judged = data.evaluation_data()
    assert (judged.train, judged.held_out) == (data.train_text, data.held_out_text)
    assert judged.prompts == ("Har", "Rom")


def test_provenance_names_the_text(make_data: MakeData, tmp_path: Path) -> None:
    record = make_data().provenance()
    assert record["name"] == "text.txt"
    assert record["sources"] == [str(tmp_path / "text.txt")]
    assert len(record["sha256"]) == 64


def test_a_text_is_made_ascii_before_it_is_cut(make_data: MakeData) -> None:
    data = make_data("\u201cCaf\u00e9\u201d\u2026 " * 50)
    assert data.train_text.startswith('"Cafe"... "Cafe"... ')
    assert len(data.train_text) + len(data.held_out_text) == 500


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        (" \n\t ", {}),
        ("\ue000\ue001" * 50, {}),  # nothing that has an ASCII form
        ("hello", {}),
        ("a", {"seq_len": 1}),
        ("too short by one" * 2, {"seq_len": 29}),
        ("long enough for one stream, not for four", {"seq_len": 10, "batch_size": 4}),
    ],
)
def test_a_text_that_is_empty_or_too_short_is_refused(make_data: MakeData, text: str, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"^`text` must .*\(data\.text\)$") as error:
        make_data(text, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seq_len", 0),
        ("seq_len", 2.5),
        ("batch_size", 0),
        ("val_fraction", 0.0),
        ("val_fraction", 1.0),
        ("val_fraction", "a"),
        ("val_fraction", 1e-6),
        ("windows_per_step", 0),
        ("val_streams", 0),
    ],
)
def test_sizes_out_of_range_are_refused(make_data: MakeData, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^`{name}` must .*\(data\.{name}\)$"):
        make_data(**{name: value})


def test_a_text_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\(data\.text"):
        CharRnnDataModule(text=str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match=r"\(data\.corpus"):
        CharRnnDataModule(corpus="none")
