"""The search space: every combination of the four axes, which of them exist, and what a combination has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import NamedTuple

from ganwise.catalog import ARCHITECTURES, AXES, DIVERGENCES, LOSSES, RECIPES, REGULARIZERS, Axis, chosen, misfits
from ganwise.recipe import Recipe
from ganwise.shapes import takes
from ganwise.types import Shape

Tags = frozenset[str]
NONE = "none"  # no regularizer


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
    """Every combination that breaks no rule of the catalog, for any data, and its tags."""
    space = product(ARCHITECTURES, LOSSES, (NONE, *REGULARIZERS), DIVERGENCES)
    found = (Combination(*values) for values in space)
    return tuple((one, tags_of(one.picks)) for one in found if not misfits(one.picks))


def possible(shape: Shape) -> list[tuple[Combination, Tags]]:
    """The combinable ones whose architecture makes data of this shape."""
    fitting = {name for name in ARCHITECTURES if takes(name, shape) is None}
    return [(one, tags) for one, tags in combinable() if one.architecture in fitting]


def tags_of(picks: Mapping[Axis, tuple[str, ...]]) -> Tags:
    """``axis.name`` of each pick, and ``trait.name`` of each trait that one of them has."""
    found = {f"{axis}.{name}" for axis, names in picks.items() for name in names}
    entries = [AXES[axis][name] for axis, names in picks.items() for name in names if name in AXES[axis]]
    found |= {f"trait.{trait}" for entry in entries for trait, value in entry.traits.items() if value is True}
    return frozenset({*found, f"regularizers.{NONE}"} if _unregularized(picks) else found)


def _unregularized(picks: Mapping[Axis, tuple[str, ...]]) -> bool:
    """No regularizer where one could be; a loss that takes none, as BEGAN's with its controller, has its own balance."""
    refused = (fit.axis == "regularizers" and fit.only and not fit.names for n in picks["loss"] for fit in LOSSES[n].fits)
    return not picks.get("regularizers") and not any(refused)


def tags_of_recipe(name: str, recipe: Recipe) -> Tags:
    """A named GAN's tags: also its own name, and how often its discriminator moves."""
    several = recipe.schedule.discriminator_steps > recipe.schedule.generator_steps
    return tags_of(chosen(recipe)) | {f"recipe.{name}", f"schedule.{'several-steps' if several else 'one-step'}"}


def variants(name: str, shape: Shape) -> list[Recipe]:
    """A named GAN with each architecture that makes this shape; its own where it names one."""
    recipe = RECIPES[name].recipe
    if recipe is None:
        return []
    named = recipe.architecture.name
    able = [a for a in ARCHITECTURES if takes(a, shape) is None and named in (a, "auto")]
    made = [recipe.model_copy(update={"architecture": recipe.architecture.model_copy(update={"name": a})}) for a in able]
    return [one for one in made if not misfits(chosen(one))]
