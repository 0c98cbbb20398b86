"""BEGAN's networks: an auto-encoder whose reconstruction error is the score, and a generator shaped like its decoder."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganwise.networks.convolution import Conv2d, DoubledConv
from ganwise.networks.labels import UNLABELED, Labels, Stack
from ganwise.networks.pair import Generator, Networks, Prior
from ganwise.objective import Output, Part, Pass, Signals
from ganwise.shapes import Shape, halvings_to_eight

Last = Literal["linear", "tanh", "elu"]
LAST: dict[Last, type[nn.Module]] = {"linear": nn.Identity, "tanh": nn.Tanh, "elu": nn.ELU}


class AutoEncoder(nn.Module):
    """Scores a sample by mean |x - decoder(encoder(x))|^eta: an energy, low on real data. Source: berthelot2017began, eq. 1."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, eta: int) -> None:
        super().__init__()
        self.encoder, self.decoder, self.eta = encoder, decoder, eta

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        code = self.encoder(x)
        error = (x - self.decoder(code)).abs() ** self.eta
        return Output(error.flatten(1).float().mean(1), code=code)


class VanishingResidual(Part):
    """c x + (1 - c) layer(x), where c falls from 1 to 0 over so many steps: a deep network starts as a shallow one.

    Source: berthelot2017began, section 3.6.1.
    """

    def __init__(self, layer: nn.Module, steps: int) -> None:
        super().__init__()
        self.layer, self.steps = layer, steps
        self.register_buffer("count", torch.zeros(()))  # exact in float32 up to 2^24 steps
        self.count: Tensor

    def forward(self, x: Tensor) -> Tensor:
        carry = (1 - self.count / self.steps).clamp(min=0).to(x.dtype)
        y: Tensor = carry * x + (1 - carry) * self.layer(x)
        return y

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        self.count.add_(1)


class ELU(nn.ELU):
    """In the convolution's own memory: the way back then reads the result and needs no exponential, a third of its time."""

    def __init__(self) -> None:
        super().__init__(inplace=True)


def _repeated(layer: nn.Module, vanishing: int) -> nn.Module:
    """A layer whose output has its input's size."""
    return VanishingResidual(layer, vanishing) if vanishing else layer


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(Conv2d(inputs, outputs, 3, stride, padding=1), ELU())


def _same(channels: int, times: int, vanishing: int) -> list[nn.Module]:
    return [_repeated(_convolution(channels, channels), vanishing) for _ in range(times)]


def _encoder(shape: Shape, code: int, width: int, depth: int, vanishing: int) -> nn.Sequential:
    """``depth`` convolutions a resolution; the last but at the bottom has stride 2, the k-th of these gives k * width filters."""
    bottom, halvings = _stages(shape)
    layers, channels = [_convolution(shape[0], width)], width
    for k in range(1, halvings + 1):
        layers += [*_same(channels, depth - 1, vanishing), _convolution(channels, k * width, stride=2)]
        channels = k * width
    layers += [*_same(channels, depth, vanishing), nn.Flatten(), nn.Linear(channels * bottom * bottom, code)]
    return nn.Sequential(*layers)


class Decoder(nn.Module):
    """From codes (B, code) to images: ``width`` filters throughout, nearest neighbors up from a map b x b.

    With ``skip``, that first map is concatenated, enlarged, after each step up. Source: berthelot2017began, section 3.6.1.
    """

    def __init__(
        self, shape: Shape, code: int, width: int, depth: int = 2, skip: bool = False, vanishing: int = 0, last: Last = "linear"
    ) -> None:
        super().__init__()
        bottom, halvings = _stages(shape)
        self.skip, self.residual = skip, bool(vanishing and not skip)
        self.first = nn.Sequential(nn.Linear(code, width * bottom * bottom), nn.Unflatten(1, (width, bottom, bottom)))
        self.resolutions = nn.ModuleList([nn.Sequential(*_same(width, depth, vanishing))])
        for _ in range(halvings):
            doubled = nn.Sequential(DoubledConv(2 * width if skip else width, width), ELU())
            entry = _repeated(_convolution(width, width), vanishing) if self.residual else doubled
            self.resolutions.append(nn.Sequential(entry, *_same(width, depth - 1, vanishing)))
        self.last = nn.Sequential(Conv2d(width, shape[0], 3, padding=1), LAST[last]())

    def forward(self, code: Tensor) -> Tensor:
        first = self.first(code)
        x = self.resolutions[0](first)
        for k, resolution in enumerate(self.resolutions[1:]):
            if self.skip:
                x = torch.cat([x, interpolate(first, scale_factor=2.0**k, mode="nearest")], 1)
            if self.residual:  # which needs the enlarged map itself
                x = interpolate(x, scale_factor=2.0, mode="nearest")
            x = resolution(x)
        image: Tensor = self.last(x)
        return image


def _stages(shape: Shape) -> tuple[int, int]:
    stages = halvings_to_eight(shape[1])
    assert stages is not None, "build refuses other sides"
    return stages


def vector_coder(inputs: int, outputs: int, width: int, depth: int = 2, vanishing: int = 0) -> nn.Sequential:
    """``depth`` hidden layers between vectors."""
    layers: list[nn.Module] = [nn.Linear(inputs, width), nn.ELU()]
    for _ in range(depth - 1):
        layers += [_repeated(nn.Sequential(nn.Linear(width, width), nn.ELU()), vanishing)]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def xavier(network: nn.Module) -> None:
    """Xavier weights and biases of 0, which start BEGAN two to three times faster. Source: ganwise2026measurements."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def autoencoder(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 64,
    code: int = 64,
    width: int = 64,
    generator_width: int = 0,
    depth: int = 2,
    skip: bool = False,
    vanishing: int = 0,
    eta: int = 1,
    last: Last = "linear",
    prior: Prior = "uniform",
) -> Networks:
    """Images: 3x3 convolutions with ELU, ``depth`` a resolution. Vectors: ``depth`` hidden layers, codes half as long at most.

    ``vanishing`` is the number of steps over which residuals vanish; 0 is without. ``last`` is what ends the decoder and the
    generator. A ``generator_width`` of 0 is ``width``, as published but for its unbalanced networks.
    Source: berthelot2017began, section 3.6 and figure 1.
    """
    if eta not in (1, 2) or last not in LAST:
        raise ValueError(f"eta is 1 or 2, last one of {', '.join(LAST)}")
    decoders: list[nn.Module]
    if len(shape) == 1:
        if skip:
            raise ValueError("skip connections join maps of several sizes; vectors have none")
        code = min(code, max(1, shape[0] // 2))
    sizes = ((code, width), (latent, generator_width or width))
    if len(shape) == 1:
        encoder = vector_coder(shape[0], code, width, depth, vanishing)
        decoders = [vector_coder(size, shape[0], wide, depth, vanishing) for size, wide in sizes]
    else:
        encoder = _encoder(shape, code, width, depth, vanishing)
        decoders = [Decoder(shape, size, wide, depth, skip, vanishing, last) for size, wide in sizes]
    networks = Networks(Generator(Stack(decoders[1]), latent, prior), AutoEncoder(encoder, decoders[0], eta))
    for network in networks[:2]:
        xavier(network)
    return networks
