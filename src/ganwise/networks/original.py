"""The networks of the 2014 experiments, layer by layer as their published configuration files have them."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn

from ganwise.networks.labels import UNLABELED, Labels, Stack
from ganwise.networks.mlp import Maxout
from ganwise.networks.pair import FromData, Generator, Networks, Prior
from ganwise.objective import Part, Pass, Signals
from ganwise.shapes import Shape

Layer = TypeVar("Layer", bound=nn.Module)
DARK, LIGHT = 1e-3, 1 - 1e-3
"""A pixel that is always black has a marginal of 0, and an infinite bias."""


class Affine(nn.Module):
    """Between the range in which the rest of the library works and the experiment's own."""

    def __init__(self, scale: float, shift: float = 0.0) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift


class Bounded(Part):
    """A layer around ``linear`` whose units' incoming weights are scaled back to norm ``most`` after each step; 0 leaves them."""

    def __init__(self, linear: nn.Module, most: float) -> None:
        super().__init__()
        self.linear, self.most = linear, most

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        return y

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        for weight in (w for w in self.parameters() if w.ndim > 1):
            weight.copy_(weight.renorm(2, 0, self.most))


class Marginals(FromData):
    """A last layer before a sigmoid, whose biases start where the mean of each pixel is the data's. Pixels here in [-1, 1]."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        return y

    def fit(self, mean: Tensor) -> None:
        self.linear.bias.copy_(((mean.flatten() + 1) / 2).clamp(DARK, LIGHT).logit())


def original(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 100,
    width: int = 1200,
    second: str = "relu",
    output: str = "sigmoid",
    units: int = 240,
    pieces: int = 5,
    dropout: float = 0.5,
    input_dropout: float = 0.2,
    stages: int = 1,
    most: float = 0.0,
    prior: Prior = "uniform",
) -> Networks:
    """G: ReLU, then ReLU or sigmoid, then sigmoid or linear. D: two maxout layers, one score. Dropout of .2, then .5.

    With a ``sigmoid`` output D sees pixels in [0, 1]; with a ``linear`` one contrasts in [-4, 4], which pixels in [-1, 1] stand
    for. Latents have variance 1. ``most`` bounds the norm of each unit's incoming weights where it is not 0, and then the layer
    before the output starts sparse. With two ``stages`` a ReLU and a sigmoid layer of ``latent`` units come first, in front of
    a generator that one stage has made. Weights uniform in ±.05 (G) and ±.005 (D), biases 0.

    Source: goodfellow2014gan, section 5; goodfellow2014code, mnist.yaml, cifar10_fully_connected.yaml and tfd_pretrain.
    """
    _known(second, output)
    layers = [*_scaled(prior), *_hidden(labels.inputs(latent), latent, width, second, stages, most)]
    layers += _last(width, math.prod(shape), output, most)
    inputs = math.prod(labels.shape(shape))
    trunk = nn.Sequential(
        *(_seen(output), nn.Flatten(), nn.Dropout(input_dropout), _maxout(inputs, units, pieces, most)),
        *(nn.Dropout(dropout), _maxout(units, units, pieces, most), nn.Dropout(dropout)),
    )
    return _pair(Stack(*layers, nn.Unflatten(1, shape)), trunk, units, latent, prior, labels, shape)


def original_convolutional(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 100,
    width: int = 8000,
    maps: int = 80,
    channels: int = 32,
    last_channels: int = 192,
    units: int = 500,
    pieces: int = 2,
    dropout: float = 0.5,
    input_dropout: float = 0.2,
    prior: Prior = "normal",
) -> Networks:
    """G: ReLU, sigmoid, one transposed convolution. D: three maxout convolutions with pooling, a maxout layer, one score.

    Contrasts in [-4, 4] stand for pixels in [-1, 1]. ``width`` is that of G's first layer;
    its second has ``maps`` times the pixels of the map from which the image is made.

    Source: goodfellow2014code, cifar10_convolutional.yaml.
    """
    side = (shape[1] - 5) // 3 + 1
    layers = [*_scaled(prior), _dense(labels.inputs(latent), width), nn.ReLU()]
    layers += [_dense(width, maps * side**2), nn.Sigmoid(), nn.Unflatten(1, (maps, side, side))]
    up = nn.ConvTranspose2d(maps, shape[0], 5, stride=3, output_padding=(shape[1] - 5) % 3, bias=False)
    layers += [_uniform(up, 0.05), Untied(shape), Affine(0.25)]

    planes = labels.shape(shape)[0]
    trunk = nn.Sequential(
        *(Affine(4.0), nn.Dropout(input_dropout), MaxoutConv(planes, channels, 8, 4, pieces), nn.MaxPool2d(4, 2, ceil_mode=True)),
        *(nn.Dropout(dropout), MaxoutConv(channels, channels, 8, 3, pieces), nn.MaxPool2d(4, 2, ceil_mode=True)),
        *(nn.Dropout(dropout), MaxoutConv(channels, last_channels, 5, 3, pieces), nn.MaxPool2d(2, 2, ceil_mode=True)),
        nn.Flatten(),
    )
    with torch.no_grad():
        found = trunk(torch.zeros(1, planes, *shape[1:])).shape[1]
    trunk.extend([nn.Dropout(dropout), _maxout(found, units, 5, 0.0), nn.Dropout(dropout)])
    return _pair(Stack(*layers), trunk, units, latent, prior, labels, shape)


class MaxoutConv(nn.Module):
    """The largest of several convolutions. Source: goodfellow2013maxout, section 3."""

    def __init__(self, inputs: int, channels: int, kernel: int, padding: int, pieces: int) -> None:
        super().__init__()
        self.convolution = _uniform(nn.Conv2d(inputs, channels * pieces, kernel, padding=padding), 0.005)
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.convolution(x)
        return torch.stack(maps.chunk(self.pieces, 1)).amax(0)


class Untied(nn.Module):
    """A bias for each pixel."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


