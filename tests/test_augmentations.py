"""What the discriminator sees: ranges of the authors' code, sampling exact where it can be, twice differentiable, controlled."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ganwise import catalog
from ganwise.augmentations import (
    POLICY,
    AdaptiveAugment,
    Augmentation,
    DiffAugment,
    InstanceNoise,
    cut,
    placements,
    shift,
    some,
    tint,
    warp,
)
from ganwise.build import AUGMENTATIONS, build
from ganwise.catalog import choice
from ganwise.data import load
from ganwise.objective import Output, Pass
from ganwise.recipe import Recipe, change
from ganwise.train import train
from ganwise.types import Unusable

ALL = torch.tensor(1.0)
MANY = 4000


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def picture(side: int = 8, colors: int = 3) -> Tensor:
    """One image whose numbers are all different, (1, C, side, side)."""
    return torch.linspace(-1, 1, colors * side * side)[torch.randperm(colors * side * side)].view(1, colors, side, side)


def copies(image: Tensor, n: int = MANY) -> Tensor:
    return image.expand(n, *image.shape[1:])


def passed(real: Tensor, sign: int = 1, threshold: float | None = 0.0, step: int = 0, batch: int = 10) -> Pass:
    """A pass of which only the scores matter."""
    x = torch.zeros(batch, 1)
    fake = torch.zeros_like(real) - sign
    return Pass(step, nn.Identity(), Output, x, x, x, None, Output(real), Output(fake), sign=sign, threshold=threshold)


# differentiable augmentation


def test_brightness_saturation_and_contrast_have_the_ranges_of_the_authors() -> None:
    gray = torch.full((MANY, 3, 4, 4), 0.3)
    brightness = POLICY["color"](gray)[:, 0, 0, 0] - 0.3
    assert -0.5 <= brightness.min() < -0.49
    assert 0.49 < brightness.max() <= 0.5
    image = copies(picture(4))
    found = POLICY["color"](image)
    colors = (found - found.mean(1, keepdim=True)).flatten(1).norm(dim=1) / (image - image.mean(1, keepdim=True)).flatten(1).norm(
        dim=1
    )
    light, lightest = found.mean(1).flatten(1), image.mean(1).flatten(1)
    contrast = (light - light.mean(1, keepdim=True)).norm(dim=1) / (lightest - lightest.mean(1, keepdim=True)).norm(dim=1)
    saturation = colors / contrast
    for values, low, high in ((contrast, 0.5, 1.5), (saturation, 0.0, 2.0)):
        assert low <= values.min() + 1e-5 < low + 0.02
        assert high - 0.02 < values.max() <= high + 1e-5
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.03)


def test_a_shift_is_one_of_all_whole_ones_up_to_an_eighth_with_gray_coming_in() -> None:
    image = picture(16)
    padded = pad(image, (2, 2, 2, 2))[0]
    known = {
        padded[:, down : down + 16, across : across + 16].contiguous().numpy().tobytes(): (down, across)
        for down in range(5)
        for across in range(5)
    }
    found = [known[x.contiguous().numpy().tobytes()] for x in shift(copies(image, 2000), 1 / 8, "constant")]
    assert set(found) == set(known.values())
    for value in range(5):
        assert sum(down == value for down, _ in found) / 2000 == pytest.approx(0.2, abs=0.04)


def test_a_cut_out_is_half_a_side_around_a_place_anywhere() -> None:
    whole = torch.ones(MANY, 2, 8, 8)
    found = cut(whole, 1 / 2)
    assert torch.equal(found[:, 0], found[:, 1])
    gone = (found[:, 0] == 0).sum((1, 2))
    assert set(gone.tolist()) == {a * b for a in (2, 3, 4) for b in (2, 3, 4)}, "as the authors' code at the edges"
    assert (gone == 16).float().mean().item() == pytest.approx((5 / 9) ** 2, abs=0.03)
    assert (found[:, 0].mean(0) < 1).all(), "everywhere at times"


def test_a_gray_image_has_no_colors_to_change() -> None:
    found = POLICY["color"](copies(picture(4, 1)))
    slopes = (found[:, 0, 0, 1] - found[:, 0, 0, 0]) / (picture(4, 1)[0, 0, 0, 1] - picture(4, 1)[0, 0, 0, 0])
    assert found.shape == (MANY, 1, 4, 4)
    assert slopes.isfinite().all()


def test_a_policy_is_made_of_known_steps() -> None:
    assert DiffAugment("color, cutout").policy == ["color", "cutout"]
    with pytest.raises(ValueError, match="not of colour"):
        DiffAugment("colour")


# adaptive augmentation: each piece


MATRICES: dict[str, tuple[list[list[float]], Callable[[Tensor], Tensor]]] = {
    "nothing": ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], lambda x: x),
    "mirrored": ([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], lambda x: x.flip(3)),
    "a quarter turn": ([[0, -1, 0], [1, 0, 0], [0, 0, 1]], lambda x: torch.rot90(x, 1, (2, 3))),
    "moved": ([[1, 0, 2], [0, 1, -1], [0, 0, 1]], lambda x: pad(x, (0, 2, 1, 0), "reflect")[:, :, :-1, 2:]),
}


@pytest.mark.parametrize("name", MATRICES)
def test_sampling_is_exact_for_mirrors_quarter_turns_and_whole_pixels(name: str) -> None:
    matrix, expected = MATRICES[name]
    image = picture()
    torch.testing.assert_close(warp(image, torch.tensor([matrix]).float()), expected(image), atol=1e-5, rtol=0)


def test_sampling_off_the_pixels_is_bilinear() -> None:
    ramp = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    moved = warp(ramp, torch.tensor([[[1, 0, 0.25], [0, 1, 0], [0, 0, 1]]]))
    torch.testing.assert_close(moved[..., :7], ramp[..., :7] + 0.25)


def test_every_change_happens_in_its_share_of_the_images_and_leaves_the_others() -> None:
    value = some(torch.tensor(0.3), torch.full((MANY, 2), 7.0), 1.0)
    assert torch.equal(value[:, 0], value[:, 1])
    assert set(value.unique().tolist()) == {1.0, 7.0}
    assert (value[:, 0] == 7).float().mean().item() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("p", [0.3, 0.8, 1.0])
def test_mirrored_images_stay_fewer_than_the_others_below_p_of_one(p: float) -> None:
    """What makes it leak nothing: the generator can't take the changed images for the more frequent ones."""
    found = placements(torch.zeros(MANY, 1, 8, 8), torch.tensor(p))
    assert (torch.linalg.det(found) < 0).float().mean().item() == pytest.approx(p / 2, abs=0.03)
    scale = torch.linalg.det(found).abs().log2() / 2
    assert (scale.abs() > 1e-4).float().mean().item() == pytest.approx(p, abs=0.03), "scaled in a share p"
    assert scale[scale.abs() > 1e-4].std().item() == pytest.approx(0.2, abs=0.02)


