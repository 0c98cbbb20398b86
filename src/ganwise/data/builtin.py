"""Data inside the package: two sets of handwritten digits and the 2-D toys of the GAN papers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ganwise.data.arrays import read_npz
from ganwise.data.dataset import Index, Reading
from ganwise.data.labels import unlabeled
from ganwise.types import Unusable

FILES = {name: Path(__file__).parent / "builtin_files" / f"{name}.npz" for name in ("digits", "mnist-10k")}
TOY_POINTS, TOY_SEED = 10_000, 2_014

Points = npt.NDArray[np.float32]


def toy_modes(name: str) -> tuple[Points, float]:
    """Centers ``(modes, 2)`` and standard deviation of a toy mixture.

    Ring: 8 Gaussians on a circle of radius 2 (Metz et al. 2017, arXiv 1611.02163).
    Grid: 25 Gaussians at {-4, -2, 0, 2, 4} squared (Srivastava et al. 2017, arXiv 1705.07761).
    """
    if name == "ring":
        angles = np.arange(8) * (np.pi / 4)
        return (2 * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.float32), 0.02
    if name == "grid":
        ticks = np.arange(-4, 5, 2)
        return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2).astype(np.float32), 0.05
    raise Unusable(f"{name}: has no known modes; the toys ring and grid have")


def _mixture(name: str) -> tuple[Points, Index]:
    """As many points of each mode, so that a count of the modes has no luck in it."""
    centers, sd = toy_modes(name)
    mode = np.arange(TOY_POINTS, dtype=np.int64) % len(centers)
    noise = np.random.default_rng(TOY_SEED).standard_normal((TOY_POINTS, 2))
    return (centers[mode] + sd * noise).astype(np.float32), mode


def _spiral() -> Points:
    """One arm of a spiral, one and a half turns out to radius 2, equally dense along its length, with noise of sd .02."""
    rng = np.random.default_rng(TOY_SEED)
    radius = np.sqrt(rng.uniform(0.02, 1, TOY_POINTS))
    angle = 3 * np.pi * radius
    arm = 2 * np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return (arm + 0.02 * rng.standard_normal(arm.shape)).astype(np.float32)


def _toy(name: str) -> Reading:
    points, labels = _mixture(name)
    return Reading(points, labels, tuple(str(mode) for mode in range(int(labels.max()) + 1)), None, (), {})


def _read_spiral() -> Reading:
    points = _spiral()
    return Reading(points, *unlabeled(len(points)), None, (), {})


_TOYS: dict[str, Callable[[], Reading]] = {
    "ring": lambda: _toy("ring"),
    "grid": lambda: _toy("grid"),
    "spiral": _read_spiral,
}
BUILTIN = (*FILES, *_TOYS)


def read_builtin(name: str, size: int | None) -> Reading:
    """A built-in data set by its name."""
    if name in FILES:
        reading = read_npz(FILES[name], size)
        return reading._replace(troubles=tuple(trouble._replace(where=name) for trouble in reading.troubles))
    if size is not None:
        raise Unusable(f"{name}: points have no size in pixels; leave the size out")
    return _TOYS[name]()
