"""The residual networks of SNGAN and WGAN-GP, for square images of side b * 2^k, b from 4 to 7."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import relu

from ganwise.networks.convolution import Conv2d, DoubledConv, HalvedConv
from ganwise.networks.labels import UNLABELED, Labeled, Labels, Stack
from ganwise.networks.pair import Generator, Networks, Prior
from ganwise.shapes import Shape, halvings_to_eight, sides, taper

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
    return Conv2d(inputs, outputs, 3, padding=1)


def _up(inputs: int, outputs: int, norm: Norm) -> Residual:
    """Doubles the side. The shortcut's 1x1 convolution comes before its upsampling: the same function, a quarter of the cost."""
    # the identity holds the place that doubling had in files of old versions, whose layers are named by their places
    branch = [*norm(inputs), nn.ReLU(), nn.Identity(), DoubledConv(inputs, outputs)]
    branch += [*norm(outputs), nn.ReLU(), _conv(outputs, outputs)]
    return Residual(Stack(*branch), nn.Sequential(Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2)))


def _down(inputs: int, outputs: int, norm: Norm, halve: bool, first: bool = False) -> Residual:
    """Halves the side, or keeps it. The first block reads pixels: nothing is rectified before its first convolution."""
    pool: list[nn.Module] = [nn.AvgPool2d(2)] if halve else []
    start: list[nn.Module] = [] if first else [*norm(inputs), nn.ReLU()]
    inner = outputs if first else inputs
    last = HalvedConv(inner, outputs) if halve else _conv(inner, outputs)
    branch = [*start, _conv(inputs, inner), *norm(inner), nn.ReLU(), last]
    change: list[nn.Module] = [Conv2d(inputs, outputs, 1)] if halve or inputs != outputs else []
    return Residual(Stack(*branch), nn.Sequential(*pool, *change))


def _rising(width: int, image: Shape, full_side: int, inputs: int, norm: Norm, last: list[nn.Module]) -> Stack:
    """From the numbers that the generator reads to an image; ``last`` normalizes its last maps."""
    levels = sides(image[1])
    bottom, channels = levels[0], taper(width, levels, full_side)
    start = [nn.Linear(inputs, channels[0] * bottom**2), nn.Unflatten(1, (channels[0], bottom, bottom))]
    blocks = [_up(*ends, norm) for ends in pairwise(channels)]
    return Stack(*start, *blocks, *last, nn.ReLU(), _conv(channels[-1], image[0]), nn.Tanh())


def _falling(width: int, image: Shape, full_side: int, plain: int, norm: Norm) -> tuple[nn.Sequential, int]:
    """From an image to features, and their number."""
    stages = halvings_to_eight(image[1])
    assert stages is not None, "build refuses other sides"
    smallest, halvings = stages
    after = [image[1] >> k for k in range(1, halvings + 1)] + [smallest] * plain  # sides after each block
    channels = taper(width, after, full_side)
    first = _down(image[0], channels[0], norm, halve=True, first=True)
    rest = [_down(*ends, norm, halve=i < halvings) for i, ends in enumerate(pairwise(channels), start=1)]
    return nn.Sequential(first, *rest, SumPool()), channels[-1]


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
    """One block for each doubling in G. In D one for each halving to at most 8, ``plain`` that keep the side, sum pooling.

    ``width`` channels in G and ``width * discriminator_ratio`` in D for maps up to ``full_side``, halved with each doubling.
    Source: miyato2018sngan, table 4 and the authors' code; gulrajani2017wgangp for layer normalization.
    """
    norms_g: dict[str, Norm] = {"batch": lambda c: [labels.normalize(c)], "none": lambda c: []}
    norms_d: dict[str, Norm] = {
        "batch": lambda c: [nn.BatchNorm2d(c)],
        "layer": lambda c: [nn.GroupNorm(1, c)],  # one group: normalized over channels and places, as layer normalization is
        "none": lambda c: [],
    }
    # the authors' last normalization does not depend on the class
    last: list[nn.Module] = [nn.BatchNorm2d(taper(width, [shape[1]], full_side)[0])] if generator_norm == "batch" else []
    rising = _rising(width, shape, full_side, labels.inputs(latent), norms_g[generator_norm], last)
    narrower = max(1, round(width * discriminator_ratio))
    trunk, features = _falling(narrower, labels.shape(shape), full_side, plain, norms_d[discriminator_norm])
    networks = Networks(Generator(rising, latent, prior, labels), labels.scorer(trunk, features, shape))
    for network in networks[:2]:
        initialize(network)
    return networks
