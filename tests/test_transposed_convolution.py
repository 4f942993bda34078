"""The layer against torch's own, which has the same weights: maps, all gradients, gradients of gradients, and names."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from genlab.transposed_convolution import ConvTranspose2d

Gradients = dict[str, Tensor]

# In the units of the largest entry: of a gradient that is summed in another order, with 8 and 24 bits to a number.
TOLERANCES = {torch.bfloat16: 2**-6, torch.float32: 1e-5, torch.float64: 1e-12}
FORMATS = (torch.contiguous_format, torch.channels_last)


def pair(*arguments: Any, dtype: torch.dtype = torch.float64, **options: Any) -> tuple[nn.ConvTranspose2d, Any]:
    """Torch's layer and ours with the same weights."""
    torch.manual_seed(0)
    theirs = nn.ConvTranspose2d(*arguments, dtype=dtype, **options)
    ours = ConvTranspose2d(*arguments, dtype=dtype, **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def maps_and_gradients(layer: nn.Module, x: Tensor, upstream: Tensor) -> Gradients:
    x = x.detach().clone().requires_grad_()
    maps = layer(x)
    maps.backward(upstream)
    return {"maps": maps.detach(), "input": x.grad} | {name: p.grad for name, p in layer.named_parameters()}


def assert_same(ours: Gradients, theirs: Gradients, tolerance: float) -> None:
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        assert ours[name].dtype == expected.dtype, name
        scale = float(expected.abs().max())
        torch.testing.assert_close(
            ours[name], expected, rtol=0, atol=tolerance * scale, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("memory_format", FORMATS, ids=str)
@pytest.mark.parametrize(
    ("channels", "side", "kernel", "stride"),
    [((128, 64), 7, 4, 2), ((64, 64), 14, 4, 2), ((64, 1), 28, 3, 1), ((128, 128), 4, 3, 2)],
)
def test_the_layers_of_the_decoders_are_torchs(
    channels: tuple[int, int], side: int, kernel: int, stride: int, memory_format: Any, dtype: torch.dtype
) -> None:
    theirs, ours = pair(*channels, kernel, stride=stride, padding=1, dtype=dtype)
    x = torch.randn(3, channels[0], side, side, dtype=dtype).to(memory_format=memory_format)
    upstream = torch.randn_like(theirs(x))
    expected = maps_and_gradients(theirs.to(memory_format=memory_format), x, upstream)
    found = maps_and_gradients(ours.to(memory_format=memory_format), x, upstream)
    for name in ("maps", "input", "weight"):  # these are computed by the same calls
        assert torch.equal(found[name], expected[name]), name
    sums = upstream.double().sum((0, 2, 3))
    scale = float(upstream.double().square().sum((0, 2, 3)).sqrt().max())  # of the summands: a sum may be near zero
    for bias in (found["bias"], expected["bias"]):
        assert bias.dtype == dtype
        torch.testing.assert_close(bias.double(), sums, rtol=0, atol=TOLERANCES[dtype] * scale)


@st.composite
def forms(draw: Callable[..., Any]) -> tuple[tuple[int, int], dict[str, int], tuple[int, ...]]:
    """In and out channels, the convolution's options, and an input's shape, with a batch axis or without one."""
    groups, stride = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    channels = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    padding = draw(st.integers(0, 1))
    options = {
        "kernel_size": draw(st.integers(2 * padding + 1, 4)),
        "stride": stride,
        "padding": padding,
        "output_padding": draw(st.integers(0, stride - 1)),
        "groups": groups,
    }
    batch = draw(st.sampled_from([(), (1,), (3,)]))
    return channels, options, (*batch, channels[0], draw(st.integers(1, 6)), draw(st.integers(1, 6)))


@settings(max_examples=60, deadline=None)
@given(forms())
@example(((3, 2), {"kernel_size": 4, "stride": 2, "padding": 1}, (1, 3, 7, 5)))
def test_any_form_and_size_is_torchs(form: tuple[tuple[int, int], dict[str, int], tuple[int, ...]]) -> None:
    channels, options, shape = form
    theirs, ours = pair(*channels, **options)
    x = torch.randn(shape, dtype=torch.float64)
    upstream = torch.randn_like(theirs(x))
    assert_same(maps_and_gradients(ours, x, upstream), maps_and_gradients(theirs, x, upstream), 1e-12)


def test_finite_differences_agree_to_the_second_order() -> None:
    _, layer = pair(3, 2, 4, stride=2, padding=1)
    x = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)

    def maps(x: Tensor, weight: Tensor, bias: Tensor) -> Any:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,)).sin()

    arguments = (x, *(p.detach().clone().requires_grad_() for p in (layer.weight, layer.bias)))
    assert torch.autograd.gradcheck(maps, arguments)
    assert torch.autograd.gradgradcheck(maps, arguments)


