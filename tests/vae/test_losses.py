"""The parts of the bound against torch.distributions, in float64: sums over pixels and dimensions, never means."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from genlab.vae.losses import (
    bernoulli_log_likelihood,
    gaussian_log_density,
    gaussian_log_likelihood,
    kl,
    reparametrise,
)


def numbers(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=40)
@given(sizes, st.integers(1, 30), seeds, st.floats(0.01, 4))
def test_kl_is_that_of_two_gaussians_summed_over_dimensions(count: int, latent: int, seed: int, scale: float) -> None:
    mu, logvar = numbers(2, count, latent, seed=seed, scale=scale)
    prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    expected = kl_divergence(Normal(mu, (0.5 * logvar).exp()), prior).sum(-1)
    assert expected.shape == (count,)
    torch.testing.assert_close(kl(mu, logvar), expected, rtol=1e-9, atol=1e-9)


def test_kl_at_points_known_by_hand() -> None:
    zeros = torch.zeros(3, 4, dtype=torch.float64)
    assert kl(zeros, zeros).tolist() == [0, 0, 0]
    assert kl(zeros + 3, zeros).tolist() == [18, 18, 18], "four dimensions, each mu^2 / 2"
    expected = 4 * 0.5 * (math.e - 2)
    torch.testing.assert_close(kl(zeros, zeros + 1), torch.full((3,), expected, dtype=torch.float64))


@settings(max_examples=40)
@given(sizes, st.integers(1, 6), st.integers(1, 6), seeds, st.floats(0.01, 30))
def test_the_bernoulli_likelihood_is_a_sum_over_pixels(
    count: int, height: int, width: int, seed: int, scale: float
) -> None:
    logits = numbers(count, 1, height, width, seed=seed, scale=scale)
    x = (numbers(count, 1, height, width, seed=seed + 1) > 0).double()
    expected = Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
    # torch takes a softplus for its argument above 20, where it is 2e-9 more.
    torch.testing.assert_close(bernoulli_log_likelihood(logits, x), expected, rtol=1e-9, atol=36 * 2.1e-9)


@pytest.mark.parametrize(("logit", "pixel", "expected"), [(30, 1, 0), (-30, 1, -30), (30, 0, -30), (-30, 0, 0)])
def test_a_pixel_that_is_surely_wrong_costs_its_logit_and_has_a_gradient(logit: int, pixel: int, expected: int) -> None:
    logits = torch.full((1, 1, 1, 1), logit, dtype=torch.float32, requires_grad=True)
    value = bernoulli_log_likelihood(logits, torch.full((1, 1, 1, 1), float(pixel)))
    assert value.item() == pytest.approx(expected, abs=1e-6)
    value.sum().backward()
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(0 if expected == 0 else (1 if pixel else -1), abs=1e-6)


def test_gray_pixels_mix_the_two_logarithms() -> None:
    logits, x = numbers(3, 1, 4, 4), torch.rand(3, 1, 4, 4, dtype=torch.float64)
    p = logits.sigmoid()
    expected = (x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3))
    torch.testing.assert_close(bernoulli_log_likelihood(logits, x), expected)


@settings(max_examples=40)
@given(sizes, st.integers(1, 6), st.integers(1, 6), seeds, st.floats(-5, 5))
def test_the_gaussian_likelihood_is_a_sum_over_pixels(
    count: int, height: int, width: int, seed: int, logvar: float
) -> None:
    mean, x = numbers(2, count, 1, height, width, seed=seed)
    expected = Normal(mean, math.exp(0.5 * logvar)).log_prob(x).sum((1, 2, 3))
    found = gaussian_log_likelihood(mean, x, torch.tensor(logvar, dtype=torch.float64))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_the_likeliest_variance_is_the_mean_square_of_the_errors() -> None:
    mean, x = numbers(2, 6, 1, 5, 5)
    logvar = (x - mean).square().mean().log().requires_grad_()
    gaussian_log_likelihood(mean, x, logvar).sum().backward()
    assert logvar.grad is not None
    assert logvar.grad.item() == pytest.approx(0, abs=1e-9)


@settings(max_examples=40)
@given(sizes, st.integers(1, 9), seeds)
def test_the_density_is_that_of_a_gaussian(count: int, latent: int, seed: int) -> None:
    z, mu, logvar = numbers(3, count, latent, seed=seed)
    expected = Normal(mu, (0.5 * logvar).exp()).log_prob(z).sum(-1)
    torch.testing.assert_close(gaussian_log_density(z, mu, logvar), expected, rtol=1e-9, atol=1e-9)


def test_axes_before_the_batch_are_kept() -> None:
    """Several draws of each image: one sum for each draw and image, over pixels or latent dimensions alone."""
    mean, x = numbers(5, 3, 1, 2, 4), (numbers(5, 3, 1, 2, 4, seed=1) > 0).double()
    draw_by_draw = [bernoulli_log_likelihood(mean[draw], x[draw]) for draw in range(5)]
    torch.testing.assert_close(bernoulli_log_likelihood(mean, x), torch.stack(draw_by_draw))
    logvar = torch.tensor(0.3, dtype=torch.float64)
    expected = Normal(mean, (0.5 * logvar).exp()).log_prob(x).sum((-3, -2, -1))
    torch.testing.assert_close(gaussian_log_likelihood(mean, x, logvar), expected)
    z, mu, logvar = numbers(3, 5, 3, 4)
    q = Normal(mu, (0.5 * logvar).exp())
    torch.testing.assert_close(gaussian_log_density(z, mu, logvar), q.log_prob(z).sum(-1))
    torch.testing.assert_close(kl(mu, logvar), kl_divergence(q, Normal(torch.zeros_like(mu), 1)).sum(-1))


def test_one_image_is_compared_with_many_decodings() -> None:
    logits, x = numbers(7, 1, 4, 4), (numbers(1, 4, 4, seed=1) > 0).double()
    many = bernoulli_log_likelihood(logits, x.expand(7, 1, 4, 4))
    assert torch.equal(bernoulli_log_likelihood(logits, x), many)


def test_a_draw_has_the_mean_and_the_variance_that_it_was_given() -> None:
    mu, logvar = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.0, -1.0, 1.5])
    noise = torch.randn(40_000, 3, generator=torch.Generator().manual_seed(0))
    draws = reparametrise(mu, logvar, noise)
    sigma = (0.5 * logvar).exp()
    assert ((draws.mean(0) - mu).abs() < 5 * sigma / 200).all()
    assert ((draws.var(0) / sigma**2 - 1).abs() < 5 * math.sqrt(2) / 200).all()
    assert torch.equal(reparametrise(mu, logvar, torch.zeros(3)), mu)


def test_gradients_flow_through_a_draw() -> None:
    """dz/dmu = 1 and dz/dlogvar = noise * sigma / 2."""
    mu, logvar, noise = (each.clone().requires_grad_() for each in numbers(3, 4, 2))
    gradients = torch.autograd.grad(reparametrise(mu, logvar, noise).sum(), (mu, logvar))
    torch.testing.assert_close(gradients[0], torch.ones_like(mu))
    torch.testing.assert_close(gradients[1], (noise * 0.5 * (0.5 * logvar).exp()).detach())
