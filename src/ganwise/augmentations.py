"""What both players' samples pass through before the discriminator sees them: differentiable, and alike for real and fake."""

from __future__ import annotations

from torch import Tensor

from ganwise.objective import Part


class Augmentation(Part):
    """A random, differentiable change of a batch (B, C, H, W) or (B, D); it may adapt in ``update``."""

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError
