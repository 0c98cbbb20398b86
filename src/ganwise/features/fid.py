"""The features that published FIDs, KIDs and Inception scores are of, from a weights file that the user has."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ganwise.features.extractor import Array, Floats, check_images
from ganwise.features.resize import RESIZERS
from ganwise.inception import CLASSES, FEATURES, SHA256, SIZE, InceptionV3, load_inception
from ganwise.types import Unusable

_BATCH = 16


@dataclass(frozen=True)
class InceptionFeatures:
    """The 2,048 features ``pool3`` of FID's Inception-v3, after one of ``RESIZERS``; float32. Source: heusel2017ttur.

    The file is read at once. ``Unusable`` where it is not the published one and its own ``sha256`` is not given.
    """

    path: Path
    resizer: str = "tf1"
    device: str = "cpu"
    sha256: str = SHA256
    batch: int = field(default=_BATCH, repr=False)

    def __post_init__(self) -> None:
        if self.resizer not in RESIZERS:
            raise Unusable(f"resizer {self.resizer!r}: unknown; known: {', '.join(RESIZERS)}")
        self._network()

    @property
    def name(self) -> str:
        own = "" if SHA256.startswith(self.sha256.lower()) else f"-{self.sha256[:8].lower()}"
        return f"inception-v3-fid{own}@{SIZE}-{self.resizer}-fp32"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}/{self.sha256}/{self.device.partition(':')[0]}/1"

    def __call__(self, values: Array, /) -> Floats:
        """Features ``(N, 2048)`` of ``uint8`` images ``(N, H, W, C)``, C 1 or 3; one channel is repeated to three."""
        check_images(values)
        out = np.empty((len(values), FEATURES), np.float32)
        network = self._network()
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            for i in range(0, len(values), self.batch):
                images = values[i : i + self.batch]
                x = RESIZERS[self.resizer](np.repeat(images, 3, 3) if images.shape[3] == 1 else images)
                x = x.to(self.device, memory_format=torch.channels_last)
                out[i : i + self.batch] = network(x).cpu().numpy()
        return out

    def logits(self, features: Array, bias: bool = False) -> Floats:
        """Logits ``(N, 1008)`` of features ``(N, 2048)``, for the Inception score: by default without the bias."""
        out = np.empty((len(features), CLASSES), np.float32)
        with torch.inference_mode():
            rows = torch.from_numpy(np.asarray(features, np.float32)).to(self.device)
            out[:] = self._network().logits(rows, bias).cpu().numpy()
        return out

    def _network(self) -> InceptionV3:
        return _loaded(self.path, self.sha256, self.device)


@lru_cache(maxsize=2)
def _loaded(path: Path, sha256: str, device: str) -> InceptionV3:
    return load_inception(path, sha256, device)
