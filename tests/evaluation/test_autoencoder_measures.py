"""ELBO, importance-weighted bound, active units and reconstruction, against a linear model that is solved exactly."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from genlab.evaluation.active_units import ActiveUnits
from genlab.evaluation.elbo import Elbo
from genlab.evaluation.iw_bound import IwBound
from genlab.evaluation.reconstruction import Reconstruction, cross_entropies, squared_errors


@pytest.fixture
def data(fakes: SimpleNamespace) -> Any:
    return fakes.image_data()


def exact(model: Any, data: Any, count: int | None = None) -> float:
    return float(model.log_prob(data.real("test", count, 0).floats()).mean())


def test_the_bound_is_tight_where_the_posterior_is_right(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian()
    assert IwBound(count=200, k=1)(model, data)["value"] == pytest.approx(exact(model, data), abs=1e-3)
    assert IwBound(count=200, k=30)(model, data)["value"] == pytest.approx(exact(model, data), abs=1e-3)
    elbo = Elbo()(model, data)
    assert elbo["value"] == pytest.approx(exact(model, data), abs=4 * elbo["standard_error"] + 0.5)


def test_the_elbo_misses_by_the_divergence_of_the_posterior(fakes: SimpleNamespace, data: Any) -> None:
    """On average over latent points log p(x) - ELBO is KL(q || p(z | x)), in closed form for two Gaussians."""
    model = fakes.LinearGaussian(widen=1.5)
    values = [Elbo(seed=seed)(model, data)["value"] for seed in range(40)]
    missing = model.latent_dim * 0.5 * (1.5**2 - 1 - math.log(1.5**2))
    error = torch.tensor(values).std() / math.sqrt(40)
    assert sum(values) / 40 == pytest.approx(exact(model, data) - missing, abs=4 * float(error))


def test_more_latent_points_come_nearer_to_the_likelihood(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian(widen=1.8)
    results = {k: IwBound(count=200, k=k)(model, data) for k in (1, 4, 16, 64, 1000)}
    values = [result["value"] for result in results.values()]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(exact(model, data), abs=0.02)
    assert values[0] == pytest.approx(Elbo()(model, data)["value"], abs=0.8), "k = 1 is the ELBO on average"
    assert results[64]["gap"] == pytest.approx(results[64]["value"] - results[64]["elbo"])
    assert results[64]["gap"] > 0
    assert (results[64]["k"], results[64]["count"], results[64]["likelihood"]) == (64, 200, "gaussian")


def test_the_bound_is_that_of_a_sample_with_its_error(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian()
    result = IwBound(count=50, k=2)(model, data)
    scores = model.log_prob(data.real("test", 50, 0).floats())
    assert result["count"] == 50
    assert result["value"] == pytest.approx(float(scores.mean()), abs=1e-3)
    assert result["standard_error"] == pytest.approx(float(scores.std()) / math.sqrt(50), rel=1e-3)
    assert IwBound(count=5000, k=2)(model, data)["count"] == 200


def test_a_bound_without_value_has_no_gap(data: Any, monkeypatch: pytest.MonkeyPatch, fakes: SimpleNamespace) -> None:
    """Whichever of the two is no number, there is nothing to take the other from."""
    nothing = torch.full((50,), math.nan)
    for name, value in (("importance_weighted_bound", nothing), ("elbo", (nothing, nothing, nothing))):
        model = fakes.LinearGaussian()
        monkeypatch.setattr(model, name, lambda *_, value=value, **__: value)
        assert IwBound(count=50, k=2)(model, data)["gap"] is None, name


def test_the_chunk_of_latent_points_changes_nothing(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian(widen=1.8)
    values = [IwBound(count=9, k=20, chunk=chunk)(model, data)["value"] for chunk in (1, 7, 20, 99)]
    assert values == pytest.approx([values[0]] * 4, abs=1e-4)


def test_the_elbo_is_its_parts(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian(widen=1.2)
    result = Elbo(seed=4)(model, data)
    elbo, log_likelihood, kl = model.elbo(data.test.floats(), seed=4)
    assert result["value"] == pytest.approx(result["log_likelihood"] - result["kl"], abs=1e-4)
    assert result["kl"] == pytest.approx(float(kl.mean()), rel=1e-5)
    assert result["log_likelihood"] == pytest.approx(float(log_likelihood.mean()), rel=1e-5)
    assert result["standard_error"] == pytest.approx(float(elbo.std()) / math.sqrt(200), rel=1e-4)
    assert (result["likelihood"], result["binarize"], result["count"]) == ("gaussian", "none", 200)
    assert Elbo(seed=5)(model, data)["value"] != result["value"]


def test_units_that_stay_at_their_prior_are_not_active(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian(latent_dim=3)
    mu = torch.stack([torch.linspace(-1, 1, 200), torch.full((200,), 5.0), torch.linspace(0, 0.3, 200)], dim=1)
    model.encode = lambda x: (mu, torch.zeros_like(mu))
    result = ActiveUnits()(model, data)
    assert (result["value"], result["latent_dim"], result["count"]) == (1, 3, 200)
    assert result["variances"] == pytest.approx([2**2 / 12, 0.3**2 / 12, 0], rel=0.02, abs=1e-6)
    assert ActiveUnits(threshold=0.005)(model, data)["value"] == 2


def test_reconstruction_by_hand() -> None:
    images, others = torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[0.5, 0.25]]]])
    assert squared_errors(images, others).tolist() == [(0.25 + 0.5625) / 2]
    assert cross_entropies(images, others).item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_a_perfect_reconstruction_and_the_mean_image(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian()
    model.reconstruct = lambda x: x
    result = Reconstruction()(model, data)
    assert result["value"] == 0
    assert result["cross_entropy"] == pytest.approx(result["least_cross_entropy"]) != 0
    pixels = data.test.floats()
    expected = (pixels - data.train.floats().mean(dim=0)).square().mean()
    assert result["baseline"]["value"] == pytest.approx(float(expected), rel=1e-5)
    assert result["baseline"]["cross_entropy"] > result["cross_entropy"]
    assert Reconstruction()(fakes.LinearGaussian(), data)["value"] > 0


def test_a_model_that_is_not_finite_has_no_figures(fakes: SimpleNamespace, data: Any) -> None:
    model = fakes.LinearGaussian()
    model.centre = model.centre * float("nan")
    for measure in (Elbo(), IwBound(count=20, k=2), Reconstruction(), ActiveUnits()):
        assert measure(model, data)["value"] is None
    assert Elbo()(model, data)["not_finite"] == 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Elbo(seed=-1), r"`seed` must be an integer >= 0; got -1 \(evaluators.elbo.seed\)"),
        (lambda: IwBound(k=0), r"`k` must be an integer >= 1; got 0 \(evaluators.iw_bound.k\)"),
        (lambda: IwBound(chunk=0), r"`chunk` must be an integer >= 1; got 0 \(evaluators.iw_bound.chunk\)"),
        (lambda: ActiveUnits(threshold=-1), r"`threshold` must be a finite number > 0; got -1 \(evaluators.active"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
