"""The losses, one for each line of maths: r are scores of real samples, f of fakes, sp is softplus. All are minimized."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, relu
from torch.nn.functional import softplus as sp

from ganwise.divergences import Divergence
from ganwise.objective import Objective, Output, Part, Pass, Signals, nothing


def minimax() -> Objective:
    """The value function as written; G descends log(1 - D(G(z))). Source: goodfellow2014gan, equation 1."""
    return Objective(
        lambda p: sp(-p.r).mean() + sp(p.f).mean(),
        lambda p: -sp(p.f).mean(),
    )


def non_saturating() -> Objective:
    """G ascends log D(G(z)) instead. Source: goodfellow2014gan, section 3."""
    return Objective(
        lambda p: sp(-p.r).mean() + sp(p.f).mean(),
        lambda p: sp(-p.f).mean(),
    )


def least_squares(fake: float = 0.0, real: float = 1.0, wanted: float = 1.0) -> Objective:
    """Targets a = fake, b = real, c = wanted; (-1, 1, 0) is Pearson's chi squared. Source: mao2017lsgan, equation 2."""
    return Objective(
        lambda p: 0.5 * ((p.r - real) ** 2).mean() + 0.5 * ((p.f - fake) ** 2).mean(),
        lambda p: 0.5 * ((p.f - wanted) ** 2).mean(),
        threshold=(fake + real) / 2,
    )


def wasserstein() -> Objective:
    """Difference of means; its negative estimates the distance. Source: arjovsky2017wgan, equation 2."""
    return Objective(
        lambda p: p.f.mean() - p.r.mean(),
        lambda p: -p.f.mean(),
        threshold=None,
    )


def hinge(margin: float = 1.0) -> Objective:
    """Source: lim2017geometric, equations 18 and 19; miyato2018sngan, equations 16 and 17."""
    return Objective(
        lambda p: relu(margin - p.r).mean() + relu(margin + p.f).mean(),
        lambda p: -p.f.mean(),
    )


def relativistic() -> Objective:
    """Real against the fake of the same place in the batch. Source: jolicoeur2018relativistic, equations 5 and 6."""
    return Objective(
        lambda p: sp(-(p.r - p.f)).mean(),
        lambda p: sp(-(p.f - p.r)).mean(),
        pairs=True,
        threshold=None,
    )


def f_gan(divergence: Divergence, practical: bool = True) -> Objective:
    """The variational bound; the practical generator ascends T(G(z)). Source: nowozin2016fgan, equation 6, section 3.2."""
    g, conjugate = divergence.activation, divergence.conjugate
    return Objective(
        lambda p: conjugate(p.f).mean() - g(p.r).mean(),
        lambda p: -g(p.f).mean() if practical else -conjugate(p.f).mean(),
        threshold=divergence.threshold,
    )


class BoundaryEquilibrium(Part):
    """A(x) - k A(G(z_D)) for D, A(G(z_G)) for G; k holds E A(G) = gamma E A(x). A is a mean over pixels in [-1, 1].

    Source: berthelot2017began, section 3.4; `m_global` is its convergence measure of section 3.5.
    """

    sign = -1
    threshold = None

    def __init__(self, gamma: float = 0.5, rate: float = 0.001) -> None:
        super().__init__()
        self.gamma, self.rate = gamma, rate
        self.register_buffer("k", torch.zeros(()))
        self.k: Tensor

    def discriminator(self, p: Pass) -> Tensor:
        return p.r.mean() - self.k * p.f.mean()

    def generator(self, p: Pass) -> Tensor:
        return p.f.mean()

    def update(self, d: Pass, g: Pass, signals: Signals) -> None:
        real = d.r.mean()
        balance = self.gamma * real - g.f.mean()
        self.k.add_(self.rate * balance).clamp_(0, 1)
        signals["k"], signals["m_global"] = self.k.clone(), real + balance.abs()


def classification(real: float = 1.0, fake: float = 1.0, generator: float = 0.1) -> Objective:
    """Cross entropy of labeled samples, weighted for D on real and on fake ones and for G. Source: odena2017acgan, equation 3."""

    def entropy(said: Output | None, p: Pass) -> Tensor:
        assert said is not None
        assert said.logits is not None, "conditioning gives the discriminator a classifier"
        assert p.labels is not None
        known = p.labels >= 0
        losses = cross_entropy(said.logits, p.labels.clamp(min=0), reduction="none")
        return (losses * known).sum() / known.sum().clamp(min=1)

    return Objective(
        lambda p: real * entropy(p.real_out, p) + (fake * entropy(p.fake_out, p) if fake else 0.0),
        lambda p: generator * entropy(p.fake_out, p) if generator else nothing(p),
    )
