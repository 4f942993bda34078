"""Smoothness: how far, and how evenly, images change along a walk through latent space, in the judge's eyes."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from genlab.checks import at_least, one_of, refuse
from genlab.evaluation.image_data import ImageData, in_chunks, required
from genlab.evaluation.image_protocols import ImageModel
from genlab.evaluation.means import mean
from genlab.evaluation.walks import WAYS, walk


def path_figures(features: Tensor, steps: int) -> dict[str, Tensor]:
    """Figures of each path between neighbours, (walks, P - 1), from features (walks, (P - 1) * steps + 1, D).

    ``length`` is the sum of the distances of ``steps`` steps; ``direct`` the distance of the two ends; ``spread``
    the standard deviation of the steps over their mean, and ``largest`` the largest step over the length: both 0
    where nothing changes at all.
    """
    features = features.double()
    walks = len(features)
    sizes = (features[:, 1:] - features[:, :-1]).norm(dim=-1).reshape(walks, -1, steps)
    ends = features[:, ::steps]
    length = sizes.sum(dim=-1)
    some = length.clamp_min(torch.finfo(torch.float64).tiny)
    return {
        "length": length,
        "direct": (ends[:, 1:] - ends[:, :-1]).norm(dim=-1),
        "spread": sizes.std(dim=-1, correction=0) * steps / some,
        "largest": sizes.max(dim=-1).values / some,
    }


@dataclass(frozen=True, kw_only=True)
class PathLength:
    """Mean length of the path between two latent points, in the judge's features, over ``walks`` walks.

    The points are drawn from the prior or, with ``from_images``, are the encodings of test images.

    A walk goes through ``points`` points by ``steps`` steps between neighbours, ``way`` ``"linear"`` or
    ``"spherical"``. ``spread``, the variation of the step sizes within a path over their mean, is its abruptness (0:
    every step changes the image alike), and so is ``largest_step_share``, which is 1 / ``steps`` at best. ``detour``
    is all path lengths over the distances of their ends. The standard error compares walks.

    ``floor`` needs no model: real test images that fade into each other, pixel by pixel. Images are not rounded to
    8 bits here: steps are smaller than that.
    """

    name: ClassVar[str] = "path_length"
    points: int = 10
    steps: int = 100
    way: str = "linear"
    walks: int = 5
    from_images: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("points", self.points, 2, "evaluators.path_length.points")
        at_least("steps", self.steps, 2, "evaluators.path_length.steps")
        at_least("walks", self.walks, 1, "evaluators.path_length.walks")
        at_least("seed", self.seed, 0, "evaluators.path_length.seed")
        one_of("way", self.way, WAYS, "evaluators.path_length.way")
        if not isinstance(self.from_images, bool):
            raise refuse("from_images", "be true or false", self.from_images, "evaluators.path_length.from_images")

    def __call__(self, model: ImageModel, data: ImageData) -> dict[str, Any]:
        """Let ``model`` decode the walks, and the judge look at them.

        Raises ``ValueError`` for encodings of a model without an encoder, or of fewer images than a walk has points.
        """
        judge = data.judged_by()
        latents = self._encoded(model, data) if self.from_images else model.draw_latents(self._count, seed=self.seed)
        images = model.decode(self._walks(latents, self.way).flatten(0, 1)).detach()
        return {
            "unit": "feature distance",
            "seed": self.seed,
            **self._figures(images, data),
            "points": self.points,
            "steps": self.steps,
            "way": self.way,
            "walks": len(latents) // self.points,
            "from_images": self.from_images,
            "floor": self._crossfades(data),
            **judge,
        }

    @property
    def _count(self) -> int:
        """The points of all walks."""
        return self.walks * self.points

    def _encoded(self, model: ImageModel, data: ImageData) -> Tensor:
        """The means of the latents (walks * P, L) of test images, for as many walks as there are images for."""
        path = "evaluators.path_length.from_images"
        if (encode := getattr(model, "encode", None)) is None:
            raise refuse("from_images", "be false for a model without an encoder", self.from_images, path)
        real = self._test_images(data)
        if not len(real):
            raise refuse("from_images", f"be false with fewer than {self.points} test images", self.from_images, path)
        mu: Tensor = encode(real)[0].detach()
        return mu

    def _test_images(self, data: ImageData) -> Tensor:
        """Test images (N, C, H, W) for the points of whole walks; of all walks, where there are so many."""
        real = data.real("test", self._count, self.seed).floats()
        return real[: len(real) // self.points * self.points]

    def _walks(self, points: Tensor, way: str) -> Tensor:
        """The walks (walks, (P - 1) * steps + 1, L) through ``points`` (walks * P, L)."""
        return torch.stack([walk(part, self.steps, way) for part in torch.split(points, self.points)])

    def _crossfades(self, data: ImageData) -> dict[str, Any] | None:
        """The figures of as many walks through real test images as there are images for; None if for none."""
        whole = self._test_images(data)
        if not len(whole):
            return None
        faded = self._walks(whole.flatten(1), "linear").flatten(0, 1)
        return self._figures(faded.reshape(-1, *whole.shape[1:]), data)

    def _figures(self, images: Tensor, data: ImageData) -> dict[str, Any]:
        each = (self.points - 1) * self.steps + 1
        features = in_chunks(required(data.judge).embed, images)
        figures = path_figures(features.reshape(-1, each, features.shape[1]), self.steps)
        length, direct = figures["length"], figures["direct"]
        return {
            **mean(length.mean(dim=1)),
            "count": length.numel(),
            "mean_step": float(length.mean()) / self.steps,
            "spread": float(figures["spread"].mean()),
            "largest_step_share": float(figures["largest"].mean()),
            "detour": float(length.sum() / direct.sum()) if direct.sum() > 0 else None,
        }
