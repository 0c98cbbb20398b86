"""The catalog: every architecture, loss, regularizer, divergence and named GAN, as data; `build` maps the names to functions."""

from ganwise.catalog.architectures import ARCHITECTURES
from ganwise.catalog.axes import AXES, CLAIMED
from ganwise.catalog.divergences import DIVERGENCES
from ganwise.catalog.entry import AUTO, Axis, Entry, Fit, closest
from ganwise.catalog.fit import (
    Misfit,
    architectures,
    check,
    chosen,
    fits,
    misfits,
    needs_labels,
    normalizes_generator,
    options,
    own_divergence,
    unlabeled,
    unshaped,
)
from ganwise.catalog.losses import LOSSES
from ganwise.catalog.recipes import RECIPES, named
from ganwise.catalog.regularizers import REGULARIZERS
from ganwise.catalog.settings import choice
from ganwise.catalog.sizes import default_architecture, sizes
from ganwise.catalog.training import AUGMENTATIONS, CONDITIONINGS

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
    "architectures",
    "check",
    "choice",
    "chosen",
    "closest",
    "default_architecture",
    "fits",
    "misfits",
    "named",
    "needs_labels",
    "normalizes_generator",
    "options",
    "own_divergence",
    "sizes",
    "unlabeled",
    "unshaped",
]
