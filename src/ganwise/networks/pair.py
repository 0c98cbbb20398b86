"""What every architecture gives: a generator that knows its latents, and a discriminator that returns an Output."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ganwise.networks.labels import UNLABELED, Labels

Prior = Literal["normal", "uniform"]


class Generator(nn.Module):
    """Maps latents (B, latent), and labels (B,) where it is conditioned, to samples: images (B, C, H, W) or vectors (B, D).

    ``synthesis`` takes styles and labels, as a `Stack` does. ``mapping`` makes styles of latents: the identity but for
    style-based generators.
    """

    def __init__(
        self, synthesis: nn.Module, latent: int, prior: Prior, labels: Labels = UNLABELED, mapping: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.mapping, self.synthesis = mapping or nn.Identity(), synthesis
        self.latent, self.prior, self.labels = latent, prior, labels

    def draw(self, n: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
        """n latents from the prior: standard normal, or uniform on [-1, 1]."""
        if self.prior == "normal":
            return torch.randn(n, self.latent, device=device, generator=generator)
        return torch.rand(n, self.latent, device=device, generator=generator) * 2 - 1

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        styles = self.mapping(self.labels.join(z, labels))
        samples: Tensor = self.synthesis(styles, labels)
        return samples


class FromData(nn.Module):
    """A layer that takes its first weights from the training data."""

    def fit(self, mean: Tensor) -> None:
        """``mean`` (C, H, W) or (D,) is that of the training samples, as the networks see them."""
        raise NotImplementedError


class View(nn.Module):
    """A one-to-one map between samples and what both networks see of them; the identity but for image pyramids."""

    def encode(self, samples: Tensor) -> Tensor:
        return samples

    def decode(self, seen: Tensor) -> Tensor:
        return seen


class Networks(NamedTuple):
    """An architecture made for one shape. ``told_real``: in training the generator is told real samples instead of labels."""

    generator: Generator
    discriminator: nn.Module
    view: View = View()
    told_real: bool = False
