"""K networks of equal layers as one: every layer maps (K, B, ...) to (K, B, ...), or (M, B, ...) for M of the networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganwise.networks.heads import Scorer
from ganwise.networks.labels import Stack
from ganwise.networks.linear import Linear
from ganwise.networks.mlp import Maxout
from ganwise.networks.original import Affine
from ganwise.networks.pair import Generator
from ganwise.types import Unusable

Who = list[int] | None
"""Which of the networks a batch is for; None is all of them."""

ALIKE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.Identity, Affine)
"""Layers that treat each number alone."""


class Streams:
    """Random numbers for K GANs: each draws what torch's global state, seeded with its seed, would give it alone."""

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
        cuda = device.type == "cuda"
        self.state = torch.cuda.default_generators[device.index or 0] if cuda else torch.default_generator

    @contextmanager
    def of(self, k: int) -> Iterator[None]:
        """Torch's global state is GAN k's inside."""
        mine = self.generators[k]
        self.state.set_state(mine.get_state())
        try:
            yield
        finally:
            mine.set_state(self.state.get_state())


class Layer:
    """Maps (K, B, ...) to (K, B, ...). Not a `torch.nn.Module`, whose calls cost as much as a small network's products."""

    weights: Sequence[nn.Parameter] = ()

    def __call__(self, x: Tensor, who: Who) -> Tensor:
        raise NotImplementedError


class Alike(Layer):
    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer

    def __call__(self, x: Tensor, who: Who) -> Tensor:
        y: Tensor = self.layer.forward(x)
        return y


class Linears(Layer):
    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))  # (K, outputs, inputs)
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))
        self.weights = [self.weight, self.bias]

    def __call__(self, x: Tensor, who: Who) -> Tensor:
        weight, bias = (self.weight, self.bias) if who is None else (self.weight[who], self.bias[who])
        return torch.baddbmm(bias[:, None], x, weight.mT)


class Maxouts(Layer):
    def __init__(self, layers: Sequence[Maxout]) -> None:
        self.linear, self.pieces = Linears([layer.linear for layer in layers]), layers[0].pieces
        self.weights = self.linear.weights

    def __call__(self, x: Tensor, who: Who) -> Tensor:
        pieces = self.linear(x, who)
        return pieces.view(*pieces.shape[:2], self.pieces, -1).amax(2)


class Dropouts(Layer):
    """Each network's mask comes from its own stream, as `torch.nn.Dropout` draws it."""

    def __init__(self, layers: Sequence[nn.Dropout], streams: Streams) -> None:
        self.p, self.streams = layers[0].p, streams

    def __call__(self, x: Tensor, who: Who) -> Tensor:
        mask = torch.empty_like(x)
        for place, k in enumerate(range(len(x)) if who is None else who):
            mask[place].bernoulli_(1 - self.p, generator=self.streams.generators[k])
        return x * mask.div_(1 - self.p)


class Layers(Layer):
    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.weights = [weight for layer in layers for weight in layer.weights]

    def __call__(self, x: Tensor, who: Who) -> Tensor:
        for layer in self.layers:
            x = layer(x, who)
        return x


def generators(networks: Sequence[Generator], streams: Streams, name: str) -> Layer:
    """The generators as one: latents (K, B, latent) to samples (K, B, ...). Errors are those of `_join`."""
    first = networks[0]
    if not isinstance(first.mapping, nn.Identity):
        raise Unusable(f"{name}: a {type(first.mapping).__name__} maps its latents to styles; train these GANs one by one")
    return _join([n.synthesis for n in networks], streams, f"{name}.synthesis")


def scorers(networks: Sequence[nn.Module], streams: Streams) -> tuple[Layer, Layer]:
    """The discriminators as one trunk and one head: (K, B, ...) to features (K, B, width) to scores (K, B, 1)."""
    if type(networks[0]) is not Scorer:
        raise Unusable(f"discriminator: a {type(networks[0]).__name__} can't be trained with others; train these GANs one by one")
    trunk, head = (_join([getattr(n, part) for n in networks], streams, f"discriminator.{part}") for part in ("trunk", "head"))
    return trunk, head


def adopt(networks: Sequence[nn.Module], weights: Sequence[nn.Parameter]) -> None:
    """The networks' weights become views of those of all together, so that each network can be used as before."""
    for shared, *own in zip(weights, *(n.parameters() for n in networks), strict=True):
        for k, weight in enumerate(own):
            weight.data = shared.data[k]


def _join(layers: Sequence[nn.Module], streams: Streams, where: str) -> Layer:
    """Equal layers of one place in all networks as one.

    Raises:
        Unusable: They are of a kind that can't be joined.
    """
    first = layers[0]
    if type(first) in JOINED:
        return JOINED[type(first)](layers, streams)
    if isinstance(first, ALIKE):
        return Alike(first)
    if type(first) in (nn.Sequential, Stack):
        rows = zip(*(layer.children() for layer in layers), strict=True)
        return Layers([_join(row, streams, f"{where}.{place}") for place, row in enumerate(rows)])
    raise Unusable(f"{where}: a {type(first).__name__} can't be trained with others; train these GANs one by one")


def equal(networks: Sequence[nn.Module], where: str) -> None:
    """Makes sure that networks differ in nothing but their weights.

    Raises:
        Unusable: They do; the first layer that differs is named.
    """
    first = [_facts(layer) for layer in networks[0].modules()]
    for k, network in enumerate(networks):
        for (name, layer), theirs in zip(network.named_modules(prefix=where), first, strict=False):
            if (mine := _facts(layer)) != theirs:
                raise Unusable(f"GAN {k}: {name} is {mine}, that of GAN 0 {theirs}; GANs trained together are equal there")


def _facts(layer: nn.Module) -> str:
    """What a layer is, without what it has learned."""
    numbers = {k: v for k, v in vars(layer).items() if isinstance(v, int | float | str | tuple) and not k.startswith("_")}
    children = {"layers": len(list(layer.children()))} if isinstance(layer, nn.Sequential) else {}
    return f"{type(layer).__name__}({', '.join(f'{k}={v}' for k, v in (numbers | children).items())})"


JOINED: dict[type[nn.Module], Callable[..., Layer]] = {
    **dict.fromkeys([nn.Linear, Linear], lambda layers, streams: Linears(layers)),
    Maxout: lambda layers, streams: Maxouts(layers),
    nn.Dropout: Dropouts,
    nn.Flatten: lambda layers, streams: Alike(nn.Flatten(layers[0].start_dim + 1, layers[0].end_dim)),
    nn.Unflatten: lambda layers, streams: Alike(nn.Unflatten(layers[0].dim + 1, layers[0].unflattened_size)),
}
