"""The named GANs: recipes of the axes' entries with their papers' hyper-parameters."""

from __future__ import annotations

from ganwise.catalog import recipes_distances, recipes_energies, recipes_first, recipes_modern
from ganwise.catalog.entry import Entry, closest
from ganwise.recipe import Recipe
from ganwise.types import Unusable

RECIPES: dict[str, Entry] = {
    **recipes_first.ENTRIES,
    **recipes_distances.ENTRIES,
    **recipes_energies.ENTRIES,
    **recipes_modern.ENTRIES,
}


def named(name: str) -> Recipe:
    """The recipe of a GAN by its name.

    Raises:
        Unusable: No such recipe; the closest names are given.
    """
    entry = RECIPES.get(name)
    if entry is None or entry.recipe is None:
        raise Unusable(f"unknown recipe '{name}': {closest(name, RECIPES)}")
    return entry.recipe
