"""What metrics look at: features of images by a fixed network, columns of vectors; any other network can be plugged in.

>>> extractor_for("image")                          # the bundled one
>>> InceptionFeatures(Path("weights.pth"))          # FID's network, from a file that the user has
>>> ModuleFeatures(my_network, "mine", size=32)     # any nn.Module
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ganwise.features.extractor import Array, Extractor, Floats, Precision, WithLogits, check_images
from ganwise.features.fid import InceptionFeatures
from ganwise.features.images import FEATURE_SCALE, SIZE, ImageFeatures, as_input
from ganwise.features.module import ModuleFeatures
from ganwise.features.resize import RESIZERS
from ganwise.features.vectors import Identity, Standardized
from ganwise.inception import SHA256
from ganwise.types import Kind, Unusable

__all__ = [
    "FEATURE_SCALE",
    "RESIZERS",
    "SIZE",
    "Array",
    "Extractor",
    "Floats",
    "Identity",
    "ImageFeatures",
    "InceptionFeatures",
    "ModuleFeatures",
    "Precision",
    "Standardized",
    "WithLogits",
    "as_input",
    "check_images",
    "extractor_for",
    "extractor_named",
]


def extractor_for(kind: Kind, reference: Array | None = None, *, device: str = "cpu", dtype: Precision = "fp32") -> Extractor:
    """The extractor for a kind of data. ``reference`` is the training part: vectors are standardized by it."""
    if kind == "image":
        return ImageFeatures(device, dtype)
    if reference is None:
        raise ValueError("vectors are standardized by their training part: pass it as reference")
    std = reference.std(0, dtype=np.float64)
    return Standardized(reference.mean(0, dtype=np.float64), np.where(std > 0, std, 1.0))


def extractor_named(text: str, kind: Kind, *, device: str = "cpu", resizer: str = "tf1") -> Extractor | None:
    """The extractor that a command line names: ``inception:PATH``, ``identity``; None for the kind's own, as `extractor_for`.

    ``inception:PATH#DIGITS`` takes a file whose SHA-256 begins with other digits than the published one's: a conversion.
    ``resizer`` is one of ``RESIZERS``, of Inception's input.

    Raises:
        Unusable: There is no such extractor, it does not fit the data, or the file can't be used.
    """
    name, _, rest = text.partition(":")
    if name == "inception" and rest:
        if kind != "image":
            raise Unusable(f"--features {text}: Inception sees images, and the data are of kind {kind}")
        path, _, digits = rest.partition("#")
        return InceptionFeatures(Path(path), resizer, device, digits or SHA256)
    if text == "identity":
        return Identity()
    if text == ("efficientnet" if kind == "image" else "standardized"):
        return None
    own = "efficientnet, inception:PATH" if kind == "image" else "standardized"
    raise Unusable(f"--features {text}: choose one of {own}, identity")
