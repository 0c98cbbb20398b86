"""BEGAN's and EBGAN's networks: sizes as published, scores as defined, and the options of each."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from ganwise import catalog, checkpoint
from ganwise.build import build
from ganwise.catalog import choice
from ganwise.data import load
from ganwise.metrics.sliced import sliced_wasserstein
from ganwise.model import Model
from ganwise.networks.autoencoder import Decoder, VanishingResidual, autoencoder
from ganwise.networks.energy import energy_autoencoder
from ganwise.networks.labels import UNLABELED
from ganwise.recipe import Recipe, Schedule, change
from ganwise.shapes import halvings_to_eight
from ganwise.testing import check_architecture
from ganwise.train import train
from ganwise.types import Record, Shape, Unusable, Value


def began(**options: Value) -> Recipe:
    architecture = choice("autoencoder", **{"width": 4, **options})
    return Recipe(architecture=architecture, loss=choice("boundary-equilibrium"), schedule=Schedule(batch=8))


def ebgan(**changes: Value) -> Recipe:
    architecture = choice("energy-autoencoder", width=8)
    recipe = Recipe(architecture=architecture, loss=choice("energy-margin"), schedule=Schedule(batch=32))
    return change(recipe, changes) if changes else recipe


def weights(*networks: nn.Module) -> int:
    return sum(w.numel() for network in networks for w in network.parameters())


def test_both_pass_the_conformance_suite() -> None:
    check_architecture(autoencoder, ((1, 8, 8), (3, 32, 32), (5,)), (UNLABELED,), width=4, vanishing=5)
    check_architecture(energy_autoencoder, ((1, 8, 8), (3, 32, 32)), (UNLABELED,), mixes_samples=True, width=4)
    check_architecture(energy_autoencoder, ((3, 10, 10), (5,)), (UNLABELED,), width=4, discriminator_norm="none")


# BEGAN


def test_the_largest_model_of_the_paper_has_its_17_3_million_weights() -> None:
    """128 x 128, n = 128, h = z = 64, both players, skip connections in both; the paper gives the rounded total alone."""
    made = autoencoder((3, 128, 128), width=128, skip=True)
    n, convolution = 128, lambda inputs, outputs: 9 * inputs * outputs + outputs
    encoder = convolution(3, n) + sum(convolution(k * n, k * n) for k in (1, 1, 2, 3, 4, 4))
    encoder += sum(convolution(max(k - 1, 1) * n, k * n) for k in (1, 2, 3, 4)) + (8 * 8 * 4 * n + 1) * 64
    decoder = 65 * 8 * 8 * n + 6 * convolution(n, n) + 4 * convolution(2 * n, n) + convolution(n, 3)
    assert (weights(made.discriminator), weights(made.generator)) == (encoder + decoder, decoder)
    assert encoder + 2 * decoder == 17_334_214


def test_a_side_is_halved_at_least_once_and_until_at_most_eight_are_left() -> None:
    bottoms = {8: (4, 1), 10: (5, 1), 16: (8, 1), 28: (7, 2), 32: (8, 2), 48: (6, 3), 64: (8, 3), 96: (6, 4), 128: (8, 4)}
    assert {side: halvings_to_eight(side) for side in bottoms} == bottoms
    assert halvings_to_eight(9) is None


OPTIONS: list[dict[str, Value]] = [
    {"skip": True},
    {"vanishing": 10},
    {"skip": True, "vanishing": 10, "depth": 3, "eta": 2, "last": "tanh"},
    {"depth": 1, "code": 7, "latent": 5, "last": "elu", "prior": "normal"},
    {"generator_width": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (1, 64, 64), (30,), (2,)], ids=str)
def test_every_option_makes_every_shape(shape: Shape, options: dict[str, Value]) -> None:
    if len(shape) == 1 and "skip" in options:
        with pytest.raises(Unusable, match="vectors have none"):
            build(began(**options), shape)
        return
    gan = build(began(**options), shape)
    fake = gan.generator(gan.generator.draw(3, gan.device))
    said = gan.discriminator(fake)
    assert fake.shape == (3, *shape)
    assert said.score.shape == (3,)
    assert said.code is not None
    assert said.code.shape == (
        3,
        min(int(options.get("code", 64)), shape[0] // 2) if len(shape) == 1 else options.get("code", 64),
    )
    said.score.sum().backward()
    assert all(w.grad is not None for network in (gan.generator, gan.discriminator) for w in network.parameters())


@pytest.mark.parametrize(("options", "why"), [({"eta": 3}, "eta is 1 or 2"), ({"last": "sigmoid"}, "linear, tanh, elu")])
def test_an_option_out_of_range_is_refused(options: dict[str, Value], why: str) -> None:
    with pytest.raises(Unusable, match=why):
        build(began(**options), (1, 8, 8))


def test_skip_connections_show_the_first_map_at_every_resolution() -> None:
    decoder = Decoder((1, 32, 32), 6, 5, skip=True)
    seen: list[torch.Tensor] = []
    for resolution in decoder.resolutions[1:]:
        resolution.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    code = torch.randn(2, 6)
    decoder(code)
    first = decoder.first(code)
    assert [x.shape[1:] for x in seen] == [(10, 8, 8), (10, 16, 16)]  # each resolution doubles them itself
    for x in seen:
        torch.testing.assert_close(x[:, 5:], interpolate(first, size=x.shape[2:], mode="nearest"))


def test_a_residual_vanishes_linearly_and_only_in_updates() -> None:
    inner = nn.Linear(3, 3).double()
    layer, x = VanishingResidual(inner, steps=4), torch.randn(2, 3, dtype=torch.float64)
    update = partial(layer.update, None, None, {})  # type: ignore[arg-type]
    for carry in (1.0, 0.75, 0.5, 0.25, 0.0, 0.0):
        torch.testing.assert_close(layer(x), carry * x + (1 - carry) * inner(x), rtol=0, atol=1e-12)
        torch.testing.assert_close(layer(x), layer(x), rtol=0, atol=0)
        update()


def test_vanishing_networks_start_shallow_and_are_the_plain_ones_at_the_end() -> None:
    slow, plain = build(began(vanishing=10), (1, 16, 16)), build(began(), (1, 16, 16))
    for mine, theirs in zip(slow.generator.parameters(), plain.generator.parameters(), strict=True):
        mine.data.copy_(theirs.data)
    residuals = [m for m in slow.generator.modules() if isinstance(m, VanishingResidual)]
    assert len(residuals) == 4
    z = slow.generator.draw(2, slow.device)
    decoder = slow.generator.synthesis[0]
    shallow = decoder.last(interpolate(decoder.first(z), scale_factor=2.0, mode="nearest"))
    torch.testing.assert_close(slow.generator(z), shallow)
    for residual in residuals:
        residual.count.fill_(10)
    torch.testing.assert_close(slow.generator(z), plain.generator(z))


def test_vanishing_goes_on_from_a_checkpoint_as_if_it_had_never_stopped() -> None:
    data, recipe = load("digits"), began(vanishing=6)
    whole, first, second = (build(recipe, data.shape) for _ in range(3))
    list(train(whole, data, steps=5, seed=1))
    record: Record = list(train(first, data, steps=3, seed=1))[-1]
    state = copy.deepcopy(checkpoint.state(first, record))
    list(train(second, data, steps=5, seed=1, start=state))
    ours, theirs = checkpoint.tensors(whole), checkpoint.tensors(second)
    counts = [name for name in ours if name.endswith(".count")]
    assert {name.split(".")[0] for name in counts} == {"generator", "discriminator", "average"}
    assert all(float(ours[name]) == 5 for name in counts)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


# EBGAN


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (3, 32, 32)], ids=str)
def test_an_energy_is_the_euclidean_norm_of_the_error_or_its_mean_square(shape: Shape) -> None:
    x = torch.randn(4, *shape, dtype=torch.float64)
    torch.manual_seed(0)
    network = energy_autoencoder(shape, width=6).discriminator.double()
    rebuilt = network.decoder(network.encoder(x))
    expected = ((rebuilt - x) ** 2).flatten(1).sum(1)
    assert rebuilt.shape == x.shape
    assert network(x).code.shape == (4, network.encoder(x).numel() // 4)
    torch.testing.assert_close(network(x).score.double(), expected.sqrt(), rtol=1e-6, atol=0)
    network.error = "mean-square"
    torch.testing.assert_close(network(x).score.double(), expected / x[0].numel(), rtol=1e-6, atol=0)


def test_ebgans_discriminator_is_normalized_but_for_its_first_and_last_layer() -> None:
    network = energy_autoencoder((3, 64, 64), width=64).discriminator
    maps = [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert maps == [128, 256, 128, 64]
    small = energy_autoencoder((1, 8, 8), width=64).discriminator
    assert [m.num_features for m in small.modules() if isinstance(m, nn.BatchNorm2d)] == [64], "of one halving, the code"
    assert not build(ebgan(), (1, 8, 8)).together
    assert build(ebgan(**{"architecture.discriminator_norm": "none"}), (1, 8, 8)).together
    with pytest.raises(Unusable, match="batch normalization in the discriminator mixes"):
        catalog.check(ebgan(**{"regularizers.r1": True}))


def test_an_automatic_margin_is_half_the_energy_of_noise_and_measuring_it_changes_nothing() -> None:
    margins = {}
    for shape in ((2,), (1, 28, 28), (3, 64, 64)):
        gan = build(ebgan(), shape)
        margins[shape] = float(gan.recipe.loss.options["margin"])
        noise = torch.randn(256, *shape) if len(shape) == 1 else torch.rand(256, *shape) * 2 - 1
        measured, told = checkpoint.tensors(gan), checkpoint.tensors(build(gan.recipe, shape))
        assert all(torch.equal(value, told[name]) for name, value in measured.items())
        assert margins[shape] == pytest.approx(gan.discriminator(noise).score.mean().item() / 2, rel=0.1)
    assert 10 / 2 < margins[1, 28, 28] < 10 * 2, "the authors' margin for MNIST is 10"
    assert 20 / 2 < margins[3, 64, 64] < 20 * 2, "and 20 for faces"


def test_ebgan_learns_digits_with_its_automatic_margin() -> None:
    data = load("digits")
    recipe = ebgan(**{"schedule.generator.learning_rate": 1e-3, "schedule.discriminator.learning_rate": 1e-3})
    gan = build(change(recipe, {"architecture.width": 32, "schedule.batch": 64, "schedule.ema": 0.98}), data.shape)
    margin = float(gan.recipe.loss.options["margin"])
    records = list(train(gan, data, steps=350, every=50))
    assert records[-1].signals["score_real"] < margin, "real samples lie below the margin"
    assert 0.6 < records[-1].signals["spread"] < 1.3
    real = data.part("train")[:500].reshape(500, -1) / 255
    distances = [
        sliced_wasserstein(real, Model(each).sample(500).reshape(500, -1) / 255).value
        for each in (gan, build(gan.recipe, data.shape))
    ]
    assert distances[0] < 0.3 * distances[1], "0.44 before training; real samples lie .05 apart"
