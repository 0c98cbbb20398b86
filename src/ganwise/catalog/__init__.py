"""The catalog: every architecture, loss, regularizer, divergence and named GAN, as data; `build` maps the names to functions."""

from ganwise.catalog.axes import (
    ARCHITECTURES,
    AUGMENTATIONS,
    AXES,
    CLAIMED,
    CONDITIONINGS,
    DIVERGENCES,
    LOSSES,
    REGULARIZERS,
)
from ganwise.catalog.entry import AUTO, Axis, Entry, Fit, closest
from ganwise.catalog.fit import Misfit, check, chosen, misfits, options, own_divergence
from ganwise.catalog.recipes import RECIPES, choice, named

__all__ = [
    "ARCHITECTURES",
    "AUGMENTATIONS",
    "AUTO",
    "AXES",
    "CLAIMED",
    "CONDITIONINGS",
    "DIVERGENCES",
    "LOSSES",
    "RECIPES",
    "REGULARIZERS",
    "Axis",
    "Entry",
    "Fit",
    "Misfit",
    "check",
    "choice",
    "chosen",
    "closest",
    "misfits",
    "named",
    "options",
    "own_divergence",
]
