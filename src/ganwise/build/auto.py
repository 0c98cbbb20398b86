"""What a recipe leaves open: ``auto`` becomes what suits the shape."""

from __future__ import annotations

from ganwise import catalog
from ganwise.catalog import AUTO
from ganwise.data import Dataset
from ganwise.recipe import Choice, Recipe
from ganwise.shapes import takes
from ganwise.types import Shape, Unusable


def resolve(recipe: Recipe, shape: Shape) -> Recipe:
    """``recipe`` with every ``auto`` replaced by what suits the shape; what needs a network stays open.

    Raises:
        Unusable: The recipe is not in order, or its architecture can't make this shape.
    """
    catalog.check(recipe)
    if why := catalog.unshaped(recipe, shape):
        raise Unusable(why)
    architecture = recipe.architecture
    if architecture.name == AUTO:
        architecture = Choice(name=catalog.default_architecture(recipe, shape), options=architecture.options)
        recipe = recipe.model_copy(update={"architecture": architecture})
        catalog.check(recipe)
    if why := takes(architecture.name, shape):
        raise Unusable(f"architecture: {why}")
    options = catalog.options("architecture", architecture)
    options |= {k: v for k, v in catalog.sizes(architecture.name, shape).items() if options.get(k) == AUTO}
    return recipe.model_copy(update={"architecture": Choice(name=architecture.name, options=options)})


def suited(recipe: Recipe, data: Dataset) -> Recipe:
    """As `resolve`, for the data that it is to be trained on.

    Raises:
        Unusable: It is not in order, or the data's shape or labels are not what it needs.
    """
    resolved, known = resolve(recipe, data.shape), data.labels[data.split.train] >= 0
    if why := catalog.unlabeled(recipe, len(data.classes), float(known.mean())):
        raise Unusable(f"{data.source}: {why}")
    return resolved
