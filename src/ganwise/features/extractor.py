"""What every extractor is: a fixed function of samples, with a name and a fingerprint."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Precision = Literal["fp32", "bf16"]


class Extractor(Protocol):
    """Samples ``(N, ...)`` to features ``(N, F)``. Both sides of a metric must come from the same one."""

    @property
    def name(self) -> str:
        """As in ``Score.features``: network, input size and dtype."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the features of any sample change: a part of every cache key."""

    def __call__(self, values: Array, /) -> Floats: ...


class WithLogits(Extractor, Protocol):
    """An extractor whose features a classifier can be read off."""

    def logits(self, features: Array, bias: bool = False) -> Floats:
        """Logits ``(N, K)`` of features ``(N, F)``; ``bias`` adds the classifier's own."""


def check_images(values: Array) -> None:
    """``ValueError`` unless they are ``uint8``, or ``float32`` from 0 to 255: a path length needs what rounding loses."""
    if values.dtype not in (np.uint8, np.float32) or values.ndim != 4 or values.shape[3] not in (1, 3):
        wanted = "uint8 of shape (N, H, W, 1 or 3), or float32 from 0 to 255"
        raise ValueError(f"images must be {wanted}, not {values.dtype} of {values.shape}")
