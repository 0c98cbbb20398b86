"""Maps of image networks: how they are doubled, halved and smoothed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganwise.networks.convolution import Geometry, convolve


class Binomial(nn.Module):
    """The filter [1, 3, 3, 1] / 8 along both sides, on each channel alone, with ``gain``.

    It is the bilinear [1, 2, 1] joined with the [1, 1] that doubling or halving takes. Source: karras2020stylegan2, appendix B.
    """

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", gain * torch.outer(row, row)[None, None], persistent=False)
        self.kernel: Tensor

    def on(self, x: Tensor) -> Tensor:
        """The kernel for each channel of x, (C, 1, 4, 4)."""
        return self.kernel.expand(x.shape[1], 1, 4, 4)


class Double(Binomial):
    """(B, C, H, W) to (B, C, 2H, 2W)."""

    def __init__(self) -> None:
        super().__init__(gain=4.0)  # three of four places are zeros before the filter

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.on(x), None, Geometry(2, 1, x.shape[1], transposed=True))


class Halve(Binomial):
    """(B, C, H, W) to (B, C, H/2, W/2)."""

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.on(x), None, Geometry(2, 1, x.shape[1]))


class Smooth(Binomial):
    """The filter alone; the side grows by 2 * padding - 3."""

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__(gain)
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        return convolve(x, self.on(x), None, Geometry(1, self.padding, x.shape[1]))
