"""Convolutional networks in the manner of DCGAN, for square images of side b * 2^k, b from 4 to 7."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import nn

from ganwise.networks.labels import UNLABELED, Labels, Stack
from ganwise.networks.pair import Generator, Networks, Prior
from ganwise.shapes import Shape, side_stages

Norm = Literal["batch", "none"]


def initialize(module: nn.Module) -> None:
    """Weights N(0, .02), normalization scales N(1, .02), biases 0. Source: radford2015dcgan, section 4."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d) and layer.affine:
            nn.init.normal_(layer.weight, 1.0, 0.02)


def dcgan(
    shape: Shape,
    labels: Labels = UNLABELED,
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

    def norm_g(channels: int) -> list[nn.Module]:
        return [labels.normalize(channels)] if generator_norm == "batch" else []

    def norm_d(channels: int) -> list[nn.Module]:
        return [nn.BatchNorm2d(channels)] if discriminator_norm == "batch" else []

    top = channels[-1]
    up: list[nn.Module] = [nn.Linear(labels.inputs(latent), top * bottom * bottom), nn.Unflatten(1, (top, bottom, bottom))]
    up += [*norm_g(top), nn.ReLU()]
    for inputs, outputs in pairwise(reversed(channels)):
        up += [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=generator_norm == "none")]
        up += [*norm_g(outputs), nn.ReLU()]
    up += [nn.ConvTranspose2d(width, shape[0], 4, 2, 1), nn.Tanh()]

    down: list[nn.Module] = [nn.Conv2d(labels.shape(shape)[0], width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs in pairwise(channels):
        down += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=discriminator_norm == "none")]
        down += [*norm_d(outputs), nn.LeakyReLU(0.2)]
    trunk = nn.Sequential(*down, nn.Flatten())

    networks = Networks(
        Generator(Stack(*up), latent, prior, labels),
        labels.scorer(trunk, top * bottom * bottom, shape),
    )
    for network in networks[:2]:
        initialize(network)
    return networks
