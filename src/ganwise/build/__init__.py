"""From a recipe to a GAN: the only factory. Here the catalog's names become functions, and ``auto`` becomes a number."""

from ganwise.build.auto import resolve, suited
from ganwise.build.factory import build
from ganwise.build.gan import GAN, Player, Scaling
from ganwise.build.rows import (
    ARCHITECTURES,
    AUGMENTATIONS,
    CONDITIONINGS,
    LOSSES,
    NOISES,
    PENALTIES,
    PROJECTIONS,
    TRANSFORMS,
)

__all__ = [
    "ARCHITECTURES",
    "AUGMENTATIONS",
    "CONDITIONINGS",
    "GAN",
    "LOSSES",
    "NOISES",
    "PENALTIES",
    "PROJECTIONS",
    "TRANSFORMS",
    "Player",
    "Scaling",
    "build",
    "resolve",
    "suited",
]
