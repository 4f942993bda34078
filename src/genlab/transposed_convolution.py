"""A transposed convolution whose bias gets its gradient as a plain sum.

Where torch hands a transposed convolution to oneDNN, on a CPU, the gradient of its bias is slow, and a second thread
does not help: in the decoders of 28x28 images it takes longer than the gradients of the weight and the input together
(docs/adr/0009). Nothing else about the layer differs.

Axes: B batch, C channels, H rows, W columns.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvTranspose2d(nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` with a faster backward pass: the same arguments, parameters, names and maps.

    The convolution adds the bias, but outside the graph; ``_BiasGradient`` then puts it in. The gradients of input and
    weight are torch's own, so there are derivatives of every order. Where there is no bias to learn, on another device
    than a CPU and for an ``output_size`` it is torch's layer that works.
    """

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Maps (B, out_channels, H', W') for maps (B, in_channels, H, W), or both without B."""
        if self.bias is None or not self.bias.requires_grad or not torch.is_grad_enabled():
            return super().forward(input, output_size)
        if output_size is not None or input.device.type != "cpu":
            return super().forward(input, output_size)
        assert isinstance(self.padding, tuple)
        form = (self.stride, self.padding, self.output_padding, self.groups, self.dilation)
        maps = functional.conv_transpose2d(input, self.weight, self.bias.detach(), *form)
        learning: Tensor = _BiasGradient.apply(maps, self.bias)
        return learning


class _BiasGradient(torch.autograd.Function):
    """Maps (B, C, H, W) or (C, H, W) as they are, for a bias (C,) that is in them already."""

    @staticmethod
    def forward(maps: Tensor, bias: Tensor) -> Tensor:
        return maps

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.dtype = inputs[1].dtype
        ctx.mark_dirty(output)  # handed on, not copied, and whoever gets it may change it in place

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (maps,) = gradients
        sums = maps.sum((-2, -1))  # of each image first: threads share the images
        sums = sums.sum(0) if maps.ndim == 4 else sums
        return maps, sums.to(ctx.dtype)
