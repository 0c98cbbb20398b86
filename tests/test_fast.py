"""What makes the step fast computes what the usual way computes: each shortcut beside torch's own words for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate

from ganwise import checkpoint, machine, pace
from ganwise.artifacts import RunDirectory
from ganwise.build import GAN, build
from ganwise.catalog import choice
from ganwise.data import load
from ganwise.networks import linear as fully
from ganwise.networks.autoencoder import ELU
from ganwise.networks.convolution import (
    Conv2d,
    DoubledConv,
    Geometry,
    HalvedConv,
    convolve,
    differentiated_twice,
)
from ganwise.networks.linear import Linear
from ganwise.networks.maps import Double
from ganwise.recipe import Recipe, Schedule, change
from ganwise.study.trial import Limit, Stop, Trial
from ganwise.train import train
from ganwise.types import Unusable

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


def test_filters_on_single_channels_are_computed_in_float32_in_a_run_in_bfloat16() -> None:
    x = torch.randn(2, 5, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = Double()(x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, Double()(x).bfloat16())


def of_both(layer: nn.Module, x: Tensor, twice: bool) -> list[Tensor]:
    """The value of a layer, its gradients, and those of its slope."""
    y = layer(x)
    if not twice:
        return [y, *torch.autograd.grad(y.square().sum(), (x, *layer.parameters()))]
    (slope,) = torch.autograd.grad(y.tanh().sum(), x, create_graph=True)
    return [slope, *torch.autograd.grad(slope.square().sum(), (x, *layer.parameters()))]


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_a_linear_layer_by_the_other_library_has_torchs_gradients(twice: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, x = Linear(256, 192), torch.randn(5, 256).requires_grad_()
    found = {}
    for way in (False, True):
        monkeypatch.setattr(fully, "elsewhere", lambda way=way: way)
        found[way] = of_both(layer, x, twice)
        assert ("_Linear" in type(layer(x).grad_fn).__name__) == way
    for ours, theirs in zip(found[True], found[False], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


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


@pytest.mark.parametrize(
    ("name", "shape", "low"), [("mlp", (1, 28, 28), True), ("mlp", (2,), False), ("dcgan", (1, 28, 28), True)]
)
def test_bfloat16_is_chosen_for_large_layers_where_the_processor_has_it(name, shape, low, monkeypatch) -> None:
    network = build(Recipe(architecture=choice(name), loss=choice("non-saturating")), shape).generator
    for native in (False, True):
        monkeypatch.setattr(machine, "native_bf16", lambda native=native: native)
        assert machine.precision("auto", "cpu", network) == (torch.bfloat16 if low and native else None)
        assert machine.precision("fp32", "cpu", network) is None


SMALL = Recipe(architecture=choice("dcgan", width=4), loss=choice("non-saturating"), schedule=Schedule(batch=16))
DEEP = change(SMALL, {"architecture.name": "resnet", "architecture.width": 64})


def test_each_way_is_timed_on_copies_and_neither_weights_nor_random_numbers_move() -> None:
    gan = build(DEEP, (1, 8, 8))
    state = checkpoint.tensors(gan)
    times = pace.timed(gan, list(machine.WAYS))
    assert list(times) == list(machine.WAYS)
    assert min(times.values()) > 0
    assert all(torch.equal(value, state[name]) for name, value in checkpoint.tensors(gan).items())
    assert gan.precision is None


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ([10, 9.5, 9.2, 9.1], "fp32"),
        ([10, 12, 8, 7.5], "bf16"),
        ([10, 12, 8, 7], "bf16-nchw"),
        ([10, 8, 7.5, 7.4], "fp32-nchw"),
    ],
)
def test_a_way_is_chosen_that_beats_the_simpler_ones_clearly(times: list[float], chosen: str) -> None:
    """So the plain step's own way, float32 with one channel after the other, is never faster than the chosen one by more."""
    told = dict(zip(["fp32", "fp32-nchw", "bf16", "bf16-nchw"], times, strict=True))
    assert pace.fastest(told) == chosen
    assert pace.MARGIN * told[chosen] <= told["fp32-nchw"]


def test_what_was_timed_is_kept_for_seeds_and_rates_and_the_rule_stands_where_nothing_may_be(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path))
    monkeypatch.setattr(machine, "native_bf16", lambda: True)
    monkeypatch.setattr(pace, "timed", lambda gan, ways: {name: 4.0 - 0.8 * i for i, name in enumerate(ways)})
    first = pace.choose(DEEP, (1, 8, 8))
    assert first.way == "bf16-nchw"
    monkeypatch.setattr(pace, "timed", lambda gan, ways: pytest.fail("timed again"))
    assert pace.choose(change(DEEP, {"schedule.generator.learning_rate": 1e-5}), (1, 8, 8)) == first
    assert pace.choose(SMALL, (1, 8, 8)) == ("fp32", {})
    torch.use_deterministic_algorithms(True)
    try:
        assert pace.choose(DEEP, (1, 8, 8)) == ("bf16", {})
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", machine.WAYS)
def test_in_every_way_a_run_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(name: str) -> None:
    def made() -> GAN:
        gan = build(SMALL, (1, 8, 8))
        gan.compute(*machine.way(name))
        return gan

    data, whole, first, second = load("digits"), made(), made(), made()
    list(train(whole, data, steps=4))
    (half,) = train(first, data, steps=2)
    list(train(second, data, steps=4, start=checkpoint.state(first, half)))
    wanted = checkpoint.tensors(whole)
    assert all(torch.equal(value, wanted[key]) for key, value in checkpoint.tensors(second).items())


def test_both_layouts_train_the_same_weights_but_for_rounding() -> None:
    found = []
    for name in ("fp32", "fp32-nchw"):
        gan = build(SMALL, (1, 8, 8))
        gan.compute(*machine.way(name))
        list(train(gan, load("digits"), steps=3))
        found.append(torch.cat([w.flatten() for w in gan.generator.parameters()]))
    assert (found[0] - found[1]).norm() < 1e-3 * found[0].norm()


def test_a_resumed_run_keeps_the_way_that_it_began_with(tmp_path, monkeypatch) -> None:
    """Also where this version, or another machine, would choose another by itself."""
    run = RunDirectory(tmp_path)
    for chosen, steps in (("fp32-nchw", 2), ("bf16", 4)):
        monkeypatch.setattr(pace, "choose", lambda *args, chosen=chosen: pace.Pace(chosen, {chosen: 1.5}))
        Trial(run, SMALL, load("digits"), Limit(steps=steps), checkpoint_every=1, resume=steps == 4).go(Stop(), n=50, draws=1)
        told = run.read()
        assert (told["precision"], told["layout"], told["probe"]) == ("float32", "contiguous", {"fp32-nchw": 1.5})
    assert told["steps"] == 4
    with pytest.raises(Unusable, match="its precision is float32, not bfloat16"):
        Trial(run, SMALL, load("digits"), Limit(steps=6), precision="bf16", checkpoint_every=1, resume=True).go(Stop(), n=50)