def test_angles_cover_the_circle() -> None:
    found = placements(torch.zeros(MANY, 1, 8, 8), ALL)
    angle = torch.atan2(found[:, 1, 0], found[:, 0, 0])
    assert torch.histc(angle, 8, -math.pi, math.pi).min() > 0.8 * MANY / 8


def test_colors_change_by_gain_mirroring_and_turning_about_the_gray_axis() -> None:
    """The map of colors is found from four of them, then checked against the group that the paper composes."""
    known = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64).T.view(1, 3, 2, 2)
    seen = tint(copies(known, 500), ALL.double()).flatten(2)
    offset, matrix = seen[:, :, :1], seen[:, :, 1:] - seen[:, :, :1]
    axis = torch.ones(3, 1, dtype=torch.float64) / 3**0.5
    along = (axis.T @ matrix @ axis).flatten()
    torch.testing.assert_close(matrix @ axis, along.view(-1, 1, 1) * axis)
    colors = matrix - along.view(-1, 1, 1) * axis @ axis.T
    gain = (colors.transpose(1, 2) @ colors).diagonal(dim1=1, dim2=2).sum(1) / 2
    projection = torch.eye(3, dtype=torch.float64) - axis @ axis.T
    torch.testing.assert_close(colors.transpose(1, 2) @ colors, gain.view(-1, 1, 1) * projection)
    assert (along < 0).double().mean().item() == pytest.approx(0.5, abs=0.08), "gray inverted in half of the images"
    contrast = along.abs()
    assert contrast.log2().std().item() == pytest.approx(0.5, abs=0.05)
    assert (gain.sqrt() / contrast).log2().std().item() == pytest.approx(1.0, abs=0.1)
    assert (offset[:, 0, 0] / along).std().item() == pytest.approx(0.2, abs=0.02)
    hue = torch.atan2(*((projection @ colors)[:, k, 0] for k in (1, 0)))
    assert hue.std() > 1, "hues all around"


