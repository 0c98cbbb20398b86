"""Every architecture of the catalog as lists of layers: `ganwise.networks` without torch.

A test builds each of them and compares all parameters and all operations, which keeps these lists in step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ganwise.select.layers import (
    Layer,
    Layers,
    Told,
    conv,
    doubled,
    entering,
    filtered,
    halved,
    linear,
    loose,
    norm,
    rectified,
    transposed,
)
from ganwise.shapes import halvings_to_eight, side_stages, sides, taper
from ganwise.types import Shape


class Plan(NamedTuple):
    """Both networks. ``mapping`` is what a style-based generator has before its synthesis; ``code`` an auto-encoder's."""

    generator: Layers
    discriminator: Layers
    mapping: Sequence[Layer] = ()
    code: int = 0


def _dense(sizes: list[int], last: int) -> Layers:
    """Linear layers with ReLU between; the first reads latents."""
    return entering(*(linear(*ends) for ends in pairwise([*sizes, last])))


def _maxout(inputs: int, units: int, pieces: int) -> Layers:
    return [linear(inputs, units * pieces), rectified(units * pieces)]


def _mlp(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    numbers, width = math.prod(shape), [o["width"]] * o["depth"]
    image = len(shape) > 1
    seen = told.seen(shape[0], image) * math.prod(shape[1:])
    trunk: Layers = []
    for inputs, units in pairwise([seen, *width]):
        trunk += _maxout(inputs, units, o["pieces"]) if o["pieces"] else [linear(inputs, units), rectified(units)]
        trunk += [rectified(units)] if o["dropout"] else []
    rising = [*_dense([told.inputs(o["latent"]), *width], numbers), *([rectified(numbers)] if image else [])]
    return Plan(rising, told.scorer(entering(*trunk), width[-1], shape))


def _original(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    numbers, first = math.prod(shape), told.inputs(o["latent"])
    sizes = [first]
    for _ in range(o["stages"] - 1):
        sizes += [o["width"], o["latent"]]
    seen = told.seen(shape[0], True) * math.prod(shape[1:])
    trunk = [*_maxout(seen, o["units"], o["pieces"]), *_maxout(o["units"], o["units"], o["pieces"])]
    rising = _dense([*sizes, o["width"], o["width"]], numbers)
    return Plan([*rising, rectified(numbers)], told.scorer(entering(*trunk), o["units"], shape))


def _pooled(side: int, size: int) -> int:
    """Pooling of stride 2 that keeps what is left over at the border, but starts no window beyond it."""
    after = -(-(side - size) // 2) + 1
    return after - 1 if (after - 1) * 2 >= side else after


def _original_convolutional(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    side = (shape[1] - 5) // 3 + 1
    rising = [
        *_dense([told.inputs(o["latent"]), o["width"]], o["maps"] * side**2),
        transposed(o["maps"], shape[0], 5, side, bias=False),
        loose(math.prod(shape)),
    ]
    trunk: Layers = []
    now, planes, pieces = shape[1], told.seen(shape[0], True), o["pieces"]
    for channels, kernel, padding, pool in ((o["channels"], 8, 4, 4), (o["channels"], 8, 3, 4), (o["last_channels"], 5, 3, 2)):
        after = now + 2 * padding - kernel + 1
        trunk += [conv(planes, channels * pieces, kernel, now, after), rectified((pieces + 1) * channels * after**2)]
        now, planes = _pooled(after, pool), channels
    trunk += _maxout(planes * now**2, o["units"], 5)
    return Plan(rising, told.scorer(entering(*trunk), o["units"], shape))


def _dcgan(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    bottom, halvings = side_stages(shape[1]) or (0, 0)
    channels, size = [o["width"] << k for k in range(halvings)], (o["width"] << halvings - 1) * bottom**2
    normed, down_normed = o["generator_norm"] == "batch", o["discriminator_norm"] == "batch"
    side, rising = bottom, entering(linear(told.inputs(o["latent"]), size))
    rising += [told.norm(channels[-1], side)] if normed else []
    for inputs, outputs in pairwise(reversed(channels)):
        rising += [transposed(inputs, outputs, 4, side, bias=not normed)]
        side *= 2
        rising += [told.norm(outputs, side)] if normed else []
    rising += [transposed(channels[0], shape[0], 4, side), rectified(math.prod(shape))]

    side = shape[1] // 2
    trunk = entering(conv(told.seen(shape[0], True), channels[0], 4, 2 * side, side), rectified(channels[0] * side**2))
    for inputs, outputs in pairwise(channels):
        side //= 2
        trunk += [conv(inputs, outputs, 4, 2 * side, side, bias=not down_normed)]
        trunk += [norm(outputs, side)] if down_normed else []
        trunk += [rectified(outputs * side**2)]
    return Plan(rising, told.scorer(trunk, size, shape))


def _elu(inputs: int, outputs: int, before: int, after: int = 0) -> Layers:
    """An ELU in the convolution's own memory keeps its output, which is the next layer's input."""
    return [conv(inputs, outputs, 3, before, after)]


def _encoder(shape: Shape, code: int, width: int, depth: int) -> Layers:
    bottom, halvings = halvings_to_eight(shape[1]) or (0, 0)
    layers, channels, side = _elu(shape[0], width, shape[1]), width, shape[1]
    for k in range(1, halvings + 1):
        layers += [*(depth - 1) * _elu(channels, channels, side), *_elu(channels, k * width, side, side // 2)]
        channels, side = k * width, side // 2
    return [*layers, *depth * _elu(channels, channels, side), linear(channels * bottom**2, code)]


def _decoder(shape: Shape, code: int, width: int, depth: int, skip: bool, residual: bool) -> Layers:
    bottom, halvings = halvings_to_eight(shape[1]) or (0, 0)
    layers = [linear(code, width * bottom**2), *depth * _elu(width, width, bottom)]
    for k in range(1, halvings + 1):
        side = bottom << k
        entry = conv(width, width, 3, side) if residual else doubled(2 * width if skip else width, width, side // 2)
        layers += [entry, *(depth - 1) * _elu(width, width, side)]
    return [*layers, conv(width, shape[0], 3, shape[1])]


def _coder(inputs: int, outputs: int, width: int, depth: int = 2) -> Layers:
    hidden = [layer for ends in pairwise([inputs, *[width] * depth]) for layer in (linear(*ends), rectified(width))]
    return [*hidden, linear(width, outputs)]


def _autoencoder(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    wide, depth = o["generator_width"] or o["width"], o["depth"]
    if len(shape) == 1:
        code = min(o["code"], max(1, shape[0] // 2))
        coders = [*_coder(shape[0], code, o["width"], depth), *_coder(code, shape[0], o["width"], depth)]
        return Plan(entering(*_coder(o["latent"], shape[0], wide, depth)), entering(*coders), code=code)
    kind = (o["skip"], bool(o["vanishing"]) and not o["skip"])
    coders = [*_encoder(shape, o["code"], o["width"], depth), *_decoder(shape, o["code"], o["width"], depth, *kind)]
    return Plan(entering(*_decoder(shape, o["latent"], wide, depth, *kind)), entering(*coders), code=o["code"])


def _energy_autoencoder(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    width = o["width"]
    if len(shape) == 1:
        rising = _mlp(shape, told, {**o, "depth": 2, "pieces": 0, "dropout": 0}).generator
        coders = [*_coder(shape[0], 2 * shape[0], width), *_coder(2 * shape[0], shape[0], width)]
        return Plan(rising, entering(*coders), code=2 * shape[0])
    _, halvings = halvings_to_eight(shape[1]) or (0, 0)
    channels, normed = [shape[0], *(width << k for k in range(halvings))], o["discriminator_norm"] == "batch"
    side, layers = shape[1], Layers()
    for inputs, outputs in pairwise(channels):
        side //= 2
        layers += [conv(inputs, outputs, 4, 2 * side, side)]
        layers += [norm(outputs, side)] if normed and (outputs == channels[-1] or inputs != shape[0]) else []
        layers += [rectified(outputs * side**2)]
    code = channels[-1] * side**2
    for inputs, outputs in pairwise(channels[:0:-1]):
        layers += [transposed(inputs, outputs, 4, side)]
        side *= 2
        layers += [*([norm(outputs, side)] if normed else []), rectified(outputs * side**2)]
    layers += [transposed(width, shape[0], 4, side)]
    rising = _dcgan(shape, told, {**o, "generator_norm": "batch", "discriminator_norm": "none"}).generator
    return Plan(rising, entering(*layers), code=code)


def _laplacian_pyramid(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    bottom, halvings = halvings_to_eight(shape[1]) or (0, 0)
    colors, width, units, size = shape[0], o["width"], o["units"], shape[0] * bottom**2
    rising = _dense([o["latent"], units, units], size)
    falling = [*_dense([size, units, units], 1), rectified(2 * units)]
    for side in (bottom << k for k in range(1, halvings + 1)):
        half = (side + 1) // 2
        rising += entering(conv(colors + 1, width, 7, side), conv(width, width, 7, side), conv(width, colors, 5, side))
        falling += entering(
            conv(colors, width, 5, side),
            conv(width, width, 5, side, half),
            *(rectified(width * half**2), linear(width * half**2, 1)),
        )
    return Plan(rising, falling)


def _resnet(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    levels, normed = sides(shape[1]), o["generator_norm"] == "batch"
    channels = taper(o["width"], levels, o["full_side"])
    rising = entering(linear(told.inputs(o["latent"]), channels[0] * levels[0] ** 2))
    for side, (inputs, outputs) in zip(levels[1:], pairwise(channels), strict=True):
        rising += [told.norm(inputs, side // 2)] if normed else []
        rising += [doubled(inputs, outputs, side // 2), *([told.norm(outputs, side)] if normed else [])]
        rising += [conv(outputs, outputs, 3, side), conv(inputs, outputs, 1, side // 2)._replace(kept=0)]
    rising += [norm(channels[-1], shape[1])] if normed else []
    rising += [conv(channels[-1], shape[0], 3, shape[1]), rectified(math.prod(shape))]

    width = max(1, round(o["width"] * o["discriminator_ratio"]))
    smallest, halvings = halvings_to_eight(shape[1]) or (0, 0)
    after = [shape[1] >> k for k in range(1, halvings + 1)] + [smallest] * o["plain"]
    narrow, planes = taper(width, after, o["full_side"]), told.seen(shape[0], True)
    trunk = _first(planes, narrow[0], shape[1], o["discriminator_norm"] != "none")
    for (before, now), (inputs, outputs) in zip(pairwise(after), pairwise(narrow), strict=True):
        trunk += _down(inputs, outputs, before, now, o["discriminator_norm"] != "none")
    return Plan(rising, told.scorer(trunk, narrow[-1], shape))


def _first(planes: int, channels: int, side: int, normed: bool) -> Layers:
    """The block that reads pixels, in its branch and in its shortcut."""
    branch = [conv(planes, channels, 3, side), *([norm(channels, side)] if normed else []), halved(channels, channels, side)]
    pooled, shortcut = rectified(planes * side**2), conv(planes, channels, 1, side // 2)
    return [*entering(*branch), pooled, *entering(shortcut)]


def _down(inputs: int, outputs: int, before: int, after: int, normed: bool) -> Layers:
    normal = [norm(inputs, before)] if normed else []
    branch = [*normal, conv(inputs, inputs, 3, before), *normal]
    if before == after:
        return [*branch, conv(inputs, outputs, 3, before), *([conv(inputs, outputs, 1, before)] if inputs != outputs else [])]
    return [*branch, halved(inputs, outputs, before), rectified(inputs * before**2), conv(inputs, outputs, 1, after)]


def _wide(channels: int, side: int, o: Mapping[str, Any]) -> Layers:
    """One stage of R3GAN's blocks."""
    inner = channels * o["expansion"]
    numbers = rectified(inner * side**2)
    block = [
        *(conv(channels, inner, 1, side), numbers),
        *(conv(inner, inner, 3, side, groups=inner // math.gcd(inner, o["group"])), numbers),
        conv(inner, channels, 1, side, bias=False),
    ]
    return int(o["blocks"]) * block


def _r3gan(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    levels, given = sides(shape[1]), told.generator == "input"
    channels, bottom = taper(o["width"], levels, o["full_side"]), levels[0]
    last, latent = channels[0], o["latent"]
    basis = linear(2 * latent if given else latent, last, bias=False)._replace(entry=not given)
    mapping = entering(linear(told.classes, latent, bias=False)) if given else []
    rising = [loose(last * bottom**2), basis, *_wide(last, bottom, o)]
    for side, (inputs, outputs) in zip(levels[1:], pairwise(channels), strict=True):
        rising += [conv(inputs, outputs, 1, side // 2, bias=False)] if inputs != outputs else []
        rising += [filtered(outputs, (side // 2) ** 2), *_wide(outputs, side, o)]
    rising += [conv(channels[-1], shape[0], 1, shape[1], bias=False)]

    falling = entering(conv(told.seen(shape[0], True), channels[-1], 1, shape[1], bias=False))
    for side, (inputs, outputs) in zip(reversed(levels[:-1]), pairwise(reversed(channels)), strict=True):
        falling += [*_wide(inputs, 2 * side, o), filtered(inputs, side**2)]
        falling += [conv(inputs, outputs, 1, side, bias=False)] if inputs != outputs else []
    falling += [*_wide(last, bottom, o), conv(last, last, bottom, bottom, 1, bias=False, groups=last)]
    falling += [linear(last, last, bias=False)] if told.discriminator == "projection" else []
    return Plan(rising, told.scorer(falling, last, shape), mapping)


def _modulated(inputs: int, outputs: int, latent: int, side: int, size: int = 3, double: bool = False) -> Layers:
    """Style, convolution, demodulation where there is any; ``side`` is that of the result."""
    if size == 1:
        return [linear(latent, inputs), conv(inputs, outputs, 1, side, bias=False), loose(outputs)]
    convolution = transposed(inputs, outputs, 3, side // 2, bias=False) if double else conv(inputs, outputs, 3, side, bias=False)
    layers = [linear(latent, inputs), rectified(convolution.kept), convolution, Layer(products=inputs * outputs)]
    layers += [filtered(outputs, side**2)] if double else []
    return [*layers, loose(1 + outputs), rectified(2 * outputs * side**2)]


def _stylegan2(shape: Shape, told: Told, o: Mapping[str, Any]) -> Plan:
    levels, latent, given = sides(shape[1]), o["latent"], told.generator == "input"
    channels, colors = taper(o["width"], levels, o["full_side"]), shape[0]
    width = [latent * (2 if given else 1), *[latent] * o["mapping_depth"]]
    mapping = [layer for ends in pairwise(width) for layer in (linear(*ends), rectified(latent))]
    mapping = [*entering(linear(told.classes, latent)), *mapping] if given else entering(*mapping) if mapping else []

    rising = [loose(channels[0] * levels[0] ** 2), *_modulated(channels[0], channels[0], latent, levels[0])]
    rising += _modulated(channels[0], colors, latent, levels[0], size=1)
    for side, (inputs, outputs) in zip(levels[1:], pairwise(channels), strict=True):
        rising += _modulated(inputs, outputs, latent, side, double=True)
        rising += [*_modulated(outputs, outputs, latent, side), *_modulated(outputs, colors, latent, side, size=1)]
        rising += [filtered(colors, (side // 2) ** 2)]

    trunk = entering(conv(told.seen(colors, True), channels[-1], 1, shape[1]), rectified(channels[-1] * shape[1] ** 2))
    for side, (inputs, outputs) in zip(reversed(levels[:-1]), pairwise(reversed(channels)), strict=True):
        trunk += _half(inputs, outputs, side, o["residual"])
    bottom, last = levels[0], channels[0]
    trunk += [conv(last + (1 if o["group"] else 0), last, 3, bottom), rectified(last * bottom**2)]
    trunk += [linear(last * bottom**2, last), rectified(last)]
    return Plan(rising, told.scorer(trunk, last, shape), mapping)


def _half(inputs: int, outputs: int, after: int, residual: bool) -> Layers:
    """StyleGAN2's residual block from twice the side ``after``."""
    layers = [conv(inputs, inputs, 3, 2 * after), rectified(inputs * (2 * after) ** 2)]
    layers += [filtered(inputs, (2 * after + 1) ** 2), conv(inputs, outputs, 3, 2 * after + 1, after)]
    layers += [rectified(outputs * after**2)]
    return [*layers, *([filtered(inputs, after**2), conv(inputs, outputs, 1, after, bias=False)] if residual else [])]


_PLANS: dict[str, Callable[[Shape, Told, Mapping[str, Any]], Plan]] = {
    "mlp": _mlp,
    "original": _original,
    "original-convolutional": _original_convolutional,
    "dcgan": _dcgan,
    "autoencoder": _autoencoder,
    "energy-autoencoder": _energy_autoencoder,
    "laplacian-pyramid": _laplacian_pyramid,
    "resnet": _resnet,
    "r3gan": _r3gan,
    "stylegan2": _stylegan2,
}


def plan(architecture: str, shape: Shape, told: Told, options: Mapping[str, Any]) -> Plan:
    """The layers of both networks for data of ``shape``; every option has to be a number, none ``auto``."""
    return _PLANS[architecture](shape, told, options)
