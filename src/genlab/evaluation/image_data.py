"""The images behind a model, those that it makes, and how a classifier sees both; each computed once.

Axes: N images, C channels, H rows, W columns, D features, K classes.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from genlab.checks import one_of, refuse
from genlab.datasets.image_batches import as_floats
from genlab.evaluation.image_protocols import ImageModel, Judge, Steerable

SPLITS = ("train", "val", "test")
CHUNK = 64
"""Images that a network gets at once: their maps stay in a cache. Not a setting: no figure may depend on it."""

Remember = Callable[[Tensor, Callable[[], Tensor]], Tensor]
"""Gives the features of these images: as they are remembered, or as the call gives them, to be remembered."""


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images (N, C, H, W), uint8, and their labels (N,), int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def floats(self) -> Tensor:
        """The images as floats in [0, 1]."""
        return as_floats(self.images)


@dataclass(frozen=True, eq=False)
class Scored:
    """Images (N, C, H, W), uint8, as ``judge`` sees them; ``labels`` (N,) are the true ones, None if generated.

    ``remember`` may know the features from an earlier time.
    """

    images: Tensor
    labels: Tensor | None
    judge: Judge | None
    remember: Remember | None = None

    def __len__(self) -> int:
        return len(self.images)

    def floats(self) -> Tensor:
        """The images as floats in [0, 1]."""
        return as_floats(self.images)

    @cached_property
    def features(self) -> Tensor:
        """The judge's embedding (N, D), float32. Raises ValueError without a judge, or where it is not finite."""
        embed = required(self.judge).embed
        if self.remember is None:
            return in_chunks(embed, self.images)
        return self.remember(self.images, lambda: in_chunks(embed, self.images))

    @cached_property
    def probabilities(self) -> Tensor:
        """The judge's probabilities (N, K), float32. Raises ValueError as :attr:`features` does."""
        return in_chunks(required(self.judge).probabilities, self.images)

    @cached_property
    def read(self) -> Tensor:
        """The class (N,) that the judge takes each image for."""
        return self.probabilities.argmax(dim=1)


