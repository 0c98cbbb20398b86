"""The residual networks of SNGAN and WGAN-GP, for square images of side b * 2^k, b from 4 to 7."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import relu

from ganwise.networks.labels import UNLABELED, Labeled, Labels, Stack
from ganwise.networks.maps import sides, taper
from ganwise.networks.pair import Generator, Networks, Prior
from ganwise.shapes import Shape

Norm = Callable[[int], list[nn.Module]]  # from channels to the layers that normalize them, which may be none


class Residual(Labeled):
    """branch(x) + shortcut(x)."""

    def __init__(self, branch: Stack, shortcut: nn.Module) -> None:
        super().__init__()
        self.branch, self.shortcut = branch, shortcut

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        y: Tensor = self.branch(x, labels) + self.shortcut(x)
        return y


class SumPool(nn.Module):
    """Maps (B, C, H, W) to features (B, C): the sum over all places of what is positive."""

    def forward(self, x: Tensor) -> Tensor:
        return relu(x).sum((2, 3))


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _up(inputs: int, outputs: int, norm: Norm) -> Residual:
    """Doubles the side. The shortcut's 1x1 convolution comes before its upsampling: the same function, a quarter of the cost."""
    branch = [*norm(inputs), nn.ReLU(), nn.Upsample(scale_factor=2), _conv(inputs, outputs)]
    branch += [*norm(outputs), nn.ReLU(), _conv(outputs, outputs)]
    return Residual(Stack(*branch), nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2)))


def _down(inputs: int, outputs: int, norm: Norm, halve: bool, first: bool = False) -> Residual:
    """Halves the side, or keeps it. The first block reads pixels: nothing is rectified before its first convolution."""
    pool: list[nn.Module] = [nn.AvgPool2d(2)] if halve else []
    start: list[nn.Module] = [] if first else [*norm(inputs), nn.ReLU()]
    inner = outputs if first else inputs
    branch = [*start, _conv(inputs, inner), *norm(inner), nn.ReLU(), _conv(inner, outputs), *pool]
    change: list[nn.Module] = [nn.Conv2d(inputs, outputs, 1)] if halve or inputs != outputs else []
    return Residual(Stack(*branch), nn.Sequential(*pool, *change))


def initialize(network: nn.Module) -> None:
    """Xavier uniform, with gain sqrt 2 inside the branches; biases 0. Source: miyato2018sngan, the authors' code."""
    inside = {id(layer) for block in network.modules() if isinstance(block, Residual) for layer in block.branch.modules()}
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight, gain=2**0.5 if id(layer) in inside else 1.0)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def resnet(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 128,
    width: int = 256,
    discriminator_ratio: float = 0.5,
    full_side: int = 32,
    plain: int = 2,
    generator_norm: Literal["batch", "none"] = "batch",
    discriminator_norm: Literal["none", "batch", "layer"] = "none",
    prior: Prior = "normal",
) -> Networks:
    """One block for each doubling in G. D has one more, of which the last ``plain`` keep the side; then sum pooling.

    ``width`` channels in G and ``width * discriminator_ratio`` in D for maps up to ``full_side``, halved with each doubling.
    Source: miyato2018sngan, tables 4 to 6; gulrajani2017wgangp, appendix C.
    """
    norms_g: dict[str, Norm] = {"batch": lambda c: [labels.normalize(c)], "none": lambda c: []}
    norms_d: dict[str, Norm] = {
        "batch": lambda c: [nn.BatchNorm2d(c)],
        "layer": lambda c: [nn.GroupNorm(1, c)],  # one group: normalized over channels and places, as layer normalization is
        "none": lambda c: [],
    }
    norm_g, norm_d = norms_g[generator_norm], norms_d[discriminator_norm]
    levels = sides(shape[1])
    up = taper(width, levels, full_side)
    bottom, top = levels[0], up[0]
    generator: list[nn.Module] = [nn.Linear(labels.inputs(latent), top * bottom**2), nn.Unflatten(1, (top, bottom, bottom))]
    generator += [_up(inputs, outputs, norm_g) for inputs, outputs in pairwise(up)]
    last: list[nn.Module] = [nn.BatchNorm2d(up[-1])] if generator_norm == "batch" else []  # not by class: the authors' code
    generator += [*last, nn.ReLU(), _conv(up[-1], shape[0]), nn.Tanh()]

    halvings = max(1, len(levels) - plain)
    # each block gives the maps of the next smaller side; plain blocks those of the smallest that is reached
    reached = [levels[-2 - i] for i in range(halvings)] + [levels[-1 - halvings]] * (len(levels) - halvings)
    down = taper(max(1, round(width * discriminator_ratio)), reached, full_side)
    trunk: list[nn.Module] = [_down(labels.shape(shape)[0], down[0], norm_d, halve=True, first=True)]
    trunk += [_down(*ends, norm_d, halve=i < halvings) for i, ends in enumerate(pairwise(down), start=1)]
    networks = Networks(
        Generator(Stack(*generator), latent, prior, labels),
        labels.scorer(nn.Sequential(*trunk, SumPool()), down[-1], shape),
    )
    for network in networks[:2]:
        initialize(network)
    return networks
