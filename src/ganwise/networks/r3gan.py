"""R3GAN's networks: residual blocks with inverted bottlenecks, no normalization, no tricks; for images of side b * 2^k.

Given the weights of the authors' networks, both players compute what theirs do (checked at 16 pixels, without labels, to 1e-6).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganwise.networks.convolution import Conv2d
from ganwise.networks.labels import UNLABELED, Labels, Stack
from ganwise.networks.maps import Double, Halve
from ganwise.networks.pair import Generator, Networks, Prior
from ganwise.shapes import Shape, sides, taper

SLOPE = 0.2


class Block(nn.Module):
    """x + 1x1 (3x3 in groups (1x1 x)), wide inside, with leaky ReLU between. Source: huang2024r3gan, section 3.

    ``group``: channels in a group of the 3x3 convolution; narrow blocks have smaller ones.
    """

    def __init__(self, channels: int, expansion: int, group: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.enter = Conv2d(channels, inner, 1)
        self.middle = Conv2d(inner, inner, 3, padding=1, groups=inner // math.gcd(inner, group))
        self.leave = Conv2d(inner, channels, 1, bias=False)
        self.rectify = nn.LeakyReLU(SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.leave(self.rectify(self.middle(self.rectify(self.enter(x)))))
        return y


class Basis(nn.Module):
    """Latents (B, inputs) to maps (B, C, b, b): learned maps, each times a linear function of the latents."""

    def __init__(self, inputs: int, channels: int, side: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(1, channels, side, side))
        self.linear = nn.Linear(inputs, channels, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        y: Tensor = self.maps * self.linear(z)[:, :, None, None]
        return y


class Told(nn.Module):
    """Latents with one-hot labels (B, latent + classes) to latents with an embedding of the class (B, 2 latent)."""

    def __init__(self, latent: int, classes: int) -> None:
        super().__init__()
        self.latent, self.embedding = latent, nn.Linear(classes, latent, bias=False)

    def forward(self, joined: Tensor) -> Tensor:
        return torch.cat([joined[:, : self.latent], self.embedding(joined[:, self.latent :])], 1)


def _draw(layer: nn.Module, gain: float = 1.0) -> None:
    """Weights N(0, gain^2 / fan-in), bias 0."""
    assert isinstance(layer, (nn.Linear, nn.Conv2d))
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def initialize(network: nn.Module) -> None:
    """Fix-up: each block starts as the identity, and its other weights are scaled by L^(-1/4) for L blocks.

    Source: huang2024r3gan, section 3 and the authors' code.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            _draw(layer)
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    for block in blocks:
        for inside in (block.enter, block.middle):
            _draw(inside, nn.init.calculate_gain("leaky_relu", SLOPE) * len(blocks) ** -0.25)
        nn.init.zeros_(block.leave.weight)


def _change(inputs: int, outputs: int) -> list[nn.Module]:
    return [Conv2d(inputs, outputs, 1, bias=False)] if inputs != outputs else []


def r3gan(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 64,
    width: int = 768,
    full_side: int = 32,
    blocks: int = 2,
    expansion: int = 2,
    group: int = 16,
    prior: Prior = "normal",
) -> Networks:
    """``blocks`` blocks at each side; ``width`` channels for maps up to ``full_side``, halved with each doubling beyond.

    Source: huang2024r3gan, section 3 and the authors' code.
    """
    levels, told = sides(shape[1]), labels.generator == "input"
    channels = taper(width, levels, full_side)
    bottom, last = levels[0], channels[0]

    def stage(channels: int) -> list[nn.Module]:
        return [Block(channels, expansion, group) for _ in range(blocks)]

    rising: list[nn.Module] = [Basis(latent * (2 if told else 1), last, bottom), *stage(last)]
    for inputs, outputs in pairwise(channels):
        rising += [*_change(inputs, outputs), Double(), *stage(outputs)]
    rising += [Conv2d(channels[-1], shape[0], 1, bias=False)]
    falling: list[nn.Module] = [Conv2d(labels.shape(shape)[0], channels[-1], 1, bias=False)]
    for inputs, outputs in pairwise(reversed(channels)):
        falling += [*stage(inputs), Halve(), *_change(inputs, outputs)]
    falling += [*stage(last), Conv2d(last, last, bottom, groups=last, bias=False), nn.Flatten()]
    falling += [nn.Linear(last, last, bias=False)] if labels.discriminator == "projection" else []

    mapping = Told(latent, labels.classes) if told else None
    networks = Networks(
        Generator(Stack(*rising), latent, prior, labels, mapping), labels.scorer(nn.Sequential(*falling), last, shape)
    )
    for network in networks[:2]:
        initialize(network)
    return networks
