"""The two networks: their tables row by row, the order of layers, gradients, first weights, and what is refused."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from genlab.dcgan.losses import discriminator_loss, generator_loss
from genlab.dcgan.nets import Discriminator, Generator

GENERATOR = [
    ("Linear", (6272,), 633_472),
    ("BatchNorm2d", (128, 7, 7), 256),
    ("ConvTranspose2d", (64, 14, 14), 131_136),
    ("BatchNorm2d", (64, 14, 14), 128),
    ("ReLU", (64, 14, 14), 0),
    ("ConvTranspose2d", (64, 28, 28), 65_600),
    ("BatchNorm2d", (64, 28, 28), 128),
    ("ReLU", (64, 28, 28), 0),
    ("ConvTranspose2d", (1, 28, 28), 577),
    ("Tanh", (1, 28, 28), 0),
]
GENERATOR_OF_FOUR = [
    ("Linear", (2048,), 206_848),
    ("BatchNorm2d", (128, 4, 4), 256),
    ("ConvTranspose2d", (128, 7, 7), 147_584),
    ("BatchNorm2d", (128, 7, 7), 256),
    ("ReLU", (128, 7, 7), 0),
    *GENERATOR[2:],
]
DISCRIMINATOR = [
    ("Conv2d", (16, 14, 14), 160),
    ("LeakyReLU", (16, 14, 14), 0),
    ("Dropout", (16, 14, 14), 0),
    ("BatchNorm2d", (16, 14, 14), 32),
    ("Conv2d", (32, 7, 7), 4_640),
    ("LeakyReLU", (32, 7, 7), 0),
    ("Dropout", (32, 7, 7), 0),
    ("BatchNorm2d", (32, 7, 7), 64),
    ("Conv2d", (64, 4, 4), 18_496),
    ("LeakyReLU", (64, 4, 4), 0),
    ("Dropout", (64, 4, 4), 0),
    ("BatchNorm2d", (64, 4, 4), 128),
    ("Conv2d", (128, 2, 2), 73_856),
    ("LeakyReLU", (128, 2, 2), 0),
    ("Dropout", (128, 2, 2), 0),
    ("BatchNorm2d", (128, 2, 2), 256),
    ("Linear", (1,), 513),
]
DISCRIMINATOR_OF_THREE = [*DISCRIMINATOR[:12], ("Linear", (1,), 1_025)]


@pytest.mark.parametrize(("num_layers", "expected"), [(3, GENERATOR), (4, GENERATOR_OF_FOUR)])
def test_the_generator_is_that_of_its_table(num_layers: int, expected: list, assert_table: Callable[..., None]) -> None:
    net = Generator(num_layers=num_layers)
    assert_table(f"generator of {num_layers} layers", net, torch.randn(2, 100), expected, leave_out=("Unflatten",))
    assert sum(p.numel() for p in net.parameters()) == sum(count for *_, count in expected)


@pytest.mark.parametrize(("num_layers", "expected"), [(4, DISCRIMINATOR), (3, DISCRIMINATOR_OF_THREE)])
def test_the_discriminator_is_that_of_its_table(
    num_layers: int, expected: list, assert_table: Callable[..., None]
) -> None:
    net, x = Discriminator(num_layers, dropout=0.4), torch.randn(2, 1, 28, 28)
    assert_table(f"discriminator of {num_layers} layers", net, x, expected, leave_out=("Flatten",))
    assert sum(p.numel() for p in net.parameters()) == sum(count for *_, count in expected)


def test_layers_have_the_kernels_strides_and_slopes_of_the_contract() -> None:
    def form(layer: Any) -> tuple[int, int]:
        return layer.kernel_size[0], layer.stride[0]

    up = [form(layer) for layer in Generator(num_layers=4).layers if isinstance(layer, nn.ConvTranspose2d)]
    assert up == [(3, 2), (4, 2), (4, 2), (3, 1)]
    for num_layers in (3, 4):
        layers = list(Discriminator(num_layers, dropout=0.3).layers)
        assert [form(layer) for layer in layers if isinstance(layer, nn.Conv2d)] == [(3, 2)] * num_layers
        assert {layer.negative_slope for layer in layers if isinstance(layer, nn.LeakyReLU)} == {0.2}
        assert {layer.p for layer in layers if isinstance(layer, nn.Dropout)} == {0.3}


@settings(max_examples=8)
@given(st.integers(1, 5), st.integers(1, 130), st.sampled_from([3, 4]))
def test_images_are_in_the_range_of_tanh_and_logits_are_one_an_image(count: int, latent: int, layers: int) -> None:
    images = Generator(latent, layers)(torch.randn(count, latent))
    assert images.shape == (count, 1, 28, 28)
    assert images.abs().max() <= 1
    assert Discriminator(layers)(images).shape == (count,)


@pytest.mark.parametrize("init", ["normal", "xavier"])
@pytest.mark.parametrize(("generator_layers", "discriminator_layers"), [(3, 4), (4, 3)])
def test_every_parameter_gets_a_finite_gradient(generator_layers: int, discriminator_layers: int, init: str) -> None:
    torch.manual_seed(0)
    generator = Generator(8, generator_layers, init)
    discriminator = Discriminator(discriminator_layers, 0.2, init)
    fake = generator(torch.randn(4, 8))
    loss = discriminator_loss("non_saturating", discriminator(torch.randn(4, 1, 28, 28)), discriminator(fake))
    (loss.real + loss.fake + generator_loss("non_saturating", discriminator(fake))).backward()
    for net in (generator, discriminator):
        layers = dict(net.named_modules())
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, f"{name} has no gradient"
            assert parameter.grad.isfinite().all(), f"{name} has a gradient that is not finite"
            # What is added to a whole channel right before a batch norm is taken away by it.
            is_bias = name.endswith("bias") and isinstance(layers[name.rpartition(".")[0]], nn.ConvTranspose2d)
            assert is_bias or parameter.grad.count_nonzero() > 0, f"{name} has a gradient of zero"


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
    net.to(memory_format=torch.channels_last)(x).sum().backward()
    return found


@pytest.mark.parametrize(
    ("net", "shape", "count"),
    [
        (Generator(8, 3), (2, 8), 3),
        (Generator(8, 4), (2, 8), 4),
        (Discriminator(3), (2, 1, 28, 28), 3),
        (Discriminator(4), (2, 1, 28, 28), 4),
    ],
    ids=["generator of 3", "generator of 4", "discriminator of 3", "discriminator of 4"],
)
def test_maps_and_their_gradients_stay_channels_last(net: nn.Module, shape: tuple[int, ...], count: int) -> None:
    """A batch norm whose gradient comes in another order than its input is slow by a factor of ten on a CPU."""
    assert batch_norms_formats(net, torch.randn(shape)) == [(True, True)] * count


# --- first weights -----------------------------------------------------------------------------------------------


def weighted(net: nn.Module) -> list[tuple[str, Any]]:
    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    return [(name, layer) for name, layer in net.named_modules() if isinstance(layer, kinds)]


def nets(init: str) -> list[nn.Module]:
    torch.manual_seed(0)
    generators = [Generator(num_layers=number, init=init) for number in (3, 4)]
    return [*generators, *(Discriminator(number, init=init) for number in (3, 4))]


def test_normal_weights_have_a_standard_deviation_of_two_hundredths() -> None:
    """0.02 is the paper's standard deviation; as a variance it would be 0.14."""
    for net in nets("normal"):
        for name, layer in weighted(net):
            weight = layer.weight.detach()
            error = 0.02 / math.sqrt(weight.numel())
            assert abs(float(weight.mean())) < 5 * error, name
            assert abs(float(weight.square().mean().sqrt()) - 0.02) < 5 * error / math.sqrt(2), name


