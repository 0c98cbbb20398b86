"""What a recipe leaves open, by the shape: its architecture, and an architecture's sizes."""

from __future__ import annotations

import math

from ganwise.catalog.fit import architectures
from ganwise.recipe import Recipe
from ganwise.shapes import takes
from ganwise.types import Shape, Unusable, Value


def default_architecture(recipe: Recipe, shape: Shape) -> str:
    """Convolutions for images large enough to have locality. Source: motwani2020selection, question 1.

    Raises:
        Unusable: No architecture that the recipe allows makes this shape.
    """
    fitting = architectures(recipe)
    small = len(shape) == 1 or (shape[0] == 1 and shape[1] <= 16)
    order = ("mlp", "dcgan") if small else ("dcgan", "mlp")
    able = [name for name in (*order, *fitting) if name in fitting and takes(name, shape) is None]
    if not able:
        raise Unusable(f"architecture: none that this recipe allows ({', '.join(fitting)}) makes data of shape {shape}")
    return able[0]


def sizes(architecture: str, shape: Shape) -> dict[str, Value]:
    """Widths that a laptop's processor trains in minutes; a larger machine is told so by ``architecture.width``."""
    dimensions = math.prod(shape)
    if architecture == "mlp":
        return {"latent": min(64, max(8, dimensions)), "width": 128 if dimensions <= 8 else 256 if dimensions <= 256 else 512}
    if architecture == "autoencoder":
        return {"width": 128 if len(shape) == 1 else 16 if shape[1] <= 32 else 32}
    if architecture == "energy-autoencoder" and len(shape) == 1:
        return {"width": 128}
    if architecture == "laplacian-pyramid":  # 7x7 convolutions at full size
        return {"width": 32 if shape[1] < 16 else 16}
    if architecture in ("resnet", "r3gan", "stylegan2"):  # small maps cost little and may be wide
        return {"latent": 64, "width": 64, "full_side": 8, "blocks": 1}
    return {"width": 64 if shape[1] < 16 else 32}
