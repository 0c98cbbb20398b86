"""What makes the step fast computes what the usual way computes: each shortcut beside torch's own words for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate

from ganwise import machine
from ganwise.artifacts import RunDirectory
from ganwise.build import build
from ganwise.catalog import choice
from ganwise.data import load
from ganwise.networks import convolution
from ganwise.networks.autoencoder import ELU
from ganwise.networks.convolution import (
    Conv2d,
    ConvTranspose2d,
    DoubledConv,
    Geometry,
    HalvedConv,
    convolve,
    differentiated_twice,
)
from ganwise.networks.maps import Double
from ganwise.recipe import Recipe
from ganwise.study.trial import Limit, Stop, Trial

KINDS = {
    "3x3": (Geometry(1, 1), (4, 3, 3, 3)),
    "4x4, stride 2": (Geometry(2, 1), (4, 3, 4, 4)),
    "transposed": (Geometry(2, 1, transposed=True), (3, 4, 4, 4)),
    "transposed, with a row more": (Geometry(3, 0, transposed=True, output_padding=1), (3, 4, 5, 5)),
    "in groups": (Geometry(1, 1, 3), (6, 1, 3, 3)),
}


def numbers(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64).requires_grad_()


def torchs(x: Tensor, weight: Tensor, bias: Tensor | None, g: Geometry) -> Tensor:
    if g.transposed:
        return conv_transpose2d(x, weight, bias, g.stride, g.padding, g.output_padding, g.groups)
    return conv2d(x, weight, bias, g.stride, g.padding, groups=g.groups)


def grown(x: Tensor, layer: nn.Conv2d) -> Tensor:
    return conv2d(interpolate(x, scale_factor=2.0), layer.weight, layer.bias, padding=1)


def shrunk(x: Tensor, layer: nn.Conv2d) -> Tensor:
    return avg_pool2d(conv2d(x, layer.weight, layer.bias, padding=1), 2)


@pytest.mark.parametrize("side", [(4, 4), (2, 2), (6, 10)])
@pytest.mark.parametrize(("kind", "usual"), [(DoubledConv, grown), (HalvedConv, shrunk)], ids=["doubled", "halved"])
def test_resampling_folded_into_a_convolution_is_the_same_function_with_the_same_gradients(kind, usual, side) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 5).double(), numbers(2, 3, *side)
    y, reference = layer(x), usual(x, layer)
    torch.testing.assert_close(y, reference, rtol=0, atol=1e-12)
    back, inputs = torch.randn_like(y), (x, *layer.parameters())
    found, wanted = (torch.autograd.grad(out, inputs, back) for out in (y, reference))
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def slopes(geometry: Geometry, x: Tensor, weight: Tensor, bias: Tensor, twice: bool) -> tuple[Tensor, ...]:
    """The gradients of a penalty on the slope of a convolution's energy."""
    if twice:
        with differentiated_twice():
            y = convolve(x, weight, bias, geometry)
    else:
        y = torchs(x, weight, bias, geometry)
    (slope,) = torch.autograd.grad(y.tanh().square().sum(), x, create_graph=True)
    return torch.autograd.grad((slope.flatten(1).norm(dim=1) - 1).square().mean(), (x, weight, bias))


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_a_slope_is_torchs(kind: str) -> None:
    torch.manual_seed(0)
    geometry, shape = KINDS[kind]
    outputs = shape[1] if geometry.transposed else shape[0]
    given = numbers(2, 3, 8, 8), numbers(*shape), numbers(outputs)
    for ours, theirs in zip(slopes(geometry, *given, True), slopes(geometry, *given, False), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_weights_gradient_as_a_product_is_the_convolutions(transposed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64 to rounding; in a run in bfloat16 it is taken where AMX is, and is within that precision."""
    torch.manual_seed(0)
    made = (ConvTranspose2d if transposed else Conv2d)(64, 24 if not transposed else 64, 4, 2, 1)
    x = torch.randn(3, 64, 4, 4) if transposed else torch.randn(3, 64, 8, 8)
    geometry = Geometry(2, 1, transposed=transposed)
    wide = made.weight.double()
    y = torchs(x.double(), wide, None, geometry)
    back = torch.randn_like(y)
    exact = geometry.backward([False, True, False], back, x.double(), wide)[1]
    torch.testing.assert_close(convolution.product(back, x.double(), wide, geometry), exact, rtol=1e-12, atol=1e-12)

    monkeypatch.setattr(convolution, "_amx", lambda: True)
    with torch.autocast("cpu", torch.bfloat16):
        low = made(x)
    assert "_Convolution" in type(low.grad_fn).__name__
    low.backward(back.to(low))
    assert made.weight.grad is not None
    assert made.bias is not None
    assert made.bias.grad is not None
    assert (made.weight.grad - exact).norm() < 0.01 * exact.norm()
    assert (made.bias.grad - back.sum((0, 2, 3))).norm() < 0.01 * back.sum((0, 2, 3)).norm()


def test_filters_on_single_channels_are_computed_in_float32_in_a_run_in_bfloat16() -> None:
    x = torch.randn(2, 5, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = Double()(x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, Double()(x).bfloat16())


def test_an_elu_in_place_has_the_gradients_of_one_beside_it_twice() -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(Conv2d(2, 3, 3, padding=1), ELU()).double()
    x = numbers(2, 2, 4, 4)
    beside = nn.functional.elu(layer[0](x))
    torch.testing.assert_close(layer(x), beside, rtol=0, atol=1e-14)
    found = []
    for y in (layer(x), beside):
        (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        found.append([slope, *torch.autograd.grad(slope.square().sum(), (x, *layer.parameters()), allow_unused=True)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("name", "shape", "low"), [("mlp", (1, 28, 28), True), ("mlp", (2,), False), ("dcgan", (1, 8, 8), True)])
def test_bfloat16_is_chosen_for_large_layers_where_the_processor_has_it(name, shape, low, monkeypatch) -> None:
    network = build(Recipe(architecture=choice(name), loss=choice("non-saturating")), shape).generator
    for native in (False, True):
        monkeypatch.setattr(machine, "native_bf16", lambda native=native: native)
        assert machine.precision("auto", "cpu", network) == (torch.bfloat16 if low and native else None)
        assert machine.precision("fp32", "cpu", network) is None


def test_a_resumed_run_keeps_the_precision_that_it_began_with(tmp_path, monkeypatch) -> None:
    """Also where this version, or another machine, would choose another by itself."""
    recipe = Recipe(architecture=choice("dcgan", width=4), loss=choice("non-saturating"))
    run = RunDirectory(tmp_path)
    for native, steps in ((False, 2), (True, 4)):
        monkeypatch.setattr(machine, "native_bf16", lambda native=native: native)
        Trial(run, recipe, load("digits"), Limit(steps=steps), checkpoint_every=1, resume=steps == 4).go(Stop(), n=50, draws=1)
        assert run.read()["precision"] == "float32"
    assert run.read()["steps"] == 4
