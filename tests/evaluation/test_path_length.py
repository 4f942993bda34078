"""Path length: a model and a judge that are linear, one that jumps, and one that stands still."""

import math
from types import SimpleNamespace

import pytest
import torch

from genlab.evaluation.path_length import PathLength, path_figures
from genlab.evaluation.walks import walk


def test_even_steps_on_a_line_by_hand() -> None:
    features = torch.tensor([[0.0], [1.0], [2.0], [0.0], [-2.0]])[None]
    figures = path_figures(features, 2)
    assert figures["length"].tolist() == [[2, 4]]
    assert figures["direct"].tolist() == [[2, 4]]
    assert figures["spread"].tolist() == [[0, 0]]
    assert figures["largest"].tolist() == [[0.5, 0.5]]


def test_a_detour_and_uneven_steps_by_hand() -> None:
    figures = path_figures(torch.tensor([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])[None], 2)
    assert figures["length"].item() == 4
    assert figures["direct"].item() == pytest.approx(math.sqrt(10))
    assert figures["spread"].item() == pytest.approx(0.5), "steps of 3 and 1: deviation 1, mean 2"
    assert figures["largest"].item() == 0.75


def test_the_path_of_a_linear_model_is_the_distance(fakes: SimpleNamespace) -> None:
    model, data = fakes.LinearGaussian(latent_dim=3), fakes.image_data()
    result = PathLength(points=4, steps=20, walks=3, seed=5)(model, data)
    points = model.draw_latents(12, seed=5).reshape(3, 4, 3)
    apart = ((points[:, 1:] - points[:, :-1]) @ model.weight.T @ data.judge.weight).norm(dim=2)
    assert result["value"] == pytest.approx(float(apart.mean()), rel=1e-4)
    assert result["mean_step"] == pytest.approx(result["value"] / 20)
    assert result["standard_error"] == pytest.approx(float(apart.mean(dim=1).std()) / math.sqrt(3), rel=1e-3)
    assert result["spread"] == pytest.approx(0, abs=1e-3)
    assert result["largest_step_share"] == pytest.approx(1 / 20, rel=1e-3)
    assert result["detour"] == pytest.approx(1, rel=1e-4)
    assert result["count"] == 9, "paths, not walks"


def test_a_spherical_path_is_longer_than_the_straight_one(fakes: SimpleNamespace) -> None:
    model, data = fakes.LinearGaussian(latent_dim=3), fakes.image_data()
    result = PathLength(points=4, steps=20, walks=3, way="spherical")(model, data)
    assert result["detour"] > 1.05
    assert result["value"] > PathLength(points=4, steps=20, walks=3)(model, data)["value"]


def test_a_jump_is_the_most_abrupt_way(fakes: SimpleNamespace) -> None:
    class Jumps(fakes.Emits):  # type: ignore[misc, name-defined]
        def decode(self, z: torch.Tensor) -> torch.Tensor:
            ones = torch.ones(len(z), 1, fakes.SIDE, fakes.SIDE)
            return ones * (z[:, 0] > 0).float().reshape(-1, 1, 1, 1)

        def draw_latents(self, count: int, *, seed: int) -> torch.Tensor:
            return torch.tensor([-1.0, 1.0]).repeat(count)[:count, None] * torch.ones(2)

    data = fakes.image_data()
    result = PathLength(points=4, steps=26, walks=2)(Jumps(make=lambda count, seed: torch.empty(0)), data)
    assert result["spread"] == pytest.approx(5), "one step of 26 does it all: the root of 25"
    assert result["largest_step_share"] == 1
    assert result["detour"] == pytest.approx(1)
    assert result["value"] == pytest.approx(float(torch.ones(fakes.PIXELS).matmul(data.judge.weight).norm()), rel=1e-5)


def test_a_model_that_never_changes_has_no_path(fakes: SimpleNamespace) -> None:
    model = fakes.LinearGaussian()
    model.weight = torch.zeros_like(model.weight)
    result = PathLength(points=3, steps=5)(model, fakes.image_data())
    assert (result["value"], result["spread"], result["detour"]) == (0, 0, None)


def test_the_floor_fades_real_images_into_each_other(fakes: SimpleNamespace) -> None:
    data = fakes.image_data(test=25)
    floor = PathLength(points=10, steps=8, walks=5, seed=2)(fakes.LinearGaussian(), data)["floor"]
    real = data.real("test", 50, 2).features[:20].reshape(2, 10, -1)
    expected = (real[:, 1:] - real[:, :-1]).norm(dim=2).mean()
    assert floor["value"] == pytest.approx(float(expected), rel=1e-4)
    assert floor["count"] == 18, "25 images make two walks of ten"
    assert floor["spread"] == pytest.approx(0, abs=1e-3)
    assert PathLength(points=10)(fakes.LinearGaussian(), fakes.image_data(test=9))["floor"] is None


def test_images_on_the_way_are_not_rounded(fakes: SimpleNamespace) -> None:
    model = fakes.LinearGaussian(scale=0.001)
    result = PathLength(points=3, steps=50, walks=1)(model, fakes.image_data())
    assert 0 < result["value"] < 0.01
    assert result["spread"] < 0.1, "rounded to 8 bits, most steps would change nothing"


def test_the_walk_is_that_of_the_pictures(fakes: SimpleNamespace) -> None:
    model, data = fakes.LinearGaussian(), fakes.image_data()
    features = data.judge.embed(model.decode(walk(model.draw_latents(3, seed=1), 4)))
    expected = (features[1:] - features[:-1]).norm(dim=1).sum() / 2
    result = PathLength(points=3, steps=4, walks=1, seed=1)(model, data)
    assert result["value"] == pytest.approx(float(expected), rel=1e-5)
    assert result["standard_error"] is None


def test_a_walk_from_images_goes_by_their_encodings(fakes: SimpleNamespace) -> None:
    class Encodes(fakes.LinearGaussian):  # type: ignore[misc, name-defined]
        def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mu = x.flatten(1)[:, :3]
            return mu, torch.zeros_like(mu)

    model, data = Encodes(latent_dim=3), fakes.image_data(test=25)
    result = PathLength(points=4, steps=10, walks=3, from_images=True, seed=5)(model, data)
    points = model.encode(data.real("test", 12, 5).floats())[0].reshape(3, 4, 3)
    apart = ((points[:, 1:] - points[:, :-1]) @ model.weight.T @ data.judge.weight).norm(dim=2)
    assert result["value"] == pytest.approx(float(apart.mean()), rel=1e-4)
    assert (result["count"], result["walks"], result["from_images"]) == (9, 3, True)
    few = PathLength(points=10, steps=2, walks=5, from_images=True)(model, data)
    assert (few["count"], few["walks"]) == (18, 2), "25 images make two walks of ten"
    with pytest.raises(
        ValueError,
        match=r"`from_images` must be false with fewer than 30 test images; got True \(evaluators.path_length",
    ):
        PathLength(points=30, from_images=True)(model, data)
    with pytest.raises(ValueError, match=r"`from_images` must be false for a model without an encoder; got True"):
        PathLength(from_images=True)(fakes.Emits(make=lambda count, seed: torch.empty(0)), data)


@pytest.mark.parametrize(
    ("field", "value"), [("from_images", 1), ("points", 1), ("steps", 1), ("walks", 0), ("seed", -1), ("way", "round")]
)
def test_what_is_no_walk_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"`{field}` must be .*; got {value!r} \(evaluators.path_length.{field}"):
        PathLength(**{field: value})  # type: ignore[arg-type]
