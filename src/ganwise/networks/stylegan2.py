"""StyleGAN2's networks in plain PyTorch: styles from a mapping network, modulated convolutions, a residual discriminator.

Layers are torch's own; `equalize` turns them into layers with equalized learning rates. For images of side b * 2^k.

Given the weights of NVIDIA's stylegan2-ada-pytorch, both players compute what theirs do (checked at 32 pixels, without labels, to
1e-6 of the largest output).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils import parametrize

from ganwise.networks.convolution import Conv2d, ConvTranspose2d
from ganwise.networks.heads import ProjectionScorer
from ganwise.networks.labels import UNLABELED, Labeled, Labels
from ganwise.networks.maps import Double, Halve, Smooth
from ganwise.networks.pair import Generator, Networks, Prior
from ganwise.shapes import Shape, sides, taper


class Times(nn.Module):
    """A weight as it is used: the learned one times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.factor


def equalize(network: nn.Module, rate: float = 1.0) -> None:
    """Draws weights from N(0, 1 / rate^2) and uses them times rate / sqrt(fan-in): all layers learn at one relative speed.

    ``rate`` multiplies the learning rate of these layers. Source: karras2018progressive, section 4.1.
    """
    for layer in list(network.modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            inputs = layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels * math.prod(layer.kernel_size)
            _draw(layer, rate, rate / math.sqrt(inputs))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
                if rate != 1:
                    parametrize.register_parametrization(layer, "bias", Times(rate))
        elif isinstance(layer, ProjectionScorer):
            _draw(layer.proxies, rate, rate / math.sqrt(layer.proxies.embedding_dim))


def _draw(layer: nn.Module, rate: float, factor: float) -> None:
    assert isinstance(layer.weight, Tensor)
    nn.init.normal_(layer.weight, 0.0, 1 / rate)
    parametrize.register_parametrization(layer, "weight", Times(factor))


class Rectify(nn.Module):
    """sqrt 2 times leaky ReLU of slope .2, which keeps the variance."""

    def forward(self, x: Tensor) -> Tensor:
        return leaky_relu(x, 0.2) * math.sqrt(2)


class Mapping(nn.Module):
    """Latents (B, latent), with one-hot labels beside them where told, to one style for each layer, (B, count, latent).

    In training, with probability ``mixing``, the later layers of a sample get the style of other latents: style mixing.
    Source: karras2020stylegan2, section 2; karras2019stylegan, section 3.1.
    """

    draws = True

    def __init__(self, latent: int, classes: int, depth: int, count: int, mixing: float) -> None:
        super().__init__()
        self.latent, self.count, self.mixing = latent, count, mixing
        self.embedding = nn.Linear(classes, latent) if classes else None
        layers: list[nn.Module] = []
        for inputs in [latent * (2 if classes else 1), *[latent] * (depth - 1)][:depth]:
            layers += [nn.Linear(inputs, latent), Rectify()]
        self.layers = nn.Sequential(*layers)

    def one(self, joined: Tensor) -> Tensor:
        """The style (B, latent) of each sample's latents."""
        parts = [joined[:, : self.latent]]
        if self.embedding is not None:
            parts.append(self.embedding(joined[:, self.latent :]))
        y: Tensor = self.layers(torch.cat([x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt() for x in parts], 1))
        return y

    def forward(self, joined: Tensor) -> Tensor:
        styles = self.one(joined)[:, None].expand(-1, self.count, -1)
        if not (self.training and self.mixing):
            return styles
        others = torch.cat([torch.randn_like(joined[:, : self.latent]), joined[:, self.latent :]], 1)
        n, device = len(joined), joined.device
        cut = torch.randint(1, self.count, (n, 1, 1), device=device)
        mixed = torch.rand(n, 1, 1, device=device) < self.mixing
        later = torch.arange(self.count, device=device)[:, None] >= cut
        return torch.where(mixed & later, self.one(others)[:, None], styles)


class Modulated(nn.Module):
    """A convolution whose weights are scaled by each sample's style, then to unit norm where demodulated.

    Scaling its inputs and its outputs is the same mathematics as scaling its weights, without weights for each sample.
    Source: karras2020stylegan2, equations 1 to 3 and appendix B.
    """

    def __init__(
        self, inputs: int, outputs: int, latent: int, size: int = 3, double: bool = False, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.affine, self.demodulate, self.inputs_first = nn.Linear(latent, inputs), demodulate, double
        self.convolution: nn.Conv2d | nn.ConvTranspose2d = (
            ConvTranspose2d(inputs, outputs, size, stride=2, bias=False)
            if double
            else Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
        )

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale = self.affine(style)
        y: Tensor = self.convolution(x * scale.to(x.dtype)[:, :, None, None])
        if not self.demodulate:
            return y
        energy = self.convolution.weight.square().sum((2, 3))
        norms = scale.square() @ (energy if self.inputs_first else energy.T)  # (B, outputs)
        y = y * (norms + 1e-8).rsqrt().to(y.dtype)[:, :, None, None]
        return y


class Layer(nn.Module):
    """A modulated convolution, which may double the side; noise of learned strength; bias; leaky ReLU.

    In training the noise is drawn anew; in evaluation it is one picture of noise for all samples, drawn when the network is made.
    """

    draws = True

    def __init__(self, inputs: int, outputs: int, latent: int, side: int, double: bool) -> None:
        super().__init__()
        self.modulated, self.rectify = Modulated(inputs, outputs, latent, double=double), Rectify()
        self.smooth = Smooth(padding=1, gain=4.0) if double else nn.Identity()
        self.register_buffer("noise", torch.randn(1, 1, side, side))
        self.noise: Tensor
        self.strength, self.bias = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        y: Tensor = self.smooth(self.modulated(x, style))
        noise = torch.randn(len(x), *self.noise.shape[1:], device=x.device) if self.training else self.noise
        y = self.rectify(y + (self.strength * noise + self.bias).to(y.dtype))
        return y


class ToImage(nn.Module):
    """Maps to an image (B, C, H, W), by a modulated 1x1 convolution without demodulation."""

    def __init__(self, inputs: int, outputs: int, latent: int) -> None:
        super().__init__()
        self.modulated = Modulated(inputs, outputs, latent, size=1, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        y: Tensor = self.modulated(x, style)
        return y + self.bias.to(y.dtype)


class Synthesis(Labeled):
    """Styles (B, 2k + 2, latent) to images: the sum of an image from each side's maps, doubled to the next.

    Source: karras2020stylegan2, figure 7 (b) and section 4.
    """

    def __init__(self, levels: list[int], channels: list[int], latent: int, colors: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, channels[0], levels[0], levels[0]))
        layers = [Layer(channels[0], channels[0], latent, levels[0], double=False)]
        for side, (inputs, outputs) in zip(levels[1:], pairwise(channels), strict=True):
            layers += [Layer(inputs, outputs, latent, side, double=True), Layer(outputs, outputs, latent, side, double=False)]
        self.layers = nn.ModuleList(layers)
        self.images = nn.ModuleList(ToImage(c, colors, latent) for c in channels)
        self.up = Double()

    def forward(self, styles: Tensor, labels: Tensor | None = None) -> Tensor:
        each = styles.unbind(1)
        x: Tensor = self.constant.expand(styles.shape[0], -1, -1, -1)  # len() would fix the batch of an export
        image: Tensor | None = None
        for i, layer in enumerate(self.layers):
            x = layer(x, each[i])
            if i % 2 == 0:  # the last layer of a side; its image shares the next layer's style
                seen = self.images[i // 2](x, each[i + 1])
                image = seen if image is None else self.up(image) + seen
        assert image is not None
        return image


class Half(nn.Module):
    """Maps (B, inputs, H, W) to (B, outputs, H/2, W/2). Source: karras2020stylegan2, figure 7 (c)."""

    def __init__(self, inputs: int, outputs: int, residual: bool) -> None:
        super().__init__()
        self.main = nn.Sequential(
            Conv2d(inputs, inputs, 3, padding=1),
            Rectify(),
            Smooth(padding=2),
            Conv2d(inputs, outputs, 3, stride=2),
            Rectify(),
        )
        self.skip = nn.Sequential(Halve(), Conv2d(inputs, outputs, 1, bias=False)) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.main(x)
        return y if self.skip is None else (y + self.skip(x)) / math.sqrt(2)


class Spread(nn.Module):
    """Adds a plane that says how much the samples of a group differ: the mean of their standard deviations.

    A batch is cut into groups of ``group`` samples, or of the greatest common divisor where that does not divide it.
    Source: karras2018progressive, section 3.
    """

    mixes_samples = True

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        together = math.gcd(n, self.group)
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        parted = exact.reshape(together, n // together, *x.shape[1:])  # samples i, i + n / together, ... make a group
        spread = (parted.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        plane = spread.repeat(together)[:, None, None, None].expand(-1, 1, height, width)
        return torch.cat([x, plane.to(x.dtype)], 1)


def _trunk(levels: list[int], channels: list[int], colors: int, group: int, residual: bool) -> nn.Sequential:
    """Images to features (B, channels of the smallest map)."""
    bottom, last = levels[0], channels[0]
    layers: list[nn.Module] = [Conv2d(colors, channels[-1], 1), Rectify()]
    layers += [Half(inputs, outputs, residual) for inputs, outputs in pairwise(reversed(channels))]
    layers += [Spread(group)] if group else []
    layers += [Conv2d(last + (1 if group else 0), last, 3, padding=1), Rectify()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(last * bottom**2, last), Rectify())


def stylegan2(
    shape: Shape,
    labels: Labels = UNLABELED,
    *,
    latent: int = 512,
    width: int = 512,
    full_side: int = 64,
    mapping_depth: int = 8,
    mixing: float = 0.0,
    group: int = 4,
    residual: bool = True,
    prior: Prior = "normal",
) -> Networks:
    """``width`` channels for maps up to ``full_side``, halved with each doubling beyond. ``group`` 0: no minibatch deviation.

    Source: karras2020stylegan2, figure 7 and appendix B (configuration F); karras2020ada for labels.
    """
    levels = sides(shape[1])
    channels = taper(width, levels, full_side)
    told = labels.classes if labels.generator == "input" else 0
    mapping = Mapping(latent, told, mapping_depth, 2 * len(levels), mixing)
    synthesis = Synthesis(levels, channels, latent, shape[0])
    networks = Networks(
        Generator(synthesis, latent, prior, labels, mapping),
        labels.scorer(_trunk(levels, channels, labels.shape(shape)[0], group, residual), channels[0], shape),
    )
    equalize(mapping.layers, rate=0.01)  # karras2019stylegan, appendix C
    for network in (mapping.embedding, synthesis, networks.discriminator):
        if network is not None:
            equalize(network)
    for layer in synthesis.modules():
        if isinstance(layer, Modulated):
            nn.init.ones_(layer.affine.bias)
    return networks
