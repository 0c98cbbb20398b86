"""Convolutions that cost less than torch's for the same sums: resampling folded in, and cheaper gradients where they are dear.

Everywhere else torch's own are called as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, conv_transpose2d, pad

twice: ContextVar[bool] = ContextVar("differentiated twice", default=False)


@contextmanager
def differentiated_twice() -> Iterator[None]:
    """Gradients of convolutions inside with respect to samples can be differentiated again, cheaply; those of weights can't.

    Torch takes the weight's gradient of a gradient as a convolution with a kernel as large as the map, and one group at a time.
    """
    token = twice.set(True)
    try:
        yield
    finally:
        twice.reset(token)


class Geometry(NamedTuple):
    """All of a convolution but its numbers; the same on both sides."""

    stride: int = 1
    padding: int = 0
    groups: int = 1
    transposed: bool = False
    output_padding: int = 0

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if self.transposed:
            return conv_transpose2d(x, weight, bias, self.stride, self.padding, self.output_padding, self.groups)
        return conv2d(x, weight, bias, self.stride, self.padding, groups=self.groups)

    def backward(self, wanted: list[bool], back: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients with respect to x, weight and bias, those that are wanted. Of x or weight unwanted only the shape is read."""
        stride, padding, beyond = [self.stride] * 2, [self.padding] * 2, [self.output_padding] * 2
        bias = [weight.shape[1] * self.groups if self.transposed else len(weight)]
        found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
            back, x, weight, bias, stride, padding, [1, 1], self.transposed, beyond, self.groups, wanted
        )
        return found


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """The convolution of x (B, C, H, W), in the run's precision, by whichever way is the fastest for its gradients."""
    if x.device.type == "cpu" and weight.shape[1] == 1 and geometry.groups > 1 and torch.is_autocast_enabled("cpu"):
        # a channel by itself: in bfloat16 oneDNN takes 15 ms for the way back of what takes .2 ms in float32
        with torch.autocast("cpu", enabled=False):
            y = convolve(x.float(), weight.float(), None if bias is None else bias.float(), geometry)
        return y.to(torch.get_autocast_dtype("cpu"))
    if not (torch.is_grad_enabled() and twice.get()):
        return geometry.forward(x, weight, bias)
    if torch.is_autocast_enabled(x.device.type):
        kind = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
    return _convolution(x, weight, bias, geometry)


class _Convolution(torch.autograd.Function):
    """y(x, w) + b, linear in x and in w."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return geometry.forward(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), geometry = ctx.saved_tensors, ctx.geometry
        if torch.is_grad_enabled():  # autograd can't say that a weight's gradient is not asked for: it is the user who says so
            return _to_input(back, x, weight, geometry), None, None, None
        return *geometry.backward(list(ctx.needs_input_grad[:3]), back, x, weight), None


class _ToInput(torch.autograd.Function):
    """The gradient at x, linear in ``back`` and in the weight; of x only the shape is read."""

    @staticmethod
    def forward(ctx: Any, back: Tensor, x: Tensor, weight: Tensor, geometry: Geometry) -> Tensor | None:
        ctx.save_for_backward(back, weight)
        ctx.geometry = geometry
        return geometry.backward([True, False, False], back, x, weight)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upon: Tensor) -> tuple[Tensor | None, ...]:
        (back, weight), geometry = ctx.saved_tensors, ctx.geometry
        to_back, _, to_weight, _ = ctx.needs_input_grad
        g = geometry.forward(upon, weight) if to_back else None
        w = geometry.backward([False, True, False], back, upon, weight)[1] if to_weight else None
        return g, None, w, None


_to_input: Callable[..., Tensor] = _ToInput.apply
_convolution: Callable[..., Tensor] = _Convolution.apply


class Conv2d(nn.Conv2d):
    """torch's layer, for square kernels, strides and paddings of zeros."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return convolve(input, weight, bias, Geometry(self.stride[0], int(self.padding[0]), self.groups))


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's layer, for square kernels, strides and paddings."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        beyond = int(self.output_padding[0])
        geometry = Geometry(self.stride[0], int(self.padding[0]), self.groups, True, beyond)
        return convolve(input, self.weight, self.bias, geometry)


class DoubledConv(nn.Conv2d):
    """A 3x3 convolution of the map doubled by nearest neighbors, (B, C, H, W) to (B, outputs, 2H, 2W).

    Neighbors that are equal share one place of a 4x4 kernel: a transposed convolution with 4/9 of the operations.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        # a transposed convolution runs over its kernel backward, and has its inputs first
        kernel = widened(self.weight.flip(2, 3)).transpose(0, 1)
        return convolve(input, kernel, self.bias, Geometry(2, 1, transposed=True))


class HalvedConv(nn.Conv2d):
    """A 3x3 convolution, then the mean of each 2x2, (B, C, H, W) to (B, outputs, H/2, W/2), with 4/9 of the operations."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        return convolve(input, widened(self.weight) / 4, self.bias, Geometry(2, 1))


def widened(kernel: Tensor) -> Tensor:
    """A kernel (O, I, 3, 3) and its copies moved by one place down, right and both, summed, (O, I, 4, 4)."""
    tall = pad(kernel, (0, 0, 0, 1)) + pad(kernel, (0, 0, 1, 0))
    return pad(tall, (0, 1)) + pad(tall, (1, 0))
