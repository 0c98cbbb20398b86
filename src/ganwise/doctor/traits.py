"""What the detectors have to know about a loss: what is healthy for one is sick for another."""

from __future__ import annotations

from math import log
from typing import NamedTuple

from ganwise.catalog import LOSSES, RECIPES, closest, own_divergence
from ganwise.recipe import Recipe
from ganwise.types import Unusable

KINDS = {
    **dict.fromkeys(["vanilla", "bce", "ns", "nsgan", "logistic", "softplus", "cross-entropy", "stylegan"], "non-saturating"),
    **dict.fromkeys(["saturating", "mm", "mmgan"], "minimax"),
    **dict.fromkeys(["ls", "mse", "l2", "least-square"], "least-squares"),
    **dict.fromkeys(["wasserstein-gp", "wgan-clip", "wgan-wc", "wgangp", "wgan-dra"], "wasserstein"),
    **dict.fromkeys(["ggan", "geometric", "sagan", "biggan", "svm"], "hinge"),
    **dict.fromkeys(["rpgan", "rgan"], "relativistic"),
    **dict.fromkeys(["ragan"], "relativistic-average"),
    **dict.fromkeys(["loss-sensitive-gan"], "loss-sensitive"),
}
"""What people call a loss, and the catalog's name; names of the catalog's losses and GANs are known besides."""

EVEN = {
    "minimax": 2 * log(2),
    "non-saturating": 2 * log(2),
    "least-squares": 0.25,
    "hinge": 2.0,
    "relativistic": log(2),
    "relativistic-average": log(2),
}
"""D's loss where it scores every sample alike, at the decision threshold."""


class Traits(NamedTuple):
    """What detectors need to know about the recipe; the defaults hold where there is none."""

    critic: bool = False  # the loss measures convergence: accuracy says nothing about it
    saturates: bool = False
    dial: bool = False  # its gamma trades diversity for sharpness, and diversity opens late
    divergent: bool = False  # it takes a divergence as its argument
    recipe: Recipe | None = None
    running: bool = False  # more records are to come
    loss: str = ""  # the catalog's name of the loss; empty where nobody says
    energy: bool = False  # low scores are real
    coarse: bool = False  # records are counted in something else than updates, such as epochs

    @classmethod
    def of(cls, recipe: Recipe | None, running: bool = False, loss: str | None = None, coarse: bool = False) -> Traits:
        """Of a recipe, or of a loss alone where the recipe is not known."""
        name = recipe.loss.name if recipe else loss or ""
        if name not in LOSSES:
            return cls(running=running, coarse=coarse)
        traits, own = LOSSES[name].traits, own_divergence(name)
        measures, saturates = (bool(traits.get(trait)) for trait in ("measures_convergence", "saturates"))
        dial = "gamma" in LOSSES[name].options
        return cls(measures, saturates, dial, own is None, recipe, running, name, traits["sign"] == -1, coarse)

    @property
    def even(self) -> float | None:
        """D's loss where it can't tell real from fake; None where that is not known."""
        return EVEN.get(self.loss)


def kind(text: str) -> str:
    """The catalog's name of the loss that ``text`` means: a loss, a GAN of the catalog, or what people call it.

    Raises:
        Unusable: Nothing is called so.
    """
    name = text.strip().lower().replace("_", "-")
    for known in (name, name.replace(" ", "-")):
        if known in LOSSES:
            return known
        if known in KINDS:
            return KINDS[known]
        entry = RECIPES.get(known)
        if entry is not None and entry.recipe is not None:
            return entry.recipe.loss.name
    names = [*LOSSES, *KINDS]
    raise Unusable(f"--loss {text}: unknown: {closest(name, names)}")
