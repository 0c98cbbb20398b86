"""The bundled extractor: EfficientNet-Lite0 at 96 pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganwise import efficientnet
from ganwise.features.extractor import Array, Floats, Precision, check_images

SIZE = 96
"""Pixels a side. At 32 to 64 precision rises when images are blurred or foreign; 128 costs twice as much for little."""

FEATURE_SCALE = 2.5
"""Divides the features, whose size depends on ``SIZE``: 2.5 at 96 brings their root mean square to Inception's 0.5."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_BATCH = 32
"""Larger batches spend half of their time in the allocator: activations past 32 MB go back to the system each time."""


@dataclass(frozen=True)
class ImageFeatures:
    """The 1,280 pooled features of EfficientNet-Lite0, divided by ``FEATURE_SCALE``. Source: tan2019efficientnet."""

    device: str = "cpu"
    dtype: Precision = "fp32"
    batch: int = field(default=_BATCH, repr=False)

    @property
    def name(self) -> str:
        return f"efficientnet-lite0@{SIZE}-{self.dtype}"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}/{FEATURE_SCALE}/{efficientnet.SHA256}/{self.device.partition(':')[0]}/1"

    def __call__(self, values: Array, /) -> Floats:
        """Features ``(N, 1280)`` of ``uint8`` images ``(N, H, W, C)``, C 1 or 3."""
        check_images(values)
        out = np.empty((len(values), efficientnet.FEATURES), np.float32)
        dtype = torch.float32 if self.dtype == "fp32" else torch.bfloat16
        network = _network(self.device, dtype)
        # cuDNN may round float32 inputs to 10 bits, and the name says fp32
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            for i in range(0, len(values), self.batch):
                images = as_input(torch.from_numpy(np.array(values[i : i + self.batch])).to(self.device))
                features = network(images.to(dtype, memory_format=torch.channels_last))
                out[i : i + self.batch] = (features.float() / FEATURE_SCALE).cpu().numpy()
        return out


def as_input(images: Tensor) -> Tensor:
    """What the network sees of ``uint8`` images ``(B, H, W, C)``: RGB ``(B, 3, 96, 96)`` with ImageNet's normalization."""
    x = images.permute(0, 3, 1, 2).float() / 255
    if max(x.shape[2:]) > SIZE or min(x.shape[2:]) < SIZE:
        # antialiasing only matters when shrinking, where bilinear alone would skip pixels
        x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=max(x.shape[2:]) > SIZE)
    mean, std = (torch.tensor(row, device=x.device)[:, None, None] for row in (_MEAN, _STD))
    return (x - mean) / std  # broadcasting repeats gray into RGB


@lru_cache(maxsize=4)
def _network(device: str, dtype: torch.dtype) -> efficientnet.EfficientNetLite0:
    return efficientnet.load_efficientnet(device=device, dtype=dtype)