@dataclass(eq=False)
class ImageData:
    """A data set in its three splits, and the classifier (``judge``) that generated images are shown to.

    ``judge_sha256`` and ``judge_run`` say which one it is; ``witness`` is a second classifier, for what two must agree
    on; ``remember`` keeps what the judge sees in real images from one time to the next. ``warning`` is not empty where
    the data is a stand-in.
    """

    train: LabelledImages
    val: LabelledImages
    test: LabelledImages
    num_classes: int
    name: str
    warning: str = ""
    judge: Judge | None = None
    judge_sha256: str | None = None
    judge_run: str | None = None
    witness: Judge | None = None
    witness_sha256: str | None = None
    remember: Remember | None = None
    _kept: dict[Hashable, tuple[Any, Any]] = field(default_factory=dict, repr=False)

    def generated(self, model: ImageModel, count: int, seed: int) -> Scored:
        """``count`` images of ``model`` from ``seed``, rounded to 8 bits as on disk; the same object each time.

        Raises ValueError if the model gives another number of images, or some that are not finite.
        """
        key = ("generated", id(model), id(self.judge), count, seed)
        owners = (model, self.judge)
        return self._once(key, owners, lambda: Scored(_drawn(model, count, seed), None, self.judge))

    def asked(self, model: Steerable, count: int, seed: int) -> Scored:
        """``count`` images of ``model``, as many of each label, with the labels that were asked for."""
        labels = torch.arange(count) % model.num_labels
        key = ("generated", "asked", id(model), id(self.judge), count, seed)

        def make() -> Scored:
            latents = model.draw_latents(count, seed=seed, label=labels)
            return Scored(_decoded(model, latents), labels, self.judge)

        return self._once(key, (model, self.judge), make)

    def crossed(self, model: Steerable, count: int, styles: int, seed: int) -> Scored:
        """``count`` // ``styles`` identities with the same ``styles``, row by row; the labels are the rows' numbers.

        Identities and styles are drawn apart, so that no image is made of one latent point.
        """
        rows = count // styles
        key = ("generated", "crossed", id(model), id(self.judge), rows, styles, seed)

        def make() -> Scored:
            drawn = model.draw_latents(rows + styles, seed=seed)
            numbers = torch.arange(rows).repeat_interleave(styles)
            z = model.combine(drawn[numbers], drawn[rows:].repeat(rows, 1))
            return Scored(_decoded(model, z), numbers, self.judge)

        return self._once(key, (model, self.judge), make)

    def real(self, split: str, count: int | None = None, seed: int = 0) -> Scored:
        """The images of ``split`` ("train", "val" or "test"), or ``count`` of them drawn without replacement.

        All of them, in order, where ``count`` is None or there are no more than that; the same object each time.
        """
        return self.seen_by(self.judge, split, count, seed)

    def seen_by(self, judge: Judge | None, split: str, count: int | None = None, seed: int = 0) -> Scored:
        """As :meth:`real`, in the eyes of another judge: the classifier that is itself measured."""
        whole: LabelledImages = getattr(self, one_of("split", split, SPLITS, "evaluators"))
        remember = self.remember if judge is not None and judge is self.judge else None
        if count is None or count >= len(whole):
            key: Hashable = ("all", id(judge), split)
            return self._once(key, judge, lambda: Scored(whole.images, whole.labels, judge, remember))
        chosen = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))[:count]
        key = ("some", id(judge), split, count, seed)
        return self._once(key, judge, lambda: Scored(whole.images[chosen], whole.labels[chosen], judge, remember))

    def forget_generated(self) -> None:
        """Let go of all images that models have made; what judges saw in real ones stays."""
        self._kept = {key: kept for key, kept in self._kept.items() if not _is_generated(key)}

    def forget_judges(self) -> None:
        """Be as before any classifier was handed in."""
        self.judge = self.judge_sha256 = self.judge_run = self.witness = self.witness_sha256 = self.remember = None

    def judged_by(self) -> dict[str, Any]:
        """What a result says of its judge. Raises ValueError where there is none."""
        required(self.judge)
        return {"judge_sha256": self.judge_sha256}

    def _once(self, key: Hashable, owners: object, make: Callable[[], Scored]) -> Scored:
        if key not in self._kept:
            # The owners are kept too, so that no other object can get the id of one.
            self._kept[key] = (owners, make())
        scored: Scored = self._kept[key][1]
        return scored


def _is_generated(key: Hashable) -> bool:
    return isinstance(key, tuple) and key[0] == "generated"


class JudgeMissing(ValueError):
    """A measure needs a classifier, and none was given."""


def required(judge: Judge | None) -> Judge:
    """``judge``. Raises JudgeMissing, a ValueError, if there is none."""
    if judge is None:
        raise JudgeMissing(str(refuse("judge", "be a classifier's run", None, "judge")))
    return judge


def in_chunks(network: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """What ``network`` makes of images (N, C, H, W), floats in [0, 1] or uint8, ``CHUNK`` at a time.

    Raises ValueError if the result is not finite: no figure could be had from it.
    """
    with torch.no_grad():
        parts = [network(_floats(chunk)).float().cpu() for chunk in torch.split(images, CHUNK)]
    made = torch.cat(parts)
    if not made.isfinite().all():
        raise ValueError("`judge` must give finite figures; got some that are not (its checkpoint)")
    return made


def to_bytes(images: Tensor) -> Tensor:
    """Floats in [0, 1] as the nearest of 0 to 255; what lies outside is cut off."""
    return images.mul(255).round().clamp(0, 255).to(torch.uint8)


def _floats(images: Tensor) -> Tensor:
    return as_floats(images) if images.dtype == torch.uint8 else images


def _drawn(model: ImageModel, count: int, seed: int) -> Tensor:
    return _bytes_of(model.sample(count, seed=seed), count, "sample")


def _decoded(model: ImageModel, z: Tensor) -> Tensor:
    return _bytes_of(model.decode(z), len(z), "decode")


def _bytes_of(images: Tensor, count: int, made_by: str) -> Tensor:
    if len(images) != count:
        raise ValueError(f"`{made_by}` must return {count} images; got {len(images)} (model)")
    broken = count - int(images.isfinite().flatten(1).all(dim=1).sum())
    if broken:
        raise ValueError(f"`{made_by}` must return finite images; got {broken} of {count} that are not (model)")
    return to_bytes(images.detach().float().cpu())
