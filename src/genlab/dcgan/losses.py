"""What the two networks of a GAN minimise, from logits: means over the batch, in nats where they are entropies.

``real_logits`` and ``fake_logits`` (B,) are the discriminator's on real and on generated images.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from genlab.checks import one_of

LOSSES = ("non_saturating", "hinge", "wgan_gp")


class DiscriminatorLoss(NamedTuple):
    """The discriminator's loss on real and on generated images; it minimises their sum."""

    real: Tensor
    fake: Tensor


def discriminator_loss(name: str, real_logits: Tensor, fake_logits: Tensor) -> DiscriminatorLoss:
    """The two parts of the discriminator's loss.

    ``non_saturating`` is the cross-entropy of Goodfellow et al. 2014 (arXiv 1406.2661), -log sigmoid(real) and
    -log(1 - sigmoid(fake)); ``hinge`` that of Lim and Ye 2017 (arXiv 1705.02894); ``wgan_gp`` the critic's of
    Gulrajani et al. 2017 (arXiv 1704.00028) without its penalty. Raises ``ValueError`` for another name.
    """
    if one_of("loss", name, LOSSES, "model.loss") == "non_saturating":
        return DiscriminatorLoss(F.softplus(-real_logits).mean(), F.softplus(fake_logits).mean())
    if name == "hinge":
        return DiscriminatorLoss(F.relu(1 - real_logits).mean(), F.relu(1 + fake_logits).mean())
    return DiscriminatorLoss(-real_logits.mean(), fake_logits.mean())


def generator_loss(name: str, fake_logits: Tensor) -> Tensor:
    """What the generator minimises: -log sigmoid(fake) for ``non_saturating``, -fake for the two others.

    The non-saturating form has a gradient where the discriminator is sure; log(1 - sigmoid(fake)) has none there.
    Raises ``ValueError`` for another name.
    """
    if one_of("loss", name, LOSSES, "model.loss") == "non_saturating":
        return F.softplus(-fake_logits).mean()
    return -fake_logits.mean()


def gradient_penalty(
    discriminator: Callable[[Tensor], Tensor],
    real_BCHW: Tensor,
    fake_BCHW: Tensor,
    share_B: Tensor,
    channels: int | None = None,
) -> Tensor:
    """Mean of (|gradient| - 1)^2 at points between real and generated images (Gulrajani et al. 2017, equation 3).

    ``share_B`` in [0, 1] says how much of each point is real. The images are the first ``channels`` (all, for None);
    what else a discriminator is shown, such as a label, stays as it is beside the real image. With batch norm in the
    discriminator, as here, the gradient of one image's logit is taken through the batch's statistics too; the paper
    uses none.
    """
    share_B111 = share_B.view(-1, 1, 1, 1)
    between = share_B111 * real_BCHW[:, :channels] + (1 - share_B111) * fake_BCHW[:, :channels]
    norms_B: Tensor = _gradients(discriminator, between, real_BCHW).norm(dim=1)
    return ((norms_B - 1) ** 2).mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real_BCHW: Tensor, channels: int | None = None) -> Tensor:
    """Mean of half the squared gradient at real images (Mescheder et al. 2018, arXiv 1801.04406, equation 9).

    The images are the first ``channels``, as in :func:`gradient_penalty`.
    """
    return 0.5 * (_gradients(discriminator, real_BCHW[:, :channels], real_BCHW) ** 2).sum(1).mean()


def _gradients(discriminator: Callable[[Tensor], Tensor], images_BCHW: Tensor, shown_BCHW: Tensor) -> Tensor:
    """The gradient of each image's logit, flat (B, pixels), itself differentiable.

    The discriminator sees the images with those channels of ``shown_BCHW`` that come after theirs.
    """
    images = images_BCHW.detach().requires_grad_()
    logits_B = discriminator(torch.cat([images, shown_BCHW[:, images.shape[1] :].detach()], dim=1))
    (gradient,) = torch.autograd.grad(logits_B.sum(), images, create_graph=True)
    return gradient.flatten(1)
