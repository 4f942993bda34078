"""The losses against closed values, also where the discriminator is sure; penalties of discriminators known by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from genlab.dcgan.losses import LOSSES, discriminator_loss, generator_loss, gradient_penalty, r1_penalty
from genlab.dcgan.nets import Discriminator

FAR = math.log1p(math.exp(-30))  # 9.4e-14: what is lost on an image that is read rightly at 30


def logits(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def images(seed: int = 0, count: int = 6) -> Tensor:
    return torch.randn(count, 1, 28, 28, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- non-saturating ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("logit", "real", "fake"),
    [(0.0, math.log(2), math.log(2)), (30.0, FAR, 30 + FAR), (-30.0, 30 + FAR, FAR)],
)
def test_non_saturating_losses_have_their_closed_values(logit: float, real: float, fake: float) -> None:
    loss = discriminator_loss("non_saturating", logits(logit), logits(logit))
    assert loss._fields == ("real", "fake")
    assert loss.real.item() == pytest.approx(real, rel=1e-12)
    assert loss.fake.item() == pytest.approx(fake, rel=1e-12)
    assert generator_loss("non_saturating", logits(logit)).item() == pytest.approx(real, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("logit", [-100.0, -30.0, 0.0, 30.0])
def test_the_gradient_is_not_lost_where_the_other_side_is_sure(logit: float, dtype: torch.dtype) -> None:
    """The derivative of -log sigmoid(l) is -sigmoid(-l): -1 at -30, where a sigmoid in single precision is 0 or 1."""
    for loss in (
        lambda logit: generator_loss("non_saturating", logit),
        lambda logit: discriminator_loss("non_saturating", logit, logit.detach()).real,
    ):
        leaf = torch.tensor([logit], dtype=dtype, requires_grad=True)
        loss(leaf).backward()
        assert leaf.grad is not None
        assert leaf.grad.item() == pytest.approx(-1 / (1 + math.exp(logit)), rel=1e-6)
    leaf = torch.tensor([-logit], dtype=dtype, requires_grad=True)
    discriminator_loss("non_saturating", leaf.detach(), leaf).fake.backward()
    assert leaf.grad is not None
    assert leaf.grad.item() == pytest.approx(1 / (1 + math.exp(logit)), rel=1e-6)


@settings(max_examples=30)
@given(st.lists(st.floats(-8, 8), min_size=1, max_size=9), st.lists(st.floats(-8, 8), min_size=1, max_size=9))
def test_non_saturating_losses_are_cross_entropies_of_the_reports_sigmoid(real: list[float], fake: list[float]) -> None:
    of_real, of_fake = logits(*real), logits(*fake)
    loss = discriminator_loss("non_saturating", of_real, of_fake)
    ones, zeros = torch.ones_like(of_real), torch.zeros_like(of_fake)
    torch.testing.assert_close(loss.real, F.binary_cross_entropy(of_real.sigmoid(), ones), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(loss.fake, F.binary_cross_entropy(of_fake.sigmoid(), zeros), rtol=1e-9, atol=1e-9)
    fooled = F.binary_cross_entropy(of_fake.sigmoid(), torch.ones_like(of_fake))
    torch.testing.assert_close(generator_loss("non_saturating", of_fake), fooled, rtol=1e-9, atol=1e-9)


# --- the others --------------------------------------------------------------------------------------------------


def test_hinge_losses_have_their_closed_values() -> None:
    loss = discriminator_loss("hinge", logits(2, 1, 0.5, -3), logits(-2, -1, 0.5, 3))
    assert loss.real.item() == (0 + 0 + 0.5 + 4) / 4
    assert loss.fake.item() == (0 + 0 + 1.5 + 4) / 4
    assert generator_loss("hinge", logits(2, -1, 5)).item() == -2


def test_a_critic_is_judged_by_its_means() -> None:
    loss = discriminator_loss("wgan_gp", logits(2, 4), logits(-1, 7, 0))
    assert (loss.real.item(), loss.fake.item()) == (-3, 2)
    assert generator_loss("wgan_gp", logits(-1, 7, 0)).item() == -2


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_means_over_the_batch(name: str) -> None:
    real, fake = logits(0.3, -1.2, 4), logits(2, -0.1)
    once, twice = (
        discriminator_loss(name, *pair) for pair in ((real, fake), (torch.cat([real, real]), torch.cat([fake, fake])))
    )
    torch.testing.assert_close(twice, once)
    torch.testing.assert_close(generator_loss(name, torch.cat([fake, fake])), generator_loss(name, fake))


@pytest.mark.parametrize("name", ["bce", "non-saturating", None])
def test_another_loss_is_refused(name: str) -> None:
    for compute in (lambda: discriminator_loss(name, logits(0), logits(0)), lambda: generator_loss(name, logits(0))):
        with pytest.raises(ValueError, match=r"^`loss` must be one of non_saturating, .*\(model\.loss"):
            compute()


# --- penalties ---------------------------------------------------------------------------------------------------


class Linear(nn.Module):
    """Logits <w, x> + b, whose gradient is w at every image."""

    def __init__(self, length: float) -> None:
        super().__init__()
        w = torch.randn(28 * 28, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
        self.w = nn.Parameter(w * length / w.norm())
        self.b = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.w + self.b


@pytest.mark.parametrize("length", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("count", [1, 6])
def test_penalties_of_a_linear_discriminator(length: float, count: int) -> None:
    net, real, fake = Linear(length), images(0, count), images(1, count)
    share = torch.linspace(0, 1, count, dtype=torch.float64)
    penalty = gradient_penalty(net, real, fake, share)
    torch.testing.assert_close(penalty.item(), (length - 1) ** 2)
    (gradient,) = torch.autograd.grad(penalty, net.w)
    torch.testing.assert_close(gradient, 2 * (length - 1) * net.w.detach() / length)
    penalty = r1_penalty(net, real)
    torch.testing.assert_close(penalty.item(), 0.5 * length**2)
    (gradient,) = torch.autograd.grad(penalty, net.w)
    torch.testing.assert_close(gradient, net.w.detach())


def half_square(x: Tensor) -> Tensor:
    """Logits |x|^2 / 2, whose gradient is the image itself."""
    return 0.5 * x.flatten(1).square().sum(1)


def test_the_share_says_how_much_of_each_point_is_real() -> None:
    real, fake = images(0), images(1)
    share = torch.tensor([0, 1, 0.5, 0.25, 0.75, 1], dtype=torch.float64)
    norms = [(s * r + (1 - s) * f).norm().item() for s, r, f in zip(share, real, fake, strict=True)]
    expected = sum((norm - 1) ** 2 for norm in norms) / 6
    assert gradient_penalty(half_square, real, fake, share).item() == pytest.approx(expected, rel=1e-12)


def test_r1_is_taken_at_real_images_and_is_a_mean_over_them() -> None:
    real = images()
    expected = 0.5 * real.square().sum().item() / 6
    assert r1_penalty(half_square, real).item() == pytest.approx(expected, rel=1e-12)


def test_a_discriminator_that_is_flat_has_a_penalty_and_no_nan() -> None:
    net = Linear(1.0)
    net.w.data.zero_()
    penalty = gradient_penalty(net, images(0), images(1), torch.full((6,), 0.5, dtype=torch.float64))
    assert penalty.item() == 1
    (gradient,) = torch.autograd.grad(penalty, net.w)
    assert gradient.isfinite().all()


def test_what_is_shown_beside_an_image_is_not_penalised() -> None:
    """Logits |image|^2 / 2 + the image times its label's plane + a steep slope of the planes alone."""
    (real, fake), planes = (images(0), images(1)), images(2)
    share = torch.full((6,), 0.25, dtype=torch.float64)

    def logits(x: Tensor) -> Tensor:
        image, plane = x[:, :1].flatten(1), x[:, 1:].flatten(1)
        return (0.5 * image.square() + image * plane + 100 * plane).sum(1)

    shown_real, shown_fake = torch.cat([real, planes], 1), torch.cat([fake, planes.flip(0)], 1)
    norms = (0.25 * real + 0.75 * fake + planes).flatten(1).norm(dim=1)
    found = gradient_penalty(logits, shown_real, shown_fake, share, channels=1)
    assert found.item() == pytest.approx(((norms - 1) ** 2).mean().item(), rel=1e-12)
    expected = 0.5 * (real + planes).flatten(1).square().sum(1).mean().item()
    assert r1_penalty(logits, shown_real, channels=1).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("num_layers", [3, 4])
@pytest.mark.parametrize("name", ["gradient penalty", "r1"])
def test_penalties_reach_the_discriminators_weights_and_not_the_images(name: str, num_layers: int) -> None:
    torch.manual_seed(0)
    net = Discriminator(num_layers, dropout=0.2).double()
    real, fake = images(0).requires_grad_(), images(1).requires_grad_()
    if name == "r1":
        penalty = r1_penalty(net, real)
    else:
        penalty = gradient_penalty(net, real, fake, torch.rand(6, dtype=torch.float64))
    penalty.backward()
    assert real.grad is None
    assert fake.grad is None
    for part, parameter in net.named_parameters():
        if part.endswith("weight"):
            assert parameter.grad is not None, f"{part} has no gradient"
            assert parameter.grad.isfinite().all(), f"{part} has a gradient that is not finite"
            assert parameter.grad.count_nonzero() > 0, f"{part} has a gradient of zero"
