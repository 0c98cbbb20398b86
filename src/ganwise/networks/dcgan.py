"""Convolutional networks in the manner of DCGAN, for square images of side b * 2^k, b from 4 to 7."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import nn

from ganwise.networks.convolution import Conv2d, ConvTranspose2d
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
    size = channels[-1] * bottom * bottom
    first: list[nn.Module] = [nn.Linear(labels.inputs(latent), size), nn.Unflatten(1, (channels[-1], bottom, bottom))]
    synthesis = Stack(*first, *_up(channels, shape[0], labels, generator_norm))
    trunk = nn.Sequential(*_down(labels.shape(shape)[0], channels, discriminator_norm), nn.Flatten())
    networks = Networks(Generator(synthesis, latent, prior, labels), labels.scorer(trunk, size, shape))
    for network in networks[:2]:
        initialize(network)
    return networks


def _up(channels: list[int], planes: int, labels: Labels, norm: Norm) -> list[nn.Module]:
    """From the smallest map to an image of ``planes``."""

    def active(channels: int) -> list[nn.Module]:
        return [*([labels.normalize(channels)] if norm == "batch" else []), nn.ReLU()]

    layers = active(channels[-1])
    for inputs, outputs in pairwise(reversed(channels)):
        layers += [ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=norm == "none"), *active(outputs)]
    return [*layers, ConvTranspose2d(channels[0], planes, 4, 2, 1), nn.Tanh()]


def _down(planes: int, channels: list[int], norm: Norm) -> list[nn.Module]:
    """From an image of ``planes`` to the smallest map; no normalization behind the first layer."""
    layers: list[nn.Module] = [Conv2d(planes, channels[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs in pairwise(channels):
        layers += [Conv2d(inputs, outputs, 4, 2, 1, bias=norm == "none")]
        layers += [*([nn.BatchNorm2d(outputs)] if norm == "batch" else []), nn.LeakyReLU(0.2)]
    return layers
