"""Encoder and decoder: their tables row by row, the order of layers, gradients, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from genlab.vae.losses import bernoulli_log_likelihood, kl, reparametrise
from genlab.vae.nets import Decoder, Encoder

ENCODER = [
    ("Conv2d", (64, 28, 28), 640),
    ("BatchNorm2d", (64, 28, 28), 256),
    ("Conv2d", (64, 14, 14), 36_928),
    ("BatchNorm2d", (64, 14, 14), 256),
    ("Conv2d", (128, 7, 7), 73_856),
    ("BatchNorm2d", (128, 7, 7), 512),
    ("Flatten", (6272,), 0),
    ("Linear", (100,), 627_300),
    ("Linear", (2,), 202),
    ("Linear", (2,), 202),
]
DECODER = [
    ("Linear", (100,), 300),
    ("Linear", (6272,), 633_472),
    ("Unflatten", (128, 7, 7), 0),
    ("ConvTranspose2d", (64, 14, 14), 131_136),
    ("BatchNorm2d", (64, 14, 14), 256),
    ("ConvTranspose2d", (64, 28, 28), 65_600),
    ("BatchNorm2d", (64, 28, 28), 256),
    ("ConvTranspose2d", (1, 28, 28), 577),
]


@pytest.mark.parametrize(
    ("title", "make", "shape", "expected"),
    [("encoder", Encoder, (2, 1, 28, 28), ENCODER), ("decoder", Decoder, (2, 2), DECODER)],
)
def test_a_network_is_that_of_its_table(
    title: str,
    make: Callable[[], nn.Module],
    shape: tuple[int, ...],
    expected: list,
    assert_table: Callable[..., None],
) -> None:
    """Batch norms are counted with their running statistics, as the report's tables do; its ReLUs have no rows."""
    assert_table(title, make(), torch.rand(shape), expected, leave_out=("ReLU",), running_statistics=True)


@pytest.mark.parametrize("latent_dim", [1, 2, 8, 20, 100])
def test_parameters_grow_with_the_latent_as_the_contract_says(latent_dim: int) -> None:
    """101 a dimension and head, 100 a dimension in the decoder; a batch norm is two numbers a channel here."""
    encoder = 640 + 128 + 36_928 + 128 + 73_856 + 256 + 627_300 + 2 * 101 * latent_dim
    decoder = 100 * latent_dim + 100 + 633_472 + 131_136 + 128 + 65_600 + 128 + 577
    assert sum(p.numel() for p in Encoder(latent_dim).parameters()) == encoder
    assert sum(p.numel() for p in Decoder(latent_dim).parameters()) == decoder


def test_layers_have_the_kernels_and_strides_of_the_contract() -> None:
    def forms(net: nn.Sequential, kind: type) -> list[tuple[int, int]]:
        return [(layer.kernel_size[0], layer.stride[0]) for layer in net if isinstance(layer, kind)]

    assert forms(Encoder().body, nn.Conv2d) == [(3, 1), (3, 2), (3, 2)]
    assert forms(Decoder().layers, nn.ConvTranspose2d) == [(4, 2), (4, 2), (3, 1)]
    for net in (Encoder().body, Decoder().layers):
        layers = list(net)
        assert [type(layers[i - 1]) for i, layer in enumerate(layers) if isinstance(layer, nn.BatchNorm2d)] == [
            nn.ReLU
        ] * sum(isinstance(layer, nn.BatchNorm2d) for layer in layers), "the activation belongs to the convolution"


def batch_norms_formats(net: nn.Module, x: Tensor) -> list[tuple[bool, bool]]:
    """Whether each batch norm's input and the gradient that comes back to it are channels last."""
    found = []

    def channels_last(x: Tensor) -> bool:
        return x.is_contiguous(memory_format=torch.channels_last)

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], maps: Tensor) -> None:
        last = channels_last(inputs[0])
        assert maps.grad_fn is not None
        maps.grad_fn.register_prehook(lambda gradients: found.append((last, channels_last(gradients[0]))))

    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_hook(note)
    y = net.to(memory_format=torch.channels_last)(x)
    (y if isinstance(y, Tensor) else torch.cat(y)).sum().backward()
    return found


@pytest.mark.parametrize(
    ("net", "shape", "count"), [(Encoder(), (2, 1, 28, 28), 3), (Decoder(), (2, 2), 2)], ids=["encoder", "decoder"]
)
def test_maps_and_their_gradients_stay_channels_last(net: nn.Module, shape: tuple[int, ...], count: int) -> None:
    """A batch norm whose gradient comes in another order than its input is slow by a factor of ten on a CPU."""
    assert batch_norms_formats(net, torch.randn(shape)) == [(True, True)] * count


@settings(max_examples=6)
@given(st.integers(1, 4), st.integers(1, 30))
def test_shapes_at_any_size(count: int, latent_dim: int) -> None:
    mu, logvar = Encoder(latent_dim)(torch.rand(count, 1, 28, 28))
    assert mu.shape == logvar.shape == (count, latent_dim)
    assert Decoder(latent_dim)(mu).shape == (count, 1, 28, 28)


@pytest.mark.parametrize("latent_dim", [1, 20])
def test_every_parameter_gets_a_finite_gradient(latent_dim: int) -> None:
    torch.manual_seed(0)
    encoder, decoder = Encoder(latent_dim), Decoder(latent_dim)
    x = torch.rand(4, 1, 28, 28).round()
    mu, logvar = encoder(x)
    z = reparametrise(mu, logvar, torch.randn_like(mu))
    (kl(mu, logvar) - bernoulli_log_likelihood(decoder(z), x)).mean().backward()
    for title, net in (("encoder", encoder), ("decoder", decoder)):
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, f"{title}.{name} has no gradient"
            assert parameter.grad.isfinite().all(), f"{title}.{name} has a gradient that is not finite"
            assert parameter.grad.count_nonzero() > 0, f"{title}.{name} has a gradient of zero"


@pytest.mark.parametrize("make", [Encoder, Decoder])
@pytest.mark.parametrize("latent_dim", [0, -2, 1.5, True, "2", None])
def test_a_latent_out_of_range_is_refused(make: Callable[..., nn.Module], latent_dim: Any) -> None:
    with pytest.raises(ValueError, match=r"^`latent_dim` must be an integer >= 1; .* \(model\.latent_dim\)$") as error:
        make(latent_dim)
    assert f"got {latent_dim!r} " in str(error.value)