def test_the_bias_gets_its_gradient_from_the_sum_and_not_from_the_convolution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """This is what the layer is for; on another device, or for an output size, all is left to torch."""
    _, layer = pair(2, 2, 4, stride=2)
    learns, call = [], functional.conv_transpose2d

    def spy(input: Tensor, weight: Tensor, bias: Tensor, *form: Any) -> Tensor:
        learns.append(bias.requires_grad)
        return call(input, weight, bias, *form)

    monkeypatch.setattr(functional, "conv_transpose2d", spy)
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64)
    layer(x)
    layer(x, [9, 9])
    assert layer.to("meta")(x.to("meta")).shape == (1, 2, 8, 8)
    with torch.no_grad():
        layer(x.to("meta"))
    assert learns == [False, True, True, True]


@pytest.mark.parametrize("options", [{}, {"bias": False}], ids=["frozen", "none"])
def test_without_a_bias_to_learn_the_rest_still_learns(options: dict[str, bool]) -> None:
    theirs, ours = pair(3, 2, 4, stride=2, padding=1, **options)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    upstream = torch.randn_like(theirs(x))
    found = {}
    for name, layer in (("theirs", theirs), ("ours", ours)):
        if layer.bias is not None:
            layer.bias.requires_grad_(False)
        layer(x).backward(upstream)
        found[name] = layer.weight.grad
        assert layer.bias is None or layer.bias.grad is None
    assert torch.equal(found["ours"], found["theirs"])


def test_under_autocast_the_parameters_keep_their_precision() -> None:
    theirs, ours = pair(8, 4, 4, stride=2, padding=1, dtype=torch.float32)
    x, upstream = torch.randn(5, 8, 7, 7), torch.randn(5, 4, 14, 14, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        expected = maps_and_gradients(theirs, x, upstream)
        found = maps_and_gradients(ours, x, upstream)
    assert found["maps"].dtype == torch.bfloat16
    assert found["bias"].dtype == torch.float32
    assert_same(found, expected, TOLERANCES[torch.bfloat16])


def test_what_comes_after_may_change_the_maps_in_place() -> None:
    theirs, ours = pair(3, 2, 4, stride=2, padding=1)
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    upstream = torch.randn_like(theirs(x))
    after = nn.ReLU(inplace=True)
    expected = maps_and_gradients(nn.Sequential(theirs, nn.ReLU()), x, upstream)
    assert_same(maps_and_gradients(nn.Sequential(ours, after), x, upstream), expected, 1e-12)


def test_it_is_a_transposed_convolution_of_torchs_in_name_weights_and_draws() -> None:
    layers = []
    for kind in (nn.ConvTranspose2d, ConvTranspose2d):
        torch.manual_seed(3)
        layers.append(kind(3, 2, 4, stride=2, padding=1))
    theirs, ours = layers
    assert isinstance(ours, nn.ConvTranspose2d)
    assert type(ours).__name__ == "ConvTranspose2d"
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, weight in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], weight)
    x = torch.randn(1, 3, 5, 5)
    assert torch.equal(copy.deepcopy(ours)(x), theirs(x))
