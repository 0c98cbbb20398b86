"""Networks written down as lists of layers, without torch: what each costs, for one sample."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Layer(NamedTuple):
    """One layer. ``products`` are the multiply-adds of one sample's way forward; ``kept`` the numbers that the way back needs.

    Only matrix products and convolutions are counted, as everybody does: what is done to each number alone is left out.
    """

    parameters: int = 0
    products: int = 0
    kept: int = 0
    matrix: tuple[int, int] = (0, 0)  # rows and columns of its weight
    learned: bool = True  # False: a fixed filter
    entry: bool = False  # reads what needs no gradient


Layers = list[Layer]


def linear(inputs: int, outputs: int, bias: bool = True) -> Layer:
    return Layer((inputs + bias) * outputs, inputs * outputs, inputs, (outputs, inputs))


def conv(inputs: int, outputs: int, size: int, before: int, after: int = 0, *, bias: bool = True, groups: int = 1) -> Layer:
    """A convolution from a side ``before`` to a side ``after``, by default the same."""
    weight = outputs * (inputs // groups) * size**2
    parameters = weight + (outputs if bias else 0)
    return Layer(parameters, weight * (after or before) ** 2, inputs * before**2, (outputs, inputs // groups * size**2))


def transposed(inputs: int, outputs: int, size: int, before: int, *, bias: bool = True) -> Layer:
    weight = inputs * outputs * size**2
    parameters = weight + (outputs if bias else 0)
    return Layer(parameters, weight * before**2, inputs * before**2, (inputs, outputs * size**2))


def doubled(inputs: int, outputs: int, before: int) -> Layer:
    """A 3x3 convolution of a map of side ``before`` doubled, computed as a transposed one with a 4x4 kernel."""
    made = transposed(inputs, outputs, 4, before)
    return made._replace(parameters=conv(inputs, outputs, 3, before).parameters, matrix=(outputs, 9 * inputs))


def halved(inputs: int, outputs: int, before: int) -> Layer:
    """A 3x3 convolution of a map of side ``before`` and the mean of each 2x2, computed as one with a 4x4 kernel."""
    made = conv(inputs, outputs, 4, before, before // 2)
    return made._replace(parameters=conv(inputs, outputs, 3, before).parameters, matrix=(outputs, 9 * inputs))


def filtered(channels: int, places: int) -> Layer:
    """A fixed 4x4 filter on each channel, at so many places."""
    return Layer(products=16 * channels * places, learned=False)


def norm(channels: int, side: int) -> Layer:
    return Layer(2 * channels, kept=channels * side**2)


def rectified(numbers: int) -> Layer:
    """An activation that keeps its input; a ReLU keeps its output, which is the next layer's input, and needs no mention."""
    return Layer(kept=numbers)


def loose(parameters: int) -> Layer:
    """Weights that are added or multiplied in place by place."""
    return Layer(parameters)


def embedding(rows: int, columns: int) -> Layer:
    return Layer(rows * columns, matrix=(rows, columns))


def entering(first: Layer, *rest: Layer) -> Layers:
    """Layers of which the first reads data or latents."""
    return [first._replace(entry=True), *rest]


def parameters(layers: Iterable[Layer]) -> int:
    return sum(layer.parameters for layer in layers)


def forward(layers: Iterable[Layer]) -> int:
    return sum(layer.products for layer in layers)


def to_weights(layers: Iterable[Layer]) -> int:
    """Multiply-adds of the gradients of weights."""
    return sum(layer.products for layer in layers if layer.learned)


def to_inputs(layers: Iterable[Layer]) -> int:
    """Multiply-adds of the gradients that layers hand back; what reads data hands back nothing."""
    return sum(layer.products for layer in layers if not layer.entry)


def both_ways(layers: Layers) -> int:
    """Multiply-adds of a pass forward and back into the weights."""
    return forward(layers) + to_weights(layers) + to_inputs(layers)


def kept(layers: Iterable[Layer]) -> int:
    return sum(layer.kept for layer in layers)


class Told(NamedTuple):
    """How many classes there are and where they enter either network, as `ganwise.networks.Labels` says it."""

    classes: int = 0
    generator: str = "none"
    discriminator: str = "none"

    def inputs(self, latent: int) -> int:
        return latent + (self.classes if self.generator == "input" else 0)

    def seen(self, numbers: int, image: bool) -> int:
        """Channels of an image, or numbers of a vector, that the discriminator's trunk reads."""
        return numbers + ((1 if image else self.classes) if self.discriminator == "input" else 0)

    def norm(self, channels: int, side: int) -> Layer:
        made = norm(channels, side)
        return made._replace(parameters=2 * channels * self.classes) if self.generator == "norm" else made

    def scorer(self, trunk: Layers, width: int, shape: tuple[int, ...]) -> Layers:
        """The discriminator on a trunk to ``width`` features; ``shape`` is the data's."""
        if self.discriminator == "open":
            return [*trunk, linear(width, self.classes)]
        layers = [*trunk, linear(width, 1)]
        if self.discriminator == "projection":
            layers.append(embedding(self.classes, width))
        if self.discriminator == "classifier":
            layers.append(linear(width, self.classes))
        if self.discriminator == "input" and len(shape) == 3:  # the plane is learned: gradients go back to the input
            layers = [embedding(self.classes, shape[1] * shape[2]), *(layer._replace(entry=False) for layer in layers)]
        return layers


NOBODY = Told()
