"""Hyper-parameters that fit the data: each from its source, none where no source speaks."""

from __future__ import annotations

import re
from itertools import product

import pytest

from ganwise import catalog, knowledge
from ganwise.build import build
from ganwise.catalog import RECIPES, named
from ganwise.recipe import Choice, Recipe, change
from ganwise.select.fitting import Fitted, fit, value_of
from ganwise.select.space import variants
from ganwise.types import Shape, Value

Facts = dict[str, Value]
LOW: Facts = {"compute": "low", "needs_convolution": True, "n_train": 5000, "domain": "single"}
HIGH: Facts = {"compute": "high", "needs_convolution": True, "n_train": 50_000, "domain": "many"}
SHAPES: tuple[Shape, ...] = ((2,), (30,), (1, 8, 8), (1, 28, 28), (3, 32, 32), (1, 64, 64), (3, 128, 128), (3, 256, 256))
CASES: tuple[Facts, ...] = ({}, LOW, HIGH, {**LOW, "compute": "medium", "memory_gb": 4.0}, {**HIGH, "want.diversity": True})


def on(name: str, architecture: str) -> Recipe:
    return named(name).model_copy(update={"architecture": Choice(name=architecture)})


def looked(recipe: Recipe, shape: Shape, facts: Facts) -> dict[str, Fitted]:
    return {one.field: one for one in fit(recipe, shape, facts)[1]}


def facts_for(shape: Shape, facts: Facts) -> Facts:
    convolution = len(shape) > 1 and shape[1] > 16 and (shape[0] > 1 or shape[1] >= 32)
    return {**facts, "needs_convolution": convolution} if facts else {}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_fitted_recipe_is_one_that_the_catalog_accepts_and_fits_as_it_is(shape: Shape) -> None:
    for name, case in product(RECIPES, CASES):
        for recipe in variants(name, shape):
            facts = facts_for(shape, case)
            fitted, found = fit(recipe, shape, facts)
            catalog.check(fitted)
            assert fit(fitted, shape, facts)[0] == fitted, "fitting twice changes nothing more"
            assert all(value_of(fitted, one.field) == one.value for one in found)
            assert all(knowledge.cite(one.sources) for one in found)
            assert all(len(one.because.split()) >= 8 for one in found)


@pytest.mark.parametrize("shape", [(2,), (30,), (1, 8, 8), (1, 28, 28)], ids=str)
def test_vectors_and_small_gray_images_keep_the_values_that_were_measured_on_them(shape: Shape) -> None:
    for name, case in product(RECIPES, CASES):
        if name == "began":
            continue  # its ratio is a wish, whatever the data
        for recipe in variants(name, shape):
            fitted, _ = fit(recipe, shape, facts_for(shape, case))
            assert fitted == recipe, name


def test_a_value_that_stays_says_why() -> None:
    for shape in ((2,), (1, 8, 8)):
        assert "measured" in looked(on("r1gan", "mlp"), shape, facts_for(shape, LOW))["regularizers.r1.gamma"].because


@pytest.mark.parametrize(("side", "gamma"), [(32, 0.0032), (64, 0.013), (128, 0.051), (256, 0.2)])
def test_r1_grows_with_the_pixels_as_the_heuristic_says(side: int, gamma: float) -> None:
    recipe = on("r1gan", "dcgan")
    assert recipe.schedule.batch == 64
    assert value_of(fit(recipe, (3, side, side), LOW)[0], "regularizers.r1.gamma") == gamma
    assert gamma == pytest.approx(0.0002 * side**2 / 64, rel=0.03), "two digits of it"


def test_r1_shrinks_with_the_batch() -> None:
    larger = change(on("r1gan", "dcgan"), {"schedule.batch": 256})
    assert value_of(fit(larger, (3, 128, 128), LOW)[0], "regularizers.r1.gamma") == 0.013


def test_stylegan2_gets_its_authors_automatic_setting() -> None:
    fitted, _ = fit(named("stylegan2"), (3, 256, 256), HIGH)
    assert fitted.schedule.batch == 16
    assert fitted.schedule.ema_half_life == 5000
    assert value_of(fitted, "regularizers.r1.gamma") == 0.82
    assert (value_of(fitted, "architecture.width"), value_of(fitted, "architecture.full_side")) == (512, 32)


@pytest.mark.parametrize(
    ("side", "domain", "gamma", "batch"),
    [
        (32, "many", "0.05 -> 0.005 cosine 39063", 512),
        (64, "single", "2 -> 0.2 cosine 78125", 256),
        (64, "many", "1 -> 0.1 cosine 78125", 256),
        (256, "single", "150 -> 15 cosine 78125", 256),
    ],
)
def test_r3gan_gets_its_authors_table(side: int, domain: str, gamma: str, batch: int) -> None:
    fitted, found = fit(named("r3gan"), (3, side, side), {**HIGH, "domain": domain})
    assert value_of(fitted, "regularizers.r1.gamma") == value_of(fitted, "regularizers.r2.gamma") == gamma
    assert fitted.schedule.batch == batch
    assert "ours" not in " ".join(one.because for one in found)


def test_between_r3gans_sides_the_value_lies_between_and_says_that_it_is_ours() -> None:
    one = looked(named("r3gan"), (3, 128, 128), HIGH)["regularizers.r1.gamma"]
    assert str(one.value).startswith("17 -> 1.7 ")
    assert "ours" in one.because


