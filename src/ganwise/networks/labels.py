"""Where class labels enter the networks: the pieces with which any architecture is conditioned."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ganwise.networks.heads import ClassifierScorer, Informed, OpenScorer, ProjectionScorer, Scorer
from ganwise.shapes import Shape

Told = Literal["none", "input", "norm"]
Asked = Literal["none", "input", "projection", "classifier", "open"]


class Labeled(nn.Module):
    """A layer whose forward pass takes (x, labels); labels (B,) may be None where it is not conditioned."""


class Stack(nn.Sequential, Labeled):
    """Layers one after the other; those that take labels get them."""

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        for layer in self:
            x = layer(x, labels) if isinstance(layer, Labeled) else layer(x)
        return x


class ConditionalBatchNorm(Labeled):
    """Batch normalization whose scale and shift are learned for each class. Source: dumoulin2017style, equation 5."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        assert labels is not None, "conditional normalization needs labels"
        scale, shift = (each(labels)[:, :, None, None] for each in (self.scale, self.shift))
        y: Tensor = scale * self.norm(x) + shift
        return y


class Labels(NamedTuple):
    """How many classes there are, how the generator is told of them, and what the discriminator does with them."""

    classes: int = 0
    generator: Told = "none"
    discriminator: Asked = "none"

    def inputs(self, latent: int) -> int:
        """Numbers that the generator's first layer reads."""
        return latent + (self.classes if self.generator == "input" else 0)

    def join(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Latents (B, self.inputs(latent)), with one-hot labels beside them where told so. Source: mirza2014cgan."""
        if self.generator != "input":
            return z
        assert labels is not None, "a conditional generator needs labels"
        return torch.cat([z, one_hot(labels, self.classes).to(z)], 1)

    def normalize(self, channels: int) -> nn.Module:
        """Batch normalization of a generator's maps, by class where the generator is told so."""
        return ConditionalBatchNorm(channels, self.classes) if self.generator == "norm" else nn.BatchNorm2d(channels)

    def shape(self, shape: Shape) -> Shape:
        """What the discriminator's trunk reads: one more plane, or one-hot numbers, where labels are its input."""
        if self.discriminator != "input":
            return shape
        return (shape[0] + (1 if len(shape) == 3 else self.classes), *shape[1:])

    def scorer(self, trunk: nn.Module, width: int, shape: Shape) -> nn.Module:
        """The discriminator on a trunk from (B, *self.shape(shape)) to features (B, width)."""
        if self.discriminator == "projection":
            return ProjectionScorer(trunk, width, self.classes)
        if self.discriminator == "classifier":
            return ClassifierScorer(trunk, width, self.classes)
        if self.discriminator == "open":
            return OpenScorer(trunk, width, self.classes)
        plain = Scorer(trunk, width)
        return Informed(plain, shape, self.classes) if self.discriminator == "input" else plain


UNLABELED = Labels()
