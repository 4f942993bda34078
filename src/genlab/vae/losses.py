"""The evidence lower bound of a variational autoencoder and its parts (Kingma and Welling 2014, arXiv 1312.6114).

All are in nats an image: sums over pixels or latent dimensions, never means. Axes: B batch, C channels, H rows,
W columns, Z latent; leading axes before B are allowed.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

LIKELIHOODS = ("bernoulli", "gaussian")
LOG_2PI = math.log(2 * math.pi)


def bernoulli_log_likelihood(logits_BCHW: Tensor, x_BCHW: Tensor) -> Tensor:
    """The log-likelihood of pixels that are independent coins, summed over pixels: (B,).

    For grayscale ``x`` in (0, 1) this is the cross-entropy, which is no likelihood: make images binary first to
    compare it with published figures.
    """
    # log sigmoid(l) = -softplus(-l), and log(1 - sigmoid(l)) = -softplus(l): their mix by x, broadcast.
    return (x_BCHW * logits_BCHW - F.softplus(logits_BCHW)).flatten(-3).sum(-1)


def gaussian_log_likelihood(mean_BCHW: Tensor, x_BCHW: Tensor, logvar: Tensor) -> Tensor:
    """The log-likelihood of pixels that are Gaussians of variance exp(``logvar``), summed over pixels: (B,)."""
    squares = (x_BCHW - mean_BCHW) ** 2 * torch.exp(-logvar)
    return -0.5 * (squares + logvar + LOG_2PI).flatten(-3).sum(-1)


def kl(mu_BZ: Tensor, logvar_BZ: Tensor) -> Tensor:
    """KL(q(z | x) || N(0, I)) in closed form, summed over latent dimensions: (B,).

    Kingma and Welling 2014, appendix B.
    """
    return 0.5 * (mu_BZ**2 + logvar_BZ.exp() - 1 - logvar_BZ).sum(-1)


def gaussian_log_density(z_BZ: Tensor, mu_BZ: Tensor, logvar_BZ: Tensor) -> Tensor:
    """The log-density N(z; mu, exp(logvar)), summed over latent dimensions: (B,)."""
    squares = (z_BZ - mu_BZ) ** 2 * torch.exp(-logvar_BZ)
    return -0.5 * (squares + logvar_BZ + LOG_2PI).sum(-1)


def reparametrise(mu_BZ: Tensor, logvar_BZ: Tensor, noise_BZ: Tensor) -> Tensor:
    """Return z = mu + sigma * noise: a draw from q(z | x) through which gradients flow (B, Z)."""
    return mu_BZ + torch.exp(0.5 * logvar_BZ) * noise_BZ
