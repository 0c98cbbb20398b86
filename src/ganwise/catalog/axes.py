"""The axes together. A trait is measured by a test over the whole catalog, unless its name is in `CLAIMED`."""

from __future__ import annotations

from ganwise.catalog.architectures import ARCHITECTURES
from ganwise.catalog.divergences import DIVERGENCES
from ganwise.catalog.entry import Axis, Entry
from ganwise.catalog.losses import LOSSES
from ganwise.catalog.regularizers import REGULARIZERS
from ganwise.catalog.training import AUGMENTATIONS, CONDITIONINGS

AXES: dict[Axis, dict[str, Entry]] = {
    "architecture": ARCHITECTURES,
    "loss": LOSSES,
    "regularizers": REGULARIZERS,
    "divergence": DIVERGENCES,
    "conditioning": CONDITIONINGS,
    "augmentation": AUGMENTATIONS,
}

CLAIMED = frozenset({"measures_convergence", "locality"})
"""Traits that rest on their source and are not measured by a test."""
