"""Features of vectors: their columns, standardized or as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ganwise.features.extractor import Array, Floats


@dataclass(frozen=True, eq=False)
class Standardized:
    """Identity features: columns minus the training part's mean, over its standard deviation."""

    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]
    name: str = "standardized"

    @property
    def fingerprint(self) -> str:
        return f"standardized/{self.mean.tobytes().hex()}/{self.std.tobytes().hex()}/1"

    def __call__(self, values: Array, /) -> Floats:
        """Features ``(N, D)`` of vectors ``(N, D)``."""
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise ValueError(f"vectors must have shape (N, {len(self.mean)}), not {values.shape}")
        # the cast may overflow for a generator that has diverged: metrics refuse what is not finite
        with np.errstate(over="ignore"):
            return ((values.astype(np.float64) - self.mean) / self.std).astype(np.float32)


@dataclass(frozen=True)
class Identity:
    """Samples as they are: columns of vectors, pixels of images in [0, 1], both flat."""

    name: str = "identity"

    @property
    def fingerprint(self) -> str:
        return "identity/1"

    def __call__(self, values: Array, /) -> Floats:
        """Features ``(N, D)`` of vectors ``(N, D)``, or ``(N, H W C)`` of images ``(N, H, W, C)`` from 0 to 255."""
        flat = values.reshape(len(values), -1)
        with np.errstate(over="ignore"):
            return flat.astype(np.float32) / np.float32(255) if values.ndim == 4 else flat.astype(np.float32)