def test_xavier_weights_are_uniform_within_the_bound_of_glorot() -> None:
    for net in nets("xavier"):
        for name, layer in weighted(net):
            weight = layer.weight.detach()
            field = weight[0, 0].numel()
            bound = math.sqrt(6 / ((weight.shape[0] + weight.shape[1]) * field))
            assert float(weight.abs().max()) <= bound, name
            # A uniform variable's square has the variance 4/45 bound^4.
            error = bound**2 * math.sqrt(4 / 45 / weight.numel())
            assert abs(float(weight.square().mean()) - bound**2 / 3) < 5 * error, name


@pytest.mark.parametrize("init", ["normal", "xavier"])
def test_biases_start_at_zero_and_batch_norms_as_the_identity(init: str) -> None:
    for net in nets(init):
        assert all(not layer.bias.any() for _, layer in weighted(net))
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm2d):
                assert bool((layer.weight == 1).all())
                assert not layer.bias.any()


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "change", "path"),
    [
        (Generator, {"latent_dim": 0}, "model.latent_dim"),
        (Generator, {"latent_dim": -1}, "model.latent_dim"),
        (Generator, {"latent_dim": 2.5}, "model.latent_dim"),
        (Generator, {"latent_dim": True}, "model.latent_dim"),
        (Generator, {"num_layers": 2}, "model.generator.num_layers"),
        (Generator, {"num_layers": 5}, "model.generator.num_layers"),
        (Generator, {"num_layers": 3.0}, "model.generator.num_layers"),
        (Generator, {"num_layers": "3"}, "model.generator.num_layers"),
        (Generator, {"init": "xaver"}, "model.init; did you mean xavier?"),
        (Discriminator, {"num_layers": 2}, "model.discriminator.num_layers"),
        (Discriminator, {"num_layers": 5}, "model.discriminator.num_layers"),
        (Discriminator, {"num_layers": 4.0}, "model.discriminator.num_layers"),
        (Discriminator, {"num_layers": None}, "model.discriminator.num_layers"),
        (Discriminator, {"dropout": 1.0}, "model.dropout"),
        (Discriminator, {"dropout": -0.1}, "model.dropout"),
        (Discriminator, {"dropout": math.nan}, "model.dropout"),
        (Discriminator, {"init": None}, "model.init"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_path(
    make: Callable[..., nn.Module], change: dict[str, Any], path: str
) -> None:
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=rf"^`{name}` must ") as error:
        make(**change)
    message = str(error.value)
    assert message.endswith(f"({path})")
    assert repr(value) in message
    assert "\n" not in message
