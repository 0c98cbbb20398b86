"""Convolutional networks in the manner of DCGAN, for square images of side b * 2^k, b from 4 to 7."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import nn

from ganwise.networks.pair import Generator, Networks, Prior, Scorer
from ganwise.shapes import Shape, side_stages

Norm = Literal["batch", "none"]


def _norm(kind: Norm, channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if kind == "batch" else []


def initialize(module: nn.Module) -> None:
    """Weights N(0, .02), normalization scales N(1, .02), biases 0. Source: radford2015dcgan, section 4."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, 0.02)


def dcgan(
    shape: Shape,
    *,
    latent: int = 100,
    width: int = 64,
    generator_norm: Norm = "batch",
    discriminator_norm: Norm = "none",
    prior: Prior = "normal",
) -> Networks:
    """``width`` channels at the image's end, doubling with each halving of the side. Source: radford2015dcgan, figure 1."""
    stages = side_stages(shape[1])
    assert stages is not None, "build refuses other sides"
    bottom, halvings = stages
    channels = [width * 2**k for k in range(halvings)]  # at side/2, side/4, ..., bottom

    top = channels[-1]
    up: list[nn.Module] = [nn.Linear(latent, top * bottom * bottom), nn.Unflatten(1, (top, bottom, bottom))]
    up += [*_norm(generator_norm, top), nn.ReLU()]
    for inputs, outputs in pairwise(reversed(channels)):
        up += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=generator_norm == "none")]
        up += [*_norm(generator_norm, outputs), nn.ReLU()]
    up += [nn.ConvTranspose2d(width, shape[0], 4, 2, 1), nn.Tanh()]

    down: list[nn.Module] = [nn.Conv2d(shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs in pairwise(channels):
        down += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=discriminator_norm == "none")]
        down += [*_norm(discriminator_norm, outputs), nn.LeakyReLU(0.2)]
    trunk, head = nn.Sequential(*down, nn.Flatten()), nn.Linear(top * bottom * bottom, 1)

    networks = Networks(Generator(nn.Sequential(*up), latent, prior), Scorer(trunk, head))
    for network in networks:
        initialize(network)
    return networks
