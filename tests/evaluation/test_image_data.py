"""The images behind a measure: what is kept, what is drawn, what is refused."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genlab.evaluation import image_data
from genlab.evaluation.image_data import to_bytes


def test_images_are_rounded_to_eight_bits_as_on_disk() -> None:
    levels = torch.tensor([0.0, 0.4 / 255, 0.6 / 255, 127.4 / 255, 1.0, -0.3, 1.7])
    assert to_bytes(levels).tolist() == [0, 0, 1, 127, 255, 0, 255]
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_bytes(every.float() / 255), every), "what was rounded once stays as it is"


def test_generated_images_are_drawn_once(fakes: SimpleNamespace) -> None:
    data = fakes.image_data()
    first, second = (fakes.Emits(lambda count, seed: torch.full((count, 1, 2, 2), seed / 255)) for _ in range(2))
    made = data.generated(first, 3, 7)
    assert data.generated(first, 3, 7) is made
    assert first.calls == [(3, 7)]
    assert made.images.dtype == torch.uint8
    assert made.images.unique().tolist() == [7]
    assert made.labels is None
    assert len({id(data.generated(first, *key)) for key in [(3, 7), (4, 7), (3, 8)]}) == 3
    assert data.generated(second, 3, 7) is not made
    data.judge = fakes.LinearJudge()
    assert data.generated(first, 3, 7) is not made, "another judge sees other features"


def test_a_model_lives_as_long_as_what_it_drew(fakes: SimpleNamespace) -> None:
    """Else another object might get its place in memory, by which its images are found again."""
    data, model = fakes.image_data(), fakes.Emits(lambda count, seed: torch.zeros(count, 1, 2, 2))
    data.generated(model, 3, 7)
    there = weakref.ref(model)
    del model
    gc.collect()
    assert there() is not None
    data.forget_generated()
    gc.collect()
    assert there() is None


def test_generated_images_can_be_forgotten_and_real_ones_stay(fakes: SimpleNamespace) -> None:
    data, model = fakes.image_data(), fakes.Steered()
    real = data.real("train")
    plain, crossed = data.generated(model, 4, 0), data.crossed(model, 4, 2, 0)
    assert data.generated(model, 4, 0) is plain
    assert data.crossed(model, 4, 2, 0) is crossed
    data.forget_generated()
    assert data.real("train") is real
    assert data.generated(model, 4, 0) is not plain
    assert data.crossed(model, 4, 2, 0) is not crossed


def test_features_are_computed_once_and_only_when_asked_for(fakes: SimpleNamespace) -> None:
    count = 2 * image_data.CHUNK + 3
    data = fakes.image_data(train=count)
    real = data.real("train")
    assert data.judge.calls == []
    assert real.features.shape == (count, 5)
    assert real.features is data.real("train").features
    assert data.judge.calls == [image_data.CHUNK, image_data.CHUNK, 3]
    assert not real.features.requires_grad


def test_what_the_judge_sees_in_real_images_may_be_remembered(fakes: SimpleNamespace) -> None:
    """And nothing else: not what is generated, nor what another classifier sees."""
    asked: list[int] = []
    data = fakes.image_data(train=30)
    data.remember = lambda images, see: asked.append(len(images)) or 2 * see()
    plain = image_data.in_chunks(data.judge.embed, data.train.images)
    assert torch.equal(data.real("train").features, 2 * plain)
    assert data.real("train", 20).features.shape == (20, 5)
    assert asked == [30, 20]
    model = fakes.Emits(lambda count, seed: torch.rand(count, 1, 6, 6, generator=fakes.generator(seed)))
    _ = data.generated(model, 10, 0).features, data.seen_by(fakes.LinearJudge(), "train").features
    assert asked == [30, 20]
    data.forget_judges()
    assert data.remember is None


def test_a_sample_is_drawn_without_replacement_by_its_seed(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(fakes.PixelJudge(), train=50)
    some = data.real("train", 20, seed=1)
    assert some is data.real("train", 20, seed=1)
    rows = {tuple(row.tolist()) for row in some.images.flatten(1)}
    assert len(rows) == 20
    assert rows <= {tuple(row.tolist()) for row in data.train.images.flatten(1)}
    assert rows != {tuple(row.tolist()) for row in data.real("train", 20, seed=2).images.flatten(1)}
    assert torch.equal(some.features, some.images.flatten(1).float()), "features belong to the images beside them"
    assert data.real("train", 99) is data.real("train"), "no more than there are"
    assert torch.equal(data.real("test").labels, data.test.labels)


def test_another_judge_can_be_asked(fakes: SimpleNamespace) -> None:
    data = fakes.image_data()
    other = fakes.PixelJudge()
    assert data.seen_by(other, "test").features.shape == (200, fakes.PIXELS)
    assert data.real("test").features.shape == (200, 5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda count, seed: torch.zeros(count + 1, 1, 2, 2), "`sample` must return 5 images; got 6"),
        (
            lambda count, seed: torch.tensor([0.0, float("nan"), 1.0, float("inf"), 0.5]).reshape(-1, 1, 1, 1),
            "`sample` must return finite images; got 2 of 5 that are not",
        ),
    ],
)
def test_a_generator_that_gives_something_else_is_refused(fakes: SimpleNamespace, make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        fakes.image_data().generated(fakes.Emits(make), 5, 0)
    assert "\n" not in str(error.value)


def test_a_decoder_that_gives_something_else_is_refused(
    fakes: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fakes.Steered()
    monkeypatch.setattr(model, "decode", lambda z: torch.zeros(len(z) - 1, 1, 2, 2))
    with pytest.raises(ValueError, match=r"^`decode` must return 4 images; got 3"):
        fakes.image_data().crossed(model, 4, 2, 0)


def test_a_missing_judge_a_broken_one_and_an_unknown_split_are_refused(fakes: SimpleNamespace) -> None:
    data = fakes.image_data()
    with pytest.raises(ValueError, match=r"`split` must be one of train, val, test; got 'tset' .*did you mean test"):
        data.real("tset")
    data.judge.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="`judge` must give finite figures"):
        data.real("test").features  # noqa: B018
    data.judge = None
    with pytest.raises(ValueError, match=r"`judge` must be a classifier's run; got None \(judge\)"):
        data.judged_by()
    with pytest.raises(ValueError, match=r"`judge` must be a classifier's run; got None \(judge\)"):
        data.real("test").probabilities  # noqa: B018


def test_the_judge_is_given_floats_in_the_unit_interval(fakes: SimpleNamespace) -> None:
    seen: list[Any] = []
    image_data.in_chunks(lambda x: seen.append(x) or x, torch.tensor([[0, 255], [51, 102]], dtype=torch.uint8))
    assert torch.allclose(torch.cat(seen), torch.tensor([[0.0, 1.0], [0.2, 0.4]]))
