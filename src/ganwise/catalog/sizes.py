"""What an architecture's open sizes are for a shape."""

from __future__ import annotations

import math

from ganwise.types import Shape, Value


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
