"""How images reach 299 pixels, which alone moves a FID by several points: one function for each published way.

Every function takes ``uint8`` images ``(N, H, W, 3)`` and gives ``(N, 3, 299, 299)`` in about [-1, 1]. Scores after
different ones are not comparable. Source of the trouble: parmar2022cleanfid.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ganwise.features.extractor import Array
from ganwise.inception import SIZE


def tf1(images: Array, size: int = SIZE) -> Tensor:
    """TensorFlow 1's bilinear: output pixel i reads the place ``i * old / new``, no half-pixel offset, no antialiasing.

    Then ``(x - 128) / 128``. Source: heusel2017ttur's graph, as obukhov2020torchfidelity reproduces it.
    """
    x = _first(images).float()
    (top, bottom, down), (left, right, across) = (_places(old, size) for old in x.shape[2:])
    # not torch.lerp, which rounds another way: this order of operations is TensorFlow's, to the bit
    upper, lower = (x[:, :, rows][..., left] + (x[:, :, rows][..., right] - x[:, :, rows][..., left]) * across
                    for rows in (top, bottom))  # fmt: skip
    return (upper + (lower - upper) * down[:, None] - 128) / 128


def pytorch(images: Array, size: int = SIZE) -> Tensor:
    """torch's bilinear with half-pixel offset, no antialiasing, on [0, 1]; then ``2 x - 1``. Source: seitzer2020pytorchfid."""
    x = F.interpolate(_first(images).float() / 255, (size, size), mode="bilinear", align_corners=False)
    return 2 * x - 1


def clean(images: Array, size: int = SIZE) -> Tensor:
    """Pillow's bicubic, antialiased, in floating point, cut to [0, 255]; then ``(x - 128) / 128``. Source: parmar2022cleanfid."""
    return (_pillow(images, size, Image.Resampling.BICUBIC).clamp(0, 255) - 128) / 128


def friendly(images: Array, size: int = SIZE) -> Tensor:
    """Pillow's bilinear, antialiased, in floating point; then ``2 x / 255 - 1``. Source: kang2022studiogan."""
    return 2 * _pillow(images, size, Image.Resampling.BILINEAR) / 255 - 1


RESIZERS: dict[str, Callable[[Array], Tensor]] = {"tf1": tf1, "pytorch": pytorch, "clean": clean, "friendly": friendly}


def _first(images: Array) -> Tensor:
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)


def _places(old: int, new: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each output pixel the two input pixels that it lies between, and how far along. The last has no next one."""
    # float32 as TensorFlow: at whole places float64 would fall on the other side of a pixel now and then
    place = torch.arange(new, dtype=torch.float32) * torch.tensor(old / new, dtype=torch.float32)
    low = place.long()
    return low, (low + 1).clamp(max=old - 1), place - low


def _pillow(images: Array, size: int, how: Image.Resampling) -> Tensor:
    """Channel by channel as 32-bit floats, so that nothing is rounded to bytes in between."""
    out = np.empty((len(images), images.shape[3], size, size), np.float32)
    for i, image in enumerate(images):
        for c in range(images.shape[3]):
            resized = Image.fromarray(image[:, :, c].astype(np.float32)).resize((size, size), how)
            out[i, c] = np.asarray(resized)
    return torch.from_numpy(out)
