"""Fully connected layers whose products in float32 are computed by the library that is the faster on this processor."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ganwise import processor
from ganwise.networks.convolution import twice

LEAST = 2**15
"""Weights from which on oneDNN was the faster: at 64 x 256 both took .024 ms, at 256 x 256 .089 and .055."""


class Linear(nn.Linear):
    """torch's layer, (B, inputs) to (B, outputs)."""

    def forward(self, input: Tensor) -> Tensor:
        # what is differentiated twice is left to torch, which then spares the gradients that nobody asks for
        if not elsewhere() or twice.get() or not _plain(input, self.weight):
            return linear(input, self.weight, self.bias)
        return _linear(input, self.weight, self.bias)


@cache
def elsewhere() -> bool:
    """Whether oneDNN multiplies float32 faster than what torch takes, MKL: on AMD's processors, 2.2 times."""
    mkl, onednn = torch.backends.mkl.is_available(), torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return bool(mkl and onednn and hasattr(torch.ops.mkldnn, "_linear_pointwise") and "AMD" in processor.name())


def _plain(x: Tensor, weight: Tensor) -> bool:
    alike = x.dim() == 2 and x.dtype == weight.dtype == torch.float32 and x.device.type == "cpu"
    return alike and not torch.is_autocast_enabled("cpu") and weight.numel() >= LEAST and not torch.compiler.is_compiling()


def _product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b' + bias, of any strides, by oneDNN."""
    found: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return found


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        multiply = (lambda a, b: a @ b.t()) if torch.is_grad_enabled() else _product
        gx = multiply(back, weight.t()) if to_x else None
        gw = multiply(back.t(), x.t()) if to_weight else None
        return gx, gw, back.sum(0) if to_bias else None


_linear: Callable[..., Tensor] = _Linear.apply
