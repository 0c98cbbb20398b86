"""The losses, one for each line of maths: r are scores of real samples, f of fakes, sp is softplus. All are minimized."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, leaky_relu, relu
from torch.nn.functional import softplus as sp

from ganwise.divergences import Divergence
from ganwise.objective import Objective, Output, Part, Pass, Signals

# a logit, and what it says of the odds


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


def f_gan(divergence: Divergence, practical: bool = True) -> Objective:
    """The variational bound; the practical generator ascends T(G(z)). Source: nowozin2016fgan, equation 6, section 3.2."""
    g, conjugate = divergence.activation, divergence.conjugate
    return Objective(
        lambda p: conjugate(p.f).mean() - g(p.r).mean(),
        lambda p: -g(p.f).mean() if practical else -conjugate(p.f).mean(),
        threshold=divergence.threshold,
    )


# targets, margins, means


def least_squares(fake: float = 0.0, real: float = 1.0, wanted: float = 1.0) -> Objective:
    """Targets a = fake, b = real, c = wanted; (-1, 1, 0) is half Pearson's chi squared of 2q from p + q.

    Source: mao2017lsgan, equation 2, section 3.2.2.
    """
    return Objective(
        lambda p: 0.5 * ((p.r - real) ** 2).mean() + 0.5 * ((p.f - fake) ** 2).mean(),
        lambda p: 0.5 * ((p.f - wanted) ** 2).mean(),
        threshold=(fake + real) / 2,
    )


def hinge(margin: float = 1.0) -> Objective:
    """Source: lim2017geometric, equations 18 and 19; miyato2018sngan, equations 16 and 17."""
    return Objective(
        lambda p: relu(margin - p.r).mean() + relu(margin + p.f).mean(),
        lambda p: -p.f.mean(),
    )


def wasserstein() -> Objective:
    """Difference of means; its negative estimates the distance. Source: arjovsky2017wgan, equation 2."""
    return Objective(
        lambda p: p.f.mean() - p.r.mean(),
        lambda p: -p.f.mean(),
        threshold=None,
    )


# real against fake: a link says how much a difference is missed that should be large

LINKS: dict[str, Callable[[Tensor], Tensor]] = {
    "logistic": lambda d: sp(-d),
    "least-squares": lambda d: (d - 1) ** 2,
    "hinge": lambda d: relu(1 - d),
}


def _link(form: str) -> Callable[[Tensor], Tensor]:
    if form not in LINKS:
        raise ValueError(f"unknown form '{form}'; known: {', '.join(LINKS)}")
    return LINKS[form]


def relativistic(form: str = "logistic") -> Objective:
    """Each real sample against the fake of its place in the batch. Source: jolicoeur2018relativistic, equations 5 and 6."""
    link = _link(form)
    return Objective(
        lambda p: link(p.r - p.f).mean(),
        lambda p: link(p.f - p.r).mean(),
        pairs=True,
        threshold=None,
    )


def relativistic_average(form: str = "logistic") -> Objective:
    """Each sample against the mean of the other kind. Source: jolicoeur2018relativistic, halved as in the author's code."""
    link = _link(form)
    return Objective(
        lambda p: 0.5 * (link(p.r - p.f.mean()).mean() + link(p.r.mean() - p.f).mean()),
        lambda p: 0.5 * (link(p.f.mean() - p.r).mean() + link(p.f - p.r.mean()).mean()),
        pairs=True,
        threshold=None,
    )


# energies: low on real samples


def loss_sensitive(margin: float = 2.4576, weight: float = 0.0) -> Objective:
    """A fake's loss stays above a real one's by the samples' distance. Source: qi2020losssensitive, and the author's code.

    The loss is the raw score, as in the author's later code with a gradient penalty; the first one ended it in a ReLU. It has no
    floor, so that a ``weight`` above 0 asks for a regularizer that bounds the slope.
    """
    return generalized_loss_sensitive(0.0, margin, weight)


def generalized_loss_sensitive(slope: float = -1.0, margin: float = 2.4576, weight: float = 0.0) -> Objective:
    """E C(margin mean|x - G(z)| + r - f), C(a) = a above 0, slope a below: 0 is loss-sensitive, 1 Wasserstein, -1 absolute.

    The author sums over pixels, with a factor of 2e-4: on 64 x 64 x 3 numbers the same as our mean times 2.4576, which does not
    depend on the size. Source: qi2020losssensitive, and the author's code.
    """
    if slope > 1:
        raise ValueError(f"slope {slope}: a cost is at least its argument, so its slope is at most 1")

    def discriminator(p: Pass) -> Tensor:
        distance = (p.real - p.fake).abs().reshape(len(p.real), -1).mean(1)
        return leaky_relu(margin * distance + p.r - p.f, slope).mean() + weight * p.r.mean()

    return Objective(discriminator, lambda p: p.f.mean(), sign=-1, threshold=None)


def energy_margin(margin: float = 1.0) -> Objective:
    """D raises the energy of fakes up to the margin. Source: zhao2016ebgan, equations 1 and 2."""
    return Objective(
        lambda p: p.r.mean() + relu(margin - p.f).mean(),
        lambda p: p.f.mean(),
        sign=-1,
        threshold=None,
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


# features and classes


def feature_matching() -> Objective:
    """D as half the log loss, G as the distance of mean features. Source: salimans2016improved, sections 3.1 and 5.

    The distance is the mean absolute difference, as in the authors' code; their text has the squared one.
    """

    def means(said: Output | None) -> Tensor:
        assert said is not None
        assert said.features is not None, "the discriminator gives no features"
        return said.features.mean(0)

    return Objective(
        lambda p: 0.5 * (sp(-p.r).mean() + sp(p.f).mean()),
        lambda p: (means(p.real_out) - means(p.fake_out)).abs().mean(),
        pairs=True,
    )


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
        lambda p: real * entropy(p.real_out, p) + fake * entropy(p.fake_out, p),
        lambda p: generator * entropy(p.fake_out, p),
    )
