"""ResNet, R3GAN and StyleGAN2: their layers against formulas written out, their sizes against what was published."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from test_export import with_extra
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, leaky_relu, relu

from ganwise import export
from ganwise.build import GAN, build
from ganwise.catalog import choice
from ganwise.model import Model
from ganwise.networks import Labels, r3gan, resnet, stylegan2
from ganwise.networks.maps import Double, Halve, Smooth
from ganwise.networks.r3gan import Block
from ganwise.networks.r3gan import initialize as fix_up
from ganwise.networks.resnet import Residual
from ganwise.networks.stylegan2 import Mapping, Modulated, Spread, equalize
from ganwise.recipe import Choice, Recipe
from ganwise.shapes import sides, taper
from ganwise.types import Unusable, Value

THREE = ("resnet", "r3gan", "stylegan2")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def made(architecture: str, side: int = 16, classes: int = 0, regularizers: tuple[Choice, ...] = (), **options: Value) -> GAN:
    recipe = Recipe(
        architecture=choice(architecture, **{"width": 8, "latent": 6, "full_side": 8} | options),
        loss=choice("non-saturating"),
        regularizers=regularizers,
        conditioning=choice("projection") if classes else None,
    )
    return build(recipe, (3, side, side), classes=classes)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


# sizes


CONDITIONAL = Labels(10, "input", "projection")
THOUSAND = Labels(1000, "input", "projection")
F = {"full_side": 64}


@pytest.mark.parametrize(
    ("architecture", "side", "labels", "options", "generator", "discriminator"),
    [
        # counted in the code of pfnet-research/sngan_projection; its D has no bias in the last layer
        (resnet, 32, Labels(), {}, 4_276_739, 1_053_824 + 1),
        # what NVlabs/stylegan2-ada-pytorch prints when it trains at 1024 pixels; eight mapping layers are six more of 262,656
        (stylegan2, 1024, Labels(), {"mapping_depth": 2}, 28_794_124, 29_012_513),
        (stylegan2, 1024, Labels(), {}, 28_794_124 + 6 * 262_656, 29_012_513),
        # as published, in millions: StackedMNIST, CIFAR-10 with labels, FFHQ-64, FFHQ-256, ImageNet-32, ImageNet-64
        (r3gan, 32, Labels(), {}, 20.7e6, None),
        (r3gan, 32, CONDITIONAL, {}, 20.8e6, None),
        (r3gan, 64, Labels(), {}, 22.4e6, None),
        (r3gan, 256, Labels(), {}, 23.1e6, None),
        (r3gan, 32, THOUSAND, {"width": 1536, "group": 32}, 82.9e6, None),
        (r3gan, 64, THOUSAND, {"width": 1536, "group": 32, **F}, 103.6e6, None),
    ],
)
def test_the_published_sizes(architecture, side, labels, options, generator, discriminator) -> None:  # type: ignore[no-untyped-def]
    with torch.device("meta"):
        networks = architecture((3, side, side), labels, **options)
    if discriminator is None:
        assert round(count(networks.generator) / 1e5) == round(generator / 1e5)
    else:
        assert (count(networks.generator), count(networks.discriminator)) == (generator, discriminator)


def test_channels_halve_with_each_doubling_beyond_the_full_side() -> None:
    assert taper(512, sides(1024), 64) == [512, 512, 512, 512, 512, 256, 128, 64, 32]
    assert taper(768, sides(32), 32) == [768] * 4
    assert taper(64, sides(28), 8) == [64, 32, 16]
    assert taper(4, sides(128), 4) == [4, 2, 1, 1, 1, 1]


# resampling


def spread_out(x: Tensor) -> Tensor:
    """Zeros between the pixels."""
    y = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    y[:, :, ::2, ::2] = x
    return y


def filtered(x: Tensor, before: int, after: int) -> Tensor:
    """[1, 3, 3, 1] / 8 along both sides, by hand, with so many zeros before and after."""
    for dim in (2, 3):
        around = list(x.shape)
        around[dim] = before
        ends = [torch.zeros(around, dtype=x.dtype)]
        around[dim] = after
        x = torch.cat([*ends, x, torch.zeros(around, dtype=x.dtype)], dim)
        n = x.shape[dim] - 3
        x = sum(w / 8 * x.narrow(dim, i, n) for i, w in enumerate((1, 3, 3, 1)))  # type: ignore[assignment]
    return x


def test_doubling_halving_and_smoothing_are_the_filter_written_out() -> None:
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(Double().double()(x), 4 * filtered(spread_out(x), 2, 1), atol=1e-10, rtol=0)
    torch.testing.assert_close(Halve().double()(x), filtered(x, 1, 1)[:, :, ::2, ::2], atol=1e-10, rtol=0)
    torch.testing.assert_close(Smooth(2, gain=3.0).double()(x), 3 * filtered(x, 2, 2), atol=1e-10, rtol=0)


def test_doubling_is_bilinear_inside() -> None:
    x = torch.randn(1, 2, 8, 8, dtype=torch.float64)
    expected = interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(Double().double()(x)[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-10, rtol=0)


# ResNet


def test_an_up_block_is_the_one_written_out() -> None:
    block = next(m for m in made("resnet", generator_norm="none").generator.double().modules() if isinstance(m, Residual))
    (c1, c2), skip = [m for m in block.branch if isinstance(m, nn.Conv2d)], block.shortcut[0]  # type: ignore[index]
    x = torch.randn(2, 8, 4, 4, dtype=torch.float64)
    up = relu(x).repeat_interleave(2, 2).repeat_interleave(2, 3)
    inner = conv2d(relu(conv2d(up, c1.weight, c1.bias, padding=1)), c2.weight, c2.bias, padding=1)
    around = conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), skip.weight, skip.bias)
    torch.testing.assert_close(block(x), inner + around, atol=1e-10, rtol=0)


def test_the_first_down_block_reads_pixels_and_the_last_blocks_keep_the_side() -> None:
    gan = made("resnet", side=32)
    first, second, third, last = [m for m in gan.discriminator.double().modules() if isinstance(m, Residual)]
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    c1, c2 = first.branch[0], first.branch[2]
    skip = first.shortcut[-1]  # type: ignore[index]
    inner = conv2d(relu(conv2d(x, c1.weight, c1.bias, padding=1)), c2.weight, c2.bias, padding=1)
    whole = inner + conv2d(x, skip.weight, skip.bias)
    pooled = whole.unflatten(2, (16, 2)).unflatten(4, (16, 2)).mean((3, 5))
    torch.testing.assert_close(first(x), pooled, atol=1e-10, rtol=0)
    maps = [x]
    for block in (first, second, third, last):
        maps.append(block(maps[-1]))
    assert [m.shape[2] for m in maps] == [32, 16, 8, 8, 8]


def test_layer_normalization_in_the_discriminator_does_not_mix_samples_and_batch_normalization_does() -> None:
    x = torch.randn(4, 3, 16, 16)
    for norm, mixes in (("layer", False), ("none", False), ("batch", True)):
        gan = made("resnet", discriminator_norm=norm)
        alone = torch.cat([gan.discriminator(x[i : i + 1]).score for i in range(4)])
        assert gan.together != mixes
        assert torch.allclose(gan.discriminator(x).score, alone, atol=1e-5) != mixes


# R3GAN


def test_a_block_of_r3gan_is_the_one_written_out_and_starts_as_the_identity() -> None:
    block = Block(8, expansion=2, group=4).double()
    x = torch.randn(2, 8, 5, 5, dtype=torch.float64)
    wide = leaky_relu(conv2d(x, block.enter.weight, block.enter.bias), 0.2)
    groups = [
        conv2d(
            wide[:, 4 * g : 4 * g + 4], block.middle.weight[4 * g : 4 * g + 4], block.middle.bias[4 * g : 4 * g + 4], padding=1
        )
        for g in range(4)
    ]
    expected = x + conv2d(leaky_relu(torch.cat(groups, 1), 0.2), block.leave.weight)
    torch.testing.assert_close(block(x), expected, atol=1e-10, rtol=0)
    fix_up(block)
    assert torch.equal(block(x), x)


def test_the_fix_up_scales_by_the_number_of_blocks() -> None:
    network = nn.Sequential(*[Block(64, 2, 16) for _ in range(16)])
    fix_up(network)
    gain = (2 / (1 + 0.2**2)) ** 0.5
    for layer, fan_in in ((network[3].enter, 64), (network[3].middle, 16 * 9)):
        assert layer.weight.std().item() == pytest.approx(gain / 2 / fan_in**0.5, rel=0.05)
    assert all(not layer.bias.any() for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.bias is not None)


def test_groups_have_sixteen_channels_or_what_a_narrow_block_has() -> None:
    assert [Block(c, 2, 16).middle.groups for c in (768, 8, 4, 12, 1)] == [96, 1, 1, 3, 1]


def test_spectral_normalization_of_r3gan_is_refused() -> None:
    with pytest.raises(Unusable, match="starts at zero"):
        made("r3gan", regularizers=(choice("spectral-norm"),))


# StyleGAN2


@pytest.mark.parametrize(("double", "demodulate"), [(False, True), (True, True), (False, False)])
def test_a_modulated_convolution_is_one_with_weights_of_its_own_for_each_sample(double: bool, demodulate: bool) -> None:
    layer = Modulated(5, 7, latent=4, double=double, demodulate=demodulate).double()
    x, style = torch.randn(3, 5, 6, 6, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    out = []
    for i in range(3):
        scale = layer.affine.weight @ style[i] + layer.affine.bias
        weight = layer.convolution.weight.transpose(0, 1) if double else layer.convolution.weight
        weight = weight * scale[None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        each = x[i : i + 1]
        out.append(conv_transpose2d(each, weight.transpose(0, 1), stride=2) if double else conv2d(each, weight, padding=1))
    torch.testing.assert_close(layer(x, style), torch.cat(out), atol=1e-10, rtol=0)


def test_equalized_layers_have_a_variance_of_one_over_fan_in_and_learn_at_their_rate() -> None:
    slow, plain = nn.Linear(400, 300), nn.Conv2d(40, 50, 3)
    equalize(slow, rate=0.01)
    equalize(plain)
    assert slow.weight.std().item() == pytest.approx(1 / 20, rel=0.02)
    assert slow.parametrizations.weight.original.std().item() == pytest.approx(100, rel=0.02)
    assert plain.weight.std().item() == pytest.approx(1 / math.sqrt(360), rel=0.02)
    slow.parametrizations.bias.original.data.fill_(1.0)
    torch.testing.assert_close(slow.bias, torch.full((300,), 0.01))


def test_noise_is_drawn_in_training_and_fixed_in_evaluation() -> None:
    generator = made("stylegan2").generator
    z = generator.draw(4, torch.device("cpu"))
    for layer in generator.synthesis.layers:
        layer.strength.data.fill_(1.0)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    assert torch.equal(generator.eval()(z), generator(z))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(generator.train()(z), generator(z))


def test_mixed_styles_change_once_from_one_latent_to_another() -> None:
    mapping = Mapping(6, classes=3, depth=2, count=5, mixing=1.0)
    joined = torch.cat([torch.randn(64, 6), torch.eye(3)[torch.arange(64) % 3]], 1)
    own = mapping.one(joined)[:, None]
    styles = mapping(joined)
    kept = (styles == own).all(2)
    assert kept[:, 0].all()
    assert not kept[:, -1].any()
    assert (kept[:, 1:] <= kept[:, :-1]).all(), "never back again"
    assert kept.sum(1).unique().tolist() == [1, 2, 3, 4]
    torch.testing.assert_close(mapping.eval()(joined), own.expand(-1, 5, -1))


def test_the_spread_is_the_mean_deviation_within_groups() -> None:
    x = torch.randn(8, 3, 2, 2, dtype=torch.float64)
    planes = Spread(4)(x)[:, 3]
    for i in range(8):
        members = x[[j for j in range(8) if j % 2 == i % 2]]
        expected = (members.var(0, correction=0) + 1e-8).sqrt().mean()
        torch.testing.assert_close(planes[i], expected.expand(2, 2), atol=1e-10, rtol=0)
    assert Spread(4)(x[:7])[:, 3].allclose(torch.tensor(1e-4, dtype=torch.float64)), "seven samples make no group of four"


def test_a_discriminator_that_compares_samples_scores_real_and_fake_apart() -> None:
    assert not made("stylegan2").together
    assert made("stylegan2", group=0).together


def test_spectral_normalization_sees_the_equalized_weight() -> None:
    gan = made("stylegan2", regularizers=(choice("spectral-norm"),))
    for _ in range(60):
        gan.discriminator(torch.randn(2, 3, 16, 16))
    largest = [
        torch.linalg.matrix_norm(m.weight.flatten(1), 2).item() for m in gan.discriminator.modules() if isinstance(m, nn.Conv2d)
    ]
    np.testing.assert_allclose(largest, 1, rtol=0.02)


def test_a_copy_of_equalized_layers_is_a_copy() -> None:
    generator = made("stylegan2").generator.eval()
    z = generator.draw(2, torch.device("cpu"))
    before, twin = generator(z), copy.deepcopy(generator)
    for weight in twin.parameters():
        weight.data.zero_()
    assert torch.equal(generator(z), before)
    assert not twin(z).any()


# all three


@pytest.mark.parametrize("architecture", THREE)
def test_both_players_read_the_class(architecture: str) -> None:
    gan = made(architecture, classes=4)
    for batch_norm in [m for m in gan.generator.modules() if isinstance(m, nn.Embedding)]:  # by class, alike at the start
        nn.init.normal_(batch_norm.weight)
    generator = gan.generator.eval()
    z = generator.draw(1, torch.device("cpu")).expand(4, -1)
    made_of = generator(z, torch.arange(4))
    assert all(not torch.allclose(made_of[0], made_of[i], atol=1e-4) for i in range(1, 4))
    x = torch.randn(1, 3, 16, 16).expand(4, -1, -1, -1)
    assert gan.discriminator(x, torch.arange(4)).score.unique().numel() == 4


@pytest.mark.parametrize("architecture", THREE)
def test_the_penalty_on_slopes_has_the_gradient_that_differences_tell(architecture: str) -> None:
    discriminator = made(architecture, side=8).discriminator.double()
    for weight in discriminator.parameters():  # R3GAN's blocks start as the identity
        weight.data += 0.1 * torch.randn_like(weight)
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64, requires_grad=True)

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(discriminator(x).score.sum(), x, create_graph=True)
        return slope.square().sum()

    weights = [w for w in discriminator.parameters() if w.dim() == 4]
    gradients = torch.autograd.grad(penalty(), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        at = np.unravel_index(int(gradient.abs().argmax()), gradient.shape)
        values = []
        for step in (1e-6, -2e-6):
            weight.data[at] += step
            values.append(penalty().item())
        weight.data[at] += 1e-6
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient[at].item(), rel=1e-4)


@pytest.mark.parametrize("architecture", THREE)
def test_bfloat16_stays_near_float32_and_reaches_the_image(architecture: str) -> None:
    gan = made(architecture)
    generator = gan.generator.eval()
    z = generator.draw(4, torch.device("cpu"))
    full, score = generator(z), gan.discriminator(generator(z)).score
    with torch.autocast("cpu", torch.bfloat16):
        low = generator(z)
        low_score = gan.discriminator(full).score
    assert low.dtype == torch.bfloat16
    assert (low - full).norm() < 0.03 * full.norm()
    assert (low_score - score).norm() < 0.03 * score.norm()


@with_extra
@pytest.mark.parametrize("architecture", THREE)
def test_onnx_makes_the_same_samples_at_any_batch_size(architecture: str, tmp_path: Path) -> None:
    gan = made(architecture, side=8)
    for weight in gan.average.parameters():  # noise and blocks start without effect
        weight.data += 0.1 * torch.randn_like(weight)
    assert export.to_onnx(Model(gan), tmp_path / "model.onnx").is_file()  # it compares the two itself