def _known(second: str, output: str) -> None:
    if second not in ("relu", "sigmoid") or output not in ("sigmoid", "linear"):
        raise ValueError(f"second is relu or sigmoid, not {second}; output is sigmoid or linear, not {output}")


def _pair(synthesis: Stack, trunk: nn.Module, features: int, latent: int, prior: Prior, labels: Labels, shape: Shape) -> Networks:
    discriminator = labels.scorer(trunk, features, shape)
    for module in discriminator.modules():  # its last layers too
        if isinstance(module, nn.Linear) and module.out_features <= max(labels.classes, 1):
            _uniform(module, 0.005)
    return Networks(Generator(synthesis, latent, prior, labels), discriminator)


def _scaled(prior: Prior) -> list[nn.Module]:
    """What gives uniform latents variance 1."""
    return [Affine(math.sqrt(3))] if prior == "uniform" else []


def _hidden(first: int, latent: int, width: int, second: str, stages: int, most: float) -> list[nn.Module]:
    """A generator's layers but the last."""
    layers: list[nn.Module] = []
    faint = -2.0 if most else 0.0
    for _ in range(stages - 1):
        layers += [_dense(first, width, most=most), nn.ReLU(), _dense(width, latent, most=most, bias=faint), nn.Sigmoid()]
        first = latent
    layers += [_dense(first, width, most=most), nn.ReLU()]
    layers += [_dense(width, width, most=most, bias=faint if second == "sigmoid" else 0.0)]
    return [*layers, nn.ReLU() if second == "relu" else nn.Sigmoid()]


def _seen(output: str) -> Affine:
    return Affine(0.5, 0.5) if output == "sigmoid" else Affine(4.0)


def _last(width: int, dimensions: int, output: str, most: float) -> list[nn.Module]:
    if output == "linear":
        return [_uniform(nn.Linear(width, dimensions), 0.5), Affine(0.25)]
    linear = nn.Linear(width, dimensions)
    _sparse(linear) if most else _uniform(linear, 0.05)
    last = Marginals(linear)
    return [Bounded(last, most) if most else last, nn.Sigmoid(), Affine(2.0, -1.0)]


def _dense(inputs: int, units: int, *, most: float = 0.0, bias: float = 0.0) -> nn.Module:
    linear = _uniform(nn.Linear(inputs, units), 0.05)
    nn.init.constant_(linear.bias, bias)
    return Bounded(linear, most) if most else linear


def _maxout(inputs: int, units: int, pieces: int, most: float) -> nn.Module:
    layer = Maxout(inputs, units, pieces)
    _uniform(layer.linear, 0.005)
    return Bounded(layer, most) if most else layer


def _uniform(layer: Layer, most: float) -> Layer:
    for name, weight in layer.named_parameters(recurse=False):
        nn.init.zeros_(weight) if name == "bias" else nn.init.uniform_(weight, -most, most)
    return layer


def _sparse(linear: nn.Linear, nonzero: int = 100) -> None:
    """Each unit starts with so many weights from a standard normal distribution, and the rest at 0."""
    keys = torch.rand_like(linear.weight).argsort(1).argsort(1)
    with torch.no_grad():
        linear.weight.normal_().mul_(keys < nonzero)
        linear.bias.zero_()