@pytest.mark.parametrize(
    ("wants", "gamma"),
    [((), 0.5), (("diversity",), 0.7), (("coverage",), 0.7), (("quality",), 0.3), (("diversity", "quality"), 0.5)],
    ids=str,
)
def test_began_is_as_diverse_as_wanted(wants: tuple[str, ...], gamma: float) -> None:
    facts = {**LOW, **{f"want.{one}": one in wants for one in ("diversity", "quality", "coverage")}}
    assert value_of(fit(named("began"), (3, 64, 64), facts)[0], "loss.gamma") == gamma


def test_ebgans_margin_waits_for_the_networks() -> None:
    fitted, found = fit(named("ebgan"), (3, 32, 32), LOW)
    assert [one.value for one in found if one.field == "loss.margin"] == ["auto"]
    margin = build(fitted, (3, 32, 32)).recipe.loss.options["margin"]
    assert isinstance(margin, float)
    assert margin > 0


def test_few_images_are_augmented_but_for_the_baseline_and_the_strong_default() -> None:
    for name in ("sngan", "rsgan", "lsgan"):
        assert fit(on(name, "dcgan"), (3, 64, 64), LOW)[0].augmentation == Choice(name="diffaugment")
        assert fit(on(name, "dcgan"), (3, 64, 64), {**LOW, "n_train": 20_000})[0].augmentation is None
        assert fit(on(name, "dcgan"), (3, 64, 64), {**LOW, "compute": "high"})[0].augmentation == Choice(name="ada")
    for name in ("r1gan", "dcgan"):
        assert fit(on(name, "dcgan"), (3, 64, 64), LOW)[0].augmentation is None


def test_an_augmentation_that_a_penalty_forbids_gives_way_to_one_that_it_allows() -> None:
    medium = {**LOW, "compute": "medium"}
    assert fit(on("dragan", "dcgan"), (3, 64, 64), medium)[0].augmentation == Choice(name="ada")
    assert fit(on("dragan", "dcgan"), (3, 64, 64), LOW)[0].augmentation is None, "too slow for a short run"


def test_no_augmentation_where_no_source_tried_it() -> None:
    for name in ("began", "ebgan", "lapgan"):
        assert fit(named(name), (3, 64, 64), LOW)[0].augmentation is None


def test_a_short_run_averages_over_fewer_updates() -> None:
    assert fit(on("lsgan", "dcgan"), (3, 32, 32), LOW)[0].schedule.ema == 0.998
    assert 0.5 ** (32 / 10_000) == pytest.approx(0.998, abs=5e-4), "ten thousand images of a batch of 32"
    assert fit(on("lsgan", "dcgan"), (3, 32, 32), HIGH)[0].schedule.ema == 0.999


def test_networks_are_published_ones_only_where_an_accelerator_and_its_memory_carry_them() -> None:
    recipe, shape = on("sngan", "resnet"), (3, 32, 32)
    assert value_of(fit(recipe, shape, HIGH)[0], "architecture.width") == 256
    for facts in (LOW, {**HIGH, "memory_gb": 4.0}, {"needs_convolution": True}):
        assert value_of(fit(recipe, shape, facts)[0], "architecture.width") == "auto"
    told = change(recipe, {"architecture.width": 48})
    assert value_of(fit(told, shape, HIGH)[0], "architecture.width") == 48, "what a recipe says itself stays"


def test_the_number_of_steps_and_the_losses_stay_the_recipes() -> None:
    for name in RECIPES:
        for recipe in variants(name, (3, 64, 64)):
            fitted, found = fit(recipe, (3, 64, 64), LOW)
            assert fitted.schedule.discriminator_steps == recipe.schedule.discriminator_steps
            assert {one.field for one in found if one.field.startswith("loss.")} <= {"loss.gamma", "loss.margin"}


def test_a_reason_that_holds_a_published_figure_says_how_it_is_known() -> None:
    for name, case in product(RECIPES, CASES):
        for recipe in variants(name, (3, 64, 64)):
            for one in fit(recipe, (3, 64, 64), facts_for((3, 64, 64), case))[1]:
                figures = re.search(r"\d", one.because) and "ganwise2026measurements" not in one.sources
                assert not figures or re.search(r"\[(code|log)\]|the values that the paper shows", one.because), one.because


@pytest.mark.parametrize(("classes", "how"), [(3, "label-input"), (40, "projection")])
def test_who_wants_to_draw_a_class_gets_generators_that_are_told_one(classes: int, how: str) -> None:
    facts = {**HIGH, "want.classes": True, "labels": "all", "n_classes": classes}
    for name in ("r1gan", "dcgan", "wgan-gp"):
        fitted, _ = fit(on(name, "dcgan"), (3, 32, 32), facts)
        assert fitted.conditioning == Choice(name=how)
    assert fit(on("r1gan", "dcgan"), (3, 32, 32), {**facts, "labels": "few"})[0].conditioning is None
    assert fit(on("r1gan", "dcgan"), (3, 32, 32), {**facts, "labeled_share": 0.99})[0].conditioning is None
    assert fit(on("r1gan", "dcgan"), (3, 32, 32), {**facts, "want.classes": False})[0].conditioning is None


def test_a_critic_is_not_augmented_by_how_sure_it_is() -> None:
    few = {**HIGH, "n_train": 500}
    assert fit(on("sngan", "resnet"), (3, 32, 32), few)[0].augmentation == Choice(name="ada")
    assert fit(on("wgan-gp", "resnet"), (3, 32, 32), few)[0].augmentation != Choice(name="ada")
