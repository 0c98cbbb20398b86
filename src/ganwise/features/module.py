"""Any network as an extractor."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwise.features.extractor import Array, Floats, check_images
from ganwise.types import Unusable

_BATCH = 64
Normalization = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation of each channel that a network wants, of pixels in [0, 1]."""

UNIT: Normalization = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class ModuleFeatures:
    """What an ``nn.Module`` makes of samples, flat: ``(B, ...)`` to ``(B, F)``.

    The module is copied and put into evaluation mode, so that training it on changes nothing here. It sees images as
    ``(B, C, size, size)``, resized bilinearly (antialiased where they shrink) unless ``size`` is None, less the mean over the
    standard deviation of ``normalization``, whose length is C: one channel is repeated to three. Vectors it sees as they are.

    The fingerprint is of its weights, its printed form and these settings: code that neither shows, such as a new ``forward``,
    needs a new ``name``.

    Args:
        module: Its features must not depend on the rest of the batch, nor on chance.
        name: As in ``Score.features``; size and the beginning of the fingerprint are added.
        size: Pixels a side of what the module sees.
        normalization: Mean and standard deviation of each channel, of pixels in [0, 1].

    Raises:
        Unusable: The normalization is not of 1 or 3 channels, or features are not one row for each sample.
    """

    def __init__(
        self,
        module: nn.Module,
        name: str,
        size: int | None = None,
        normalization: Normalization = UNIT,
        device: str = "cpu",
        batch: int = _BATCH,
    ) -> None:
        mean, std = (tuple(map(float, row)) for row in normalization)
        if len(mean) not in (1, 3) or len(std) != len(mean) or min(std) <= 0:
            raise Unusable(f"extractor {name}: normalization needs means and positive deviations of 1 or 3 channels")
        self.module = copy.deepcopy(module).to(device).eval().requires_grad_(False)
        self.size, self.mean, self.std, self.device, self.batch = size, mean, std, device, batch
        self.fingerprint = f"module/{name}/{size}/{mean}/{std}/{device.partition(':')[0]}/{weights_hash(self.module)}/1"
        short = hashlib.sha256(self.fingerprint.encode()).hexdigest()[:8]
        self.name = f"{name}{'' if size is None else f'@{size}'}-{short}"

    def __call__(self, values: Array, /) -> Floats:
        """Features ``(N, F)`` of ``uint8`` images ``(N, H, W, C)`` or vectors ``(N, D)``."""
        if values.ndim != 2:
            check_images(values)
        parts = []
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            for i in range(0, len(values), self.batch):
                rows = torch.from_numpy(np.array(values[i : i + self.batch])).to(self.device)
                features = self.module(rows.float() if values.ndim == 2 else self._seen(rows))
                if not isinstance(features, Tensor) or features.ndim < 2 or len(features) != len(rows):
                    found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
                    raise Unusable(f"extractor {self.name}: features of {len(rows)} samples are {found}, not one row for each")
                parts.append(features.flatten(1).float().cpu().numpy())
        return np.concatenate(parts)

    def _seen(self, images: Tensor) -> Tensor:
        x = images.permute(0, 3, 1, 2).float() / 255
        if x.shape[1] > len(self.mean):
            raise Unusable(f"extractor {self.name}: sees one channel, and the images have {x.shape[1]}")
        if self.size is not None and x.shape[2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=max(x.shape[2:]) > self.size)
        mean, std = (torch.tensor(row, device=x.device)[:, None, None] for row in (self.mean, self.std))
        return (x - mean) / std


def weights_hash(module: nn.Module) -> str:
    """SHA-256 of a module's printed form and of its parameters and buffers, with names, types and shapes."""
    digest = hashlib.sha256(repr(module).encode())
    for name, value in (*module.named_parameters(), *module.named_buffers()):
        data = value.detach().cpu().contiguous()
        digest.update(f"{name}/{data.dtype}/{tuple(data.shape)}".encode())
        digest.update(data.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