def test_a_gray_image_is_lit_contrasted_and_inverted_alone() -> None:
    image = copies(torch.tensor([0.0, 1.0], dtype=torch.float64).view(1, 1, 1, 2), 500)
    found = tint(image, ALL.double()).flatten(1)
    assert ((found[:, 1] - found[:, 0]) < 0).double().mean().item() == pytest.approx(0.5, abs=0.08)


def test_at_p_zero_adaptive_augmentation_is_the_identity_to_the_bit() -> None:
    image = torch.randn(16, 3, 9, 9)
    assert torch.equal(AdaptiveAugment(0.0, cutout=1.0)(image), image)
    assert not torch.equal(AdaptiveAugment(0.5)(image), image)


def test_a_run_in_bfloat16_places_samples_as_one_in_float32_does() -> None:
    image = (torch.rand(8, 1, 32, 32) < 0.5).float() * 2 - 1
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(AdaptiveAugment(1e-9)(image), image, atol=1e-5, rtol=0)
    found = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found.append(AdaptiveAugment(0.5, cutout=0.5)(image))
    assert torch.equal(*found)


def test_strengths_multiply_p_of_colors_and_cut_outs() -> None:
    white = torch.ones(MANY, 3, 8, 8)
    found = AdaptiveAugment(0.6, colors=0.0, cutout=0.5)(white)
    assert ((found == 0).sum((1, 2, 3)) > 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    torch.testing.assert_close(found[found != 0], torch.ones(()).expand(int((found != 0).sum())), atol=1e-5, rtol=0)


# all augmentations


EACH: dict[str, Callable[[], Augmentation]] = {
    **{name: row for name, row in AUGMENTATIONS.items() if name != "ada"},
    "ada": lambda: AdaptiveAugment(0.8, cutout=0.5).double(),
    "noise": lambda: InstanceNoise(0.3),
}


@pytest.mark.parametrize("name", EACH)
def test_an_augmentation_is_differentiable_twice(name: str) -> None:
    """As R1 through an augmented discriminator needs, and the generator's gradient."""
    augmentation = EACH[name]()

    def seen(x: Tensor) -> Tensor:
        torch.manual_seed(2)
        y: Tensor = augmentation(x)
        return y + y**2

    x = torch.rand(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(seen, x)
    assert torch.autograd.gradgradcheck(seen, x)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 8), (2, 7, 7), (4, 28, 28), (3, 6, 10)], ids=str)
@pytest.mark.parametrize("name", ["diffaugment", "ada"])
def test_images_of_any_shape_come_out_as_they_went_in_and_each_is_changed_its_own_way(name: str, shape: tuple[int, ...]) -> None:
    image = torch.rand(1, *shape).expand(20, *shape)
    found = EACH[name]().float()(image)
    assert found.shape == image.shape
    assert found.isfinite().all()
    assert len({x.detach().numpy().tobytes() for x in found}) > 15


def test_instance_noise_fades_with_the_updates_of_the_discriminator() -> None:
    noise = InstanceNoise("0.5 -> 0 linear 10")
    for updates, sigma in ((0, 0.5), (5, 0.25), (10, 0.0), (99, 0.0)):
        if updates:
            p = passed(torch.zeros(2), step=updates - 1)
            noise.update(p, p, {})
        found = noise(torch.zeros(MANY, 2))
        assert found.std().item() == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_alone_are_augmented(name: str) -> None:
    recipe = change(catalog.named("r1gan"), {"augmentation.name": name})
    with pytest.raises(Unusable, match=f"{name} acts on images, and the data are vectors of 2 numbers"):
        build(recipe, (2,))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_both_players_see_augmented_samples_and_an_augmentation_has_the_traits_that_the_catalog_declares(name: str) -> None:
    traits = catalog.AUGMENTATIONS[name].traits
    options = {"p": 0.9} if name == "ada" else {}
    recipe = Recipe(architecture=choice("mlp", width=8), loss=choice("hinge"), augmentation=choice(name, **options))
    gan, seen = build(recipe, (1, 8, 8)), []
    gan.discriminator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    list(train(gan, load("digits"), steps=1))
    assert [len(x) for x in seen] == [128, 64], "D: real and fake together; G: fakes"
    assert seen[1].requires_grad
    white = torch.full((200, 1, 8, 8), 0.9)
    assert traits["erases"] == bool((gan.augment(white) == 0).any())
    adaptive = build(recipe.model_copy(update={"augmentation": choice(name)}), (1, 8, 8))
    records = list(train(adaptive, load("digits"), steps=12, every=1))
    assert traits["adapts"] == any("augment_p" in record.signals for record in records)


