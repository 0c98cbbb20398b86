"""The search space: every combination of the four axes, which of them exist, and what a combination has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import combinations, product
from typing import NamedTuple

from ganwise import ramp
from ganwise.catalog import (
    ARCHITECTURES,
    AUTO,
    AXES,
    DIVERGENCES,
    LOSSES,
    RECIPES,
    REGULARIZERS,
    Axis,
    Fit,
    chosen,
    fits,
    misfits,
    options,
    unshaped,
)
from ganwise.recipe import Recipe
from ganwise.shapes import takes
from ganwise.types import Shape, Value

Tags = frozenset[str]
NONE = "none"  # no regularizer
OPEN = ("mlp", "dcgan", "resnet")  # what a recipe that names no architecture is tried with; others were made for one recipe
LARGE_BATCH = 256  # samples; ours: what one processor's papers stay below, and those of several accelerators use
SPANNED: tuple[Axis, ...] = ("architecture", "loss", "regularizers", "divergence")


class Combination(NamedTuple):
    """One value on each axis: what the framework calls a candidate."""

    architecture: str
    loss: str
    regularizer: str
    divergence: str

    @property
    def picks(self) -> dict[Axis, tuple[str, ...]]:
        regularizers = () if self.regularizer == NONE else (self.regularizer,)
        return {
            "architecture": (self.architecture,),
            "loss": (self.loss,),
            "regularizers": regularizers,
            "divergence": (self.divergence,),
        }


def factors() -> tuple[int, int, int, int]:
    """How many values each axis has; no regularizer is one of them."""
    return len(ARCHITECTURES), len(LOSSES), len(REGULARIZERS) + 1, len(DIVERGENCES)


@cache
def combinable() -> tuple[tuple[Combination, Tags], ...]:
    """Every combination that breaks no rule of the catalog, for any data, and its tags, in the order of the product.

    A fit joins two axes, so that what goes together in pairs goes together.
    """
    goes = {pair: _together(*pair) for pair in combinations(SPANNED, 2)}
    found = []
    for architecture, loss in product(_values("architecture"), _values("loss")):
        if loss not in goes["architecture", "loss"][architecture]:
            continue
        penalties = goes["architecture", "regularizers"][architecture] & goes["loss", "regularizers"][loss]
        divergences = goes["architecture", "divergence"][architecture] & goes["loss", "divergence"][loss]
        for penalty in (one for one in _values("regularizers") if one in penalties):
            left = divergences & goes["regularizers", "divergence"][penalty]
            found += [Combination(architecture, loss, penalty, one) for one in _values("divergence") if one in left]
    return tuple((one, tags_of(one.picks)) for one in found)


def _together(axis: Axis, other: Axis) -> dict[str, set[str]]:
    """For each value of an axis those of another that it goes with."""
    return {one: {two for two in _values(other) if _goes(axis, one, other, two)} for one in _values(axis)}


@cache
def _values(axis: Axis) -> tuple[str, ...]:
    """Those that need nothing of an axis outside the space, nor of their own."""
    able = (name for name, entry in AXES[axis].items() if all(_alone(fit, axis, name) for fit in entry.fits))
    return (*((NONE,) if axis == "regularizers" else ()), *able)


def _alone(fit: Fit, axis: Axis, name: str) -> bool:
    inside = fit.axis in SPANNED and fit.axis != axis
    return inside or fits(fit, (name,) if fit.axis == axis else ())


def _goes(axis: Axis, one: str, other: Axis, two: str) -> bool:
    return _wants(axis, one, other, two) and _wants(other, two, axis, one)


def _wants(axis: Axis, one: str, other: Axis, two: str) -> bool:
    entry = AXES[axis].get(one)
    return entry is None or all(fits(fit, () if two == NONE else (two,)) for fit in entry.fits if fit.axis == other)


def possible(shape: Shape) -> list[tuple[Combination, Tags]]:
    """The combinable ones that make data of this shape."""
    architectures = {name for name in ARCHITECTURES if takes(name, shape) is None}
    penalties = {NONE, *(name for name in REGULARIZERS if acts_on(name, shape))}
    return [pair for pair in combinable() if pair[0].architecture in architectures and pair[0].regularizer in penalties]


def acts_on(regularizer: str, shape: Shape) -> bool:
    """Whether it has a meaning for data of this shape: some move images."""
    return len(shape) > 1 or bool(REGULARIZERS[regularizer].traits["vectors"])


def tags_of(picks: Mapping[Axis, tuple[str, ...]]) -> Tags:
    """``axis.name`` of each pick, and ``trait.name`` of each trait that one of them has."""
    found = {f"{axis}.{name}" for axis, names in picks.items() for name in names}
    entries = [AXES[axis][name] for axis, names in picks.items() for name in names if name in AXES[axis]]
    found |= {f"trait.{trait}" for entry in entries for trait, value in entry.traits.items() if value is True}
    found |= {tag for name in picks.get("architecture", ()) if name != AUTO for tag in _norms(ARCHITECTURES[name].options)}
    return frozenset({*found, f"regularizers.{NONE}"} if _unregularized(picks) else found)


def _norms(options: Mapping[str, Value]) -> set[str]:
    """Which players batch statistics run through."""
    return {f"norm.{player}-batch" for player in ("generator", "discriminator") if options.get(f"{player}_norm") == "batch"}


def _unregularized(picks: Mapping[Axis, tuple[str, ...]]) -> bool:
    """No regularizer where one could be; a loss that takes none, as BEGAN's with its controller, has its own balance."""
    refused = (fit.axis == "regularizers" and fit.only and not fit.names for n in picks["loss"] for fit in LOSSES[n].fits)
    return not picks.get("regularizers") and not any(refused)


def tags_of_recipe(name: str, recipe: Recipe) -> Tags:
    """A named GAN's tags: also its own name, how often its discriminator moves, and whether a penalty skips updates."""
    several = recipe.schedule.discriminator_steps > recipe.schedule.generator_steps
    tags = {f"recipe.{name}", f"schedule.{'several-steps' if several else 'one-step'}"}
    norms = _norms(options("architecture", recipe.architecture)) if recipe.architecture.name != AUTO else set()
    picked = {tag for tag in tags_of(chosen(recipe)) if not tag.startswith("norm.")}  # its own options decide
    return frozenset(picked | tags | _pace(recipe) | norms)


def _pace(recipe: Recipe) -> set[str]:
    """What else rules may ask of how a recipe is trained."""
    schedule = recipe.schedule
    lazy = any(int(options("regularizers", one).get("every", 1)) > 1 for one in recipe.regularizers)
    rates = {ramp.ends(player.learning_rate)[1] for player in (schedule.discriminator, schedule.generator)}
    averaged = ramp.ends(schedule.ema)[1] > 0 or ramp.ends(schedule.ema_half_life)[1] > 0
    holds = {"lazy": lazy, "two-rates": len(rates) > 1, "averaged": averaged, "large-batch": schedule.batch >= LARGE_BATCH}
    return {f"schedule.{name}" for name, true in holds.items() if true}


def variants(name: str, shape: Shape) -> list[Recipe]:
    """A named GAN with each architecture that makes this shape; its own where it names one, else the `OPEN` ones."""
    recipe = RECIPES[name].recipe
    if recipe is None or unshaped(recipe, shape):
        return []
    named = recipe.architecture.name
    able = [one for one in (OPEN if named == AUTO else (named,)) if takes(one, shape) is None]
    made = [recipe.model_copy(update={"architecture": recipe.architecture.model_copy(update={"name": one})}) for one in able]
    return [one for one in made if not misfits(chosen(one))]
