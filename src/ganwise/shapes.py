"""Which shapes of data which architecture can make. No torch: loading and selection ask here too."""

from __future__ import annotations

from ganwise.types import Shape

BOTTOMS = (4, 5, 6, 7)
"""Sides of a convolutional generator's smallest map; an image's side is one of these times a power of two."""


def side_stages(side: int) -> tuple[int, int] | None:
    """(b, k) with side = b * 2^k, b from 4 to 7 and k >= 1; None where the side has no such form."""
    for bottom in BOTTOMS:
        stages = (side // bottom).bit_length() - 1
        if stages >= 1 and side == bottom << stages:
            return bottom, stages
    return None


def halvings_to_eight(side: int) -> tuple[int, int] | None:
    """(b, k) with side = b * 2^k, halved at least once and until at most 8 are left: b from 4 to 8; None as `side_stages`."""
    stages = side_stages(side)
    return (8, stages[1] - 1) if stages and stages[0] == 4 and stages[1] > 1 else stages


def sides(side: int) -> list[int]:
    """Sides of an image network's maps, from the smallest b to the image's b * 2^k."""
    stages = side_stages(side)
    assert stages is not None, "build refuses other sides"
    bottom, doublings = stages
    return [bottom << k for k in range(doublings + 1)]


def taper(width: int, sides: list[int], full_side: int) -> list[int]:
    """Channels at each side: ``width`` up to ``full_side``, half as many with each doubling beyond, never fewer than one."""
    return [max(1, width >> max(0, (-(-side // full_side) - 1).bit_length())) for side in sides]


def takes(architecture: str, shape: Shape) -> str | None:
    """Why an architecture can't make data of this shape; None where it can."""
    if architecture == "mlp" or (architecture in ("autoencoder", "energy-autoencoder") and len(shape) == 1):
        return None
    if len(shape) == 1:
        return f"{architecture} makes images and the data are vectors of {shape[0]} numbers"
    side, other = shape[1:]
    if architecture == "original":
        return None
    if architecture == "original-convolutional":
        return None if side == other >= 8 else f"{architecture} makes square images of side 8 or more, not {side}x{other}"
    if side != other or side_stages(side) is None:
        return f"{architecture} makes square images of side b * 2^k, b from 4 to 7 (8, 28, 32, 64, ...), not {side}x{other}"
    return None


__all__ = ["BOTTOMS", "Shape", "halvings_to_eight", "side_stages", "sides", "takes", "taper"]
