"""What every architecture gives: a generator that knows its latents, and a discriminator that returns an Output."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ganwise.objective import Output

Prior = Literal["normal", "uniform"]


class Generator(nn.Module):
    """Maps latents (B, latent) to samples, images (B, C, H, W) in [-1, 1] or vectors (B, D)."""

    def __init__(self, synthesis: nn.Module, latent: int, prior: Prior) -> None:
        super().__init__()
        self.synthesis, self.latent, self.prior = synthesis, latent, prior

    def draw(self, n: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
        """n latents from the prior: standard normal, or uniform on [-1, 1]."""
        if self.prior == "normal":
            return torch.randn(n, self.latent, device=device, generator=generator)
        return torch.rand(n, self.latent, device=device, generator=generator) * 2 - 1

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        samples: Tensor = self.synthesis(z)
        return samples


class Scorer(nn.Module):
    """A discriminator made of a trunk and a last layer: the trunk's output is its features."""

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Output:
        features = self.trunk(x)
        return Output(self.head(features).flatten(), features=features)


class Networks(NamedTuple):
    generator: Generator
    discriminator: nn.Module