# the controller


def by_hand(signs: list[float], target: float, every: int, step: float) -> list[float]:
    """p after each call: every so many calls it moves by one step toward the target."""
    p, ps = 0.0, []
    for i in range(1, len(signs) + 1):
        if i % every == 0:
            mean = sum(signs[i - every : i]) / every
            p = min(max(p + (step if mean > target else -step if mean < target else 0.0), 0.0), 1.0)
        ps.append(p)
    return ps


@pytest.mark.parametrize(("sign", "threshold"), [(1, 0.0), (1, 2.5), (-1, 0.0), (-1, -1.0)])
def test_the_controller_follows_its_equation_for_logits_and_energies(sign: int, threshold: float) -> None:
    augmentation = AdaptiveAugment(target=0.31, every=4, images=1000)
    shares = torch.cat([0.6 + 0.4 * torch.rand(24), torch.rand(40)])  # too sure at first, then neither way
    signs = []
    for call, share in enumerate(shares):
        sides = torch.where(torch.arange(10) < round(10 * share.item()), 1.0, -1.0)
        signs.append(sides.mean().item())
        p = passed(sign * sides + threshold, sign, threshold, step=5 * call, batch=10)
        signals: dict[str, Tensor] = {}
        augmentation.update(p, p, signals)
        expected = by_hand(signs, 0.31, 4, 4 * 10 / 1000)[-1]
        assert signals["augment_p"].item() == pytest.approx(expected, abs=1e-6)
    ps = by_hand(signs, 0.31, 4, 0.04)
    assert max(ps) > max(0.1, ps[-1]), "it rose and fell"


def test_a_critic_without_a_threshold_is_judged_by_the_middle_of_its_scores() -> None:
    augmentation = AdaptiveAugment(every=1, images=100)
    p = passed(torch.full((10,), -50.0), threshold=None)
    p = p._replace(fake_out=Output(torch.full((10,), -60.0)))
    augmentation.update(p, p, {})
    assert augmentation.p.item() == pytest.approx(0.1), "all real samples lie above the middle: too sure"


def test_p_stays_between_nothing_and_everything_and_may_be_a_ramp() -> None:
    sure, unsure = passed(torch.ones(10)), passed(-torch.ones(10))
    augmentation = AdaptiveAugment(every=1, images=25)
    for p, expected in ((unsure, 0.0), (sure, 0.4), (sure, 0.8), (sure, 1.0), (sure, 1.0), (unsure, 0.6)):
        augmentation.update(p, p, {})
        assert augmentation.p.item() == pytest.approx(expected)
    ramped = AdaptiveAugment("0 -> 0.5 linear 10", adapt=False)
    for step in range(20):
        p = passed(torch.ones(10), step=step)
        ramped.update(p, p, {})
        assert ramped.p.item() == pytest.approx(min(0.5, 0.05 * (step + 1)))


def test_the_controller_counts_its_own_calls_whatever_the_critic_takes() -> None:
    for critic_steps in (1, 3):
        recipe = Recipe(
            architecture=choice("mlp", width=8), loss=choice("hinge"), augmentation=choice("ada", images=1000, target=-0.9)
        )
        gan = build(change(recipe, {"schedule.discriminator_steps": critic_steps, "schedule.batch": 16}), (1, 8, 8))
        records = list(train(gan, load("digits"), steps=9, every=1))
        found = [record.signals["augment_p"] for record in records]
        assert found == pytest.approx([0, 0, 0, 0.064, 0.064, 0.064, 0.064, 0.128, 0.128])
