"""A recipe is data: it survives JSON, compares by content, and refuses what does not fit, saying why."""

from __future__ import annotations

import pytest

from ganwise import catalog, ramp, recipe
from ganwise.build import ARCHITECTURES, AUGMENTATIONS, LOSSES, NOISES, PENALTIES, PROJECTIONS, TRANSFORMS, resolve
from ganwise.catalog import RECIPES, choice
from ganwise.divergences import DIVERGENCES
from ganwise.recipe import Recipe
from ganwise.types import Unusable


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_survives_json_and_equals_itself(name: str) -> None:
    original = catalog.named(name)
    again = recipe.from_json(original.to_json())
    assert again == original
    assert hash(again) == hash(original)


@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (1, 28, 28), (3, 32, 32)], ids=str)
@pytest.mark.parametrize("name", RECIPES)
def test_a_resolved_recipe_has_nothing_left_to_guess(name: str, shape: tuple[int, ...]) -> None:
    own = catalog.ARCHITECTURES.get(catalog.named(name).architecture.name)
    if own and not own.traits["vectors"] and len(shape) == 1:
        with pytest.raises(Unusable, match="the data are vectors"):
            resolve(catalog.named(name), shape)
        return
    resolved = resolve(catalog.named(name), shape)
    assert '"auto"' not in resolved.to_json()
    assert resolve(resolved, shape) == resolved


def test_the_catalog_and_the_factory_know_the_same_names() -> None:
    assert set(ARCHITECTURES) == set(catalog.ARCHITECTURES)
    assert set(LOSSES) == set(catalog.LOSSES)
    assert {*PENALTIES, *PROJECTIONS, *TRANSFORMS, *NOISES} == set(catalog.REGULARIZERS)
    assert set(AUGMENTATIONS) == set(catalog.AUGMENTATIONS)
    assert set(DIVERGENCES) == {name for name, row in catalog.DIVERGENCES.items() if row.traits["f_divergence"]}
    assert {r: t["slot"] for r, t in ((r, e.traits) for r, e in catalog.REGULARIZERS.items())} == {
        **dict.fromkeys(PENALTIES, "objective"),
        **dict.fromkeys(PROJECTIONS, "projection"),
        **dict.fromkeys(TRANSFORMS, "transform"),
        **dict.fromkeys(NOISES, "noise"),
    }


def test_a_change_replaces_one_part_and_leaves_the_rest() -> None:
    before = catalog.named("r1gan")
    after = recipe.change(before, {"regularizers.r1.gamma": 0.5, "schedule.generator.learning_rate": 1e-4})
    assert dict(after.regularizers[0].options) == {"gamma": 0.5, "every": 4}
    assert after.schedule.generator.learning_rate == 1e-4
    assert after.schedule.discriminator == before.schedule.discriminator
    assert recipe.change(after, {"regularizers.r1": False}).regularizers == ()


REFUSED = [
    ({"loss.naem": 1}, "unknown option 'naem'"),
    ({"loss.name": "wasserstien"}, "did you mean wasserstein"),
    ({"schedule.bach": 1}, "no such part"),
    ({"schedule.batch": 0}, "greater than or equal to 2"),
    ({"schedule.discriminator.learning_rate": -1}, "leaves the range"),
    ({"los.name": "hinge"}, "no such part"),
    ({"loss.name": "boundary-equilibrium"}, "takes no regularizers"),
    ({"regularizers.weight-clipping": True}, "needs loss wasserstein"),
    ({"divergence.name": "kl"}, "divergence of its own"),
    ({"architecture.name": "autoencoder"}, "reconstruction error is an energy"),
    ({"architecture.name": "dcgan", "architecture.discriminator_norm": "batch"}, "slope at each sample"),
    ({"augmentation.name": "adaa"}, "did you mean ada"),
    ({"augmentation.name": "diffaugment", "regularizers.gradient-penalty": True}, "erases pixels"),
    ({"augmentation.name": "ada", "regularizers.balanced-consistency": True}, "draws anew in each look"),
    ({"augmentation.name": "diffaugment", "regularizers.latent-consistency": True}, "draws anew in each look"),
    ({"augmentation.name": "ada", "regularizers.latent-consistency": True}, "draws anew in each look"),
    ({"architecture.name": "mlp", "regularizers.path-length": True}, "needs a mapping network"),
    ({"architecture.name": "mlp", "regularizers.pulling-away": True}, "only an auto-encoder has them"),
    ({"regularizers.label-smoothing": True, "loss.name": "hinge"}, "target of a log loss"),
    ({"regularizers.svm-weight": True}, "needs loss hinge"),
    ({"regularizers.svm-weight": True, "loss.name": "hinge", "conditioning.name": "semi-supervised"}, "one for each class"),
    ({"regularizers.consistency": True, "regularizers.balanced-consistency": True}, "has this term already"),
]


@pytest.mark.parametrize(("changes", "why"), REFUSED, ids=[str(c) for c, _ in REFUSED])
def test_what_does_not_fit_is_refused_with_its_reason(changes: dict[str, str | float], why: str) -> None:
    with pytest.raises(Unusable, match=why) as refusal:
        catalog.check(recipe.change(catalog.named("r1gan"), changes))
    assert "\n" not in str(refusal.value)


def test_an_unknown_recipe_is_answered_with_the_closest_names() -> None:
    with pytest.raises(Unusable, match="did you mean wgan"):
        catalog.named("wgna")


@pytest.mark.parametrize("text", ["{", "[]", '{"loss": 3}', '{"architecture": {"name": "mlp"}}', '{"extra": 1}'])
def test_text_that_is_no_recipe_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(Unusable, match=r"not a recipe|not JSON") as refusal:
        recipe.from_json(text, "mine.json")
    assert str(refusal.value).startswith("mine.json")
    assert "\n" not in str(refusal.value)


def test_wasserstein_needs_something_that_bounds_its_slope() -> None:
    with pytest.raises(Unusable, match="no maximum"):
        catalog.check(Recipe(architecture=choice("mlp"), loss=choice("wasserstein")))


def test_a_ramp_is_scaled_at_both_ends_and_held_below_a_limit() -> None:
    halved = ramp.scaled("2e-4 -> 5e-5 cosine 39063", 0.5)
    assert ramp.parse(str(halved)) == ramp.Ramp(1e-4, 2.5e-5, "cosine", 39063)
    assert ramp.scaled("4 -> 0 linear 10", 0.5, 0.5) == "0.5 -> 0 linear 10"
    assert ramp.scaled("4 -> 1 linear 10", 1.0, 0.5) == 0.5
    assert (ramp.scaled(3.0, 2.0), ramp.scaled(3.0, 2.0, 4.0)) == (6.0, 4.0)
