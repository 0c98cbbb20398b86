"""Consistency: the discriminator should score alike what means the same, a moved image or a neighboring latent."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwise.augmentations import flip, shift
from ganwise.objective import Objective, Pass
from ganwise.ramp import Number, at


def disturb(x: Tensor) -> Tensor:
    """Images mirrored in half of the cases and moved by up to an eighth of a side. Source: zhang2020consistency."""
    return shift(flip(x), 1 / 8, "reflect")


def drift(p: Pass, x: Tensor, score: Tensor) -> Tensor:
    """E(D(x) - D(T x))^2, ``score`` being D(x)."""
    return (score - p.look(disturb(x)).score).square().mean()


def consistency(weight: Number = 10.0) -> Objective:
    """weight E(D(x) - D(T x))^2 on real samples. Source: zhang2020consistency, algorithm 1."""
    return Objective(lambda p: at(weight, p.step) * drift(p, p.real, p.r))


def balanced_consistency(real: Number = 10.0, fake: Number = 10.0) -> Objective:
    """real E(D(x) - D(T x))^2 + fake E(D(G(z)) - D(T G(z)))^2. Source: zhao2021improved, algorithm 1."""
    return Objective(lambda p: at(real, p.step) * drift(p, p.real, p.r) + at(fake, p.step) * drift(p, p.fake.detach(), p.f))


def latent_consistency(discriminator: Number = 20.0, generator: Number = 0.5, sigma: float = 0.05) -> Objective:
    """D: discriminator E(D(G(z)) - D(G(z')))^2; G: -generator E(G(z) - G(z'))^2, z' = z + N(0, sigma^2), a mean over pixels.

    Source: zhao2021improved, algorithm 2; weights and mean as in kang2023studiogan's code.
    """

    def beside(p: Pass) -> Tensor:
        fake: Tensor = p.generator(p.z + sigma * torch.randn_like(p.z), p.labels)
        return fake.to(p.fake.dtype)

    def attract(p: Pass) -> Tensor:
        with torch.no_grad():
            fake = beside(p)
        return at(discriminator, p.step) * (p.f - p.look(fake).score).square().mean()

    return Objective(attract, lambda p: -at(generator, p.step) * (p.fake - beside(p)).square().mean())
