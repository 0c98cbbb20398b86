"""Every loss equals its authors' formula, written out here from the paper or their code, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ganwise import catalog
from ganwise.build import LOSSES, build
from ganwise.catalog import choice
from ganwise.data import load
from ganwise.divergences import DIVERGENCES
from ganwise.losses import (
    LINKS,
    BoundaryEquilibrium,
    classification,
    energy_margin,
    f_gan,
    feature_matching,
    generalized_loss_sensitive,
    hinge,
    least_squares,
    loss_sensitive,
    minimax,
    non_saturating,
    relativistic,
    relativistic_average,
    wasserstein,
)
from ganwise.objective import Objective, Output, Part, Pass, lazy
from ganwise.recipe import Recipe, Schedule, change
from ganwise.testing import check_loss
from ganwise.train import train

Players = tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]


def sample(score: Tensor) -> Tensor:
    """Something of two numbers that has this score, (B, 2)."""
    return torch.stack([score, score.cos()], 1)


def features(score: Tensor) -> Tensor:
    return torch.stack([score, score.sin(), score**2], 1)


def scores(r: Tensor, f: Tensor, step: int = 0) -> Pass:
    """A pass whose samples and features follow from their scores."""
    said = [Output(s, features=features(s)) for s in (r, f)]
    return Pass(step, nn.Identity(), Output, sample(r), sample(f), f, None, *said)


@pytest.fixture
def rf() -> tuple[Tensor, Tensor]:
    """Scores so wide that no hinge is always on or off."""
    generator = torch.Generator().manual_seed(0)
    return (
        3 * torch.randn(50, generator=generator, dtype=torch.float64),
        3 * torch.randn(50, generator=generator, dtype=torch.float64) - 1,
    )


def sigmoid(t: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-t))


def bce(score: Tensor, target: int) -> Tensor:
    return -(sigmoid(score).log() if target else (1 - sigmoid(score)).log()).mean()


def positive(t: Tensor) -> Tensor:
    return torch.maximum(t, torch.zeros_like(t))


def l1(r: Tensor, f: Tensor) -> Tensor:
    """The authors' distance: summed over a sample's numbers."""
    return (sample(r) - sample(f)).abs().sum(1)


AUTHORS: dict[str, tuple[Objective, Players]] = {
    "minimax: the value function of Goodfellow et al., eq. 1": (
        minimax(),
        (
            lambda r, f: -(sigmoid(r).log().mean() + (1 - sigmoid(f)).log().mean()),
            lambda r, f: (1 - sigmoid(f)).log().mean(),
        ),
    ),
    "non-saturating: maximize log D(G(z))": (
        non_saturating(),
        (lambda r, f: -(sigmoid(r).log().mean() + (1 - sigmoid(f)).log().mean()), lambda r, f: -sigmoid(f).log().mean()),
    ),
    "least squares with targets 0, 1, 1": (
        least_squares(),
        (lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2, lambda r, f: ((f - 1) ** 2).mean() / 2),
    ),
    "least squares with targets -1, 1, 0": (
        least_squares(-1.0, 1.0, 0.0),
        (lambda r, f: ((r - 1) ** 2).mean() / 2 + ((f + 1) ** 2).mean() / 2, lambda r, f: (f**2).mean() / 2),
    ),
    "wasserstein": (wasserstein(), (lambda r, f: -(r.mean() - f.mean()), lambda r, f: -f.mean())),
    "hinge: minus E min(0, -1 + D(x)) minus E min(0, -1 - D(G(z)))": (
        hinge(),
        (
            lambda r, f: -torch.minimum(torch.zeros_like(r), -1 + r).mean() - torch.minimum(torch.zeros_like(f), -1 - f).mean(),
            lambda r, f: -f.mean(),
        ),
    ),
    "relativistic: minus E log sigmoid of the paired difference": (
        relativistic(),
        (lambda r, f: -sigmoid(r - f).log().mean(), lambda r, f: -sigmoid(f - r).log().mean()),
    ),
    "relativistic, least squares": (
        relativistic("least-squares"),
        (lambda r, f: ((r - f - 1) ** 2).mean(), lambda r, f: ((f - r - 1) ** 2).mean()),
    ),
    "relativistic, hinge": (
        relativistic("hinge"),
        (lambda r, f: positive(1 - (r - f)).mean(), lambda r, f: positive(1 - (f - r)).mean()),
    ),
    "RaSGAN, as the author's code has it": (
        relativistic_average(),
        (
            lambda r, f: (bce(r - f.mean(), 1) + bce(f - r.mean(), 0)) / 2,
            lambda r, f: (bce(r - f.mean(), 0) + bce(f - r.mean(), 1)) / 2,
        ),
    ),
    "RaLSGAN, as the author's code has it": (
        relativistic_average("least-squares"),
        (
            lambda r, f: (((r - f.mean() - 1) ** 2).mean() + ((f - r.mean() + 1) ** 2).mean()) / 2,
            lambda r, f: (((r - f.mean() + 1) ** 2).mean() + ((f - r.mean() - 1) ** 2).mean()) / 2,
        ),
    ),
    "RaHinge, as the author's code has it": (
        relativistic_average("hinge"),
        (
            lambda r, f: (positive(1 - (r - f.mean())).mean() + positive(1 + (f - r.mean())).mean()) / 2,
            lambda r, f: (positive(1 + (r - f.mean())).mean() + positive(1 - (f - r.mean())).mean()) / 2,
        ),
    ),
    "loss-sensitive: gamma E L(x) + E (tau |x - G(z)|_1 + L(x) - L(G(z)))_+": (
        loss_sensitive(margin=2 * 0.7, weight=0.3),
        (lambda r, f: 0.3 * r.mean() + positive(0.7 * l1(r, f) + r - f).mean(), lambda r, f: f.mean()),
    ),
    "generalized loss-sensitive with the absolute cost": (
        generalized_loss_sensitive(slope=-1.0, margin=2 * 0.7),
        (lambda r, f: (0.7 * l1(r, f) + r - f).abs().mean(), lambda r, f: f.mean()),
    ),
    "generalized loss-sensitive of slope 1 and no margin is Wasserstein, energies for scores": (
        generalized_loss_sensitive(slope=1.0, margin=0.0),
        (lambda r, f: r.mean() - f.mean(), lambda r, f: f.mean()),
    ),
    "energy margin: D(x) + [m - D(G(z))]+": (
        energy_margin(1.5),
        (lambda r, f: (r + positive(1.5 - f)).mean(), lambda r, f: f.mean()),
    ),
    "feature matching, as the authors' code has it": (
        feature_matching(),
        (
            lambda r, f: -0.5 * r.mean() + 0.5 * (1 + torch.exp(r)).log().mean() + 0.5 * (1 + torch.exp(f)).log().mean(),
            lambda r, f: (features(r).mean(0) - features(f).mean(0)).abs().mean(),
        ),
    ),
    "f-gan, KL: T = v, f*(t) = exp(t - 1)": (
        f_gan(DIVERGENCES["kl"], practical=False),
        (lambda r, f: -(r.mean() - torch.exp(f - 1).mean()), lambda r, f: -torch.exp(f - 1).mean()),
    ),
    "f-gan, Pearson: T = v, f*(t) = t^2/4 + t": (
        f_gan(DIVERGENCES["pearson"], practical=False),
        (lambda r, f: -(r.mean() - (f**2 / 4 + f).mean()), lambda r, f: -(f**2 / 4 + f).mean()),
    ),
    "f-gan, practical generator: maximize T(G(z))": (
        f_gan(DIVERGENCES["squared-hellinger"]),
        (
            lambda r, f: -((1 - torch.exp(-r)).mean() - ((1 - torch.exp(-f)) / torch.exp(-f)).mean()),
            lambda r, f: -(1 - torch.exp(-f)).mean(),
        ),
    ),
}


@pytest.mark.parametrize("name", AUTHORS)
def test_a_loss_is_its_authors_formula_with_its_gradient_and_keeps_what_it_says_of_itself(name: str) -> None:
    objective, authors = AUTHORS[name]
    check_loss(objective, authors, seen=scores)


def test_every_loss_and_every_form_is_compared_with_its_authors() -> None:
    compared = {objective.discriminator.__qualname__.split(".")[0] for objective, _ in AUTHORS.values()}
    written = {f"{function.__module__}.{function.__name__}" for function in LOSSES.values()} - {
        "ganwise.losses.BoundaryEquilibrium",  # below, step by step
        "ganwise.losses.loss_sensitive",  # made by the generalized one
    }
    assert {f"ganwise.losses.{name}" for name in compared} == written
    assert len(LINKS) == 3


@pytest.mark.parametrize("make", [relativistic, relativistic_average])
def test_an_unknown_form_and_an_impossible_slope_are_refused(make: Callable[[str], Objective]) -> None:
    with pytest.raises(ValueError, match="known: logistic, least-squares, hinge"):
        make("squared")
    with pytest.raises(ValueError, match="at most 1"):
        generalized_loss_sensitive(slope=1.5)


def test_the_loss_sensitive_margin_is_the_authors_on_their_images() -> None:
    x, y = torch.rand(2, 4, 3, 64, 64, dtype=torch.float64)
    zero = torch.zeros(4, dtype=torch.float64)
    p = scores(zero, zero)._replace(real=x, fake=y)
    torch.testing.assert_close(loss_sensitive().discriminator(p), 2e-4 * (x - y).abs().flatten(1).sum(1).mean())


# classes


def told(labels: list[int]) -> tuple[Pass, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = [torch.randn(len(labels), 3, generator=generator, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    said = [Output(each.logsumexp(1), logits=each) for each in logits]
    zero = torch.zeros(len(labels), 2)
    return Pass(0, nn.Identity(), Output, zero, zero, zero, torch.tensor(labels), *said), *logits


def test_classification_is_the_weighted_cross_entropy_of_labeled_samples() -> None:
    p, real, fake = told([0, 2, -1, 1])
    own, both = ([-each.softmax(1)[i, c].log() for i, c in ((0, 0), (1, 2), (3, 1))] for each in (real, fake))
    objective = classification(real=2.0, fake=0.5, generator=0.1)
    torch.testing.assert_close(objective.discriminator(p), 2 * sum(own) / 3 + 0.5 * sum(both) / 3, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(objective.generator(p), 0.1 * sum(both) / 3, atol=1e-10, rtol=1e-10)


def test_classification_of_no_labeled_sample_is_zero_with_a_zero_gradient() -> None:
    p, real, _ = told([-1, -1])
    loss = classification().discriminator(p)
    assert loss == 0
    assert (torch.autograd.grad(loss, real)[0] == 0).all()


def test_with_open_scores_feature_matching_is_the_loss_of_k_plus_one_classes() -> None:
    p, real, fake = told([0, 1, 2, 0])
    extended = [torch.cat([each, torch.zeros(4, 1, dtype=torch.float64)], 1) for each in (real, fake)]
    real_is_fake, fake_is_fake = (each.softmax(1)[:, 3] for each in extended)
    expected = -0.5 * (1 - real_is_fake).log().mean() - 0.5 * fake_is_fake.log().mean()
    torch.testing.assert_close(feature_matching().discriminator(p), expected, atol=1e-10, rtol=1e-10)
    known = cross_entropy(real, torch.tensor([0, 1, 2, 0]))  # among the K classes, given that it is none of the fakes
    torch.testing.assert_close(classification(1.0, 0.0, 0.0).discriminator(p), known, atol=1e-10, rtol=1e-10)


# energies that balance themselves, and laziness


def test_began_follows_its_equations_on_recorded_numbers() -> None:
    loss, k = BoundaryEquilibrium(gamma=0.5, rate=0.1), 0.0
    for real, fake in [(1.0, 0.2), (0.8, 0.3), (0.5, 0.9), (0.4, 0.1)]:
        p = scores(torch.full((4,), real), torch.full((4,), fake))
        assert loss.discriminator(p).item() == pytest.approx(real - k * fake)
        assert loss.generator(p).item() == pytest.approx(fake)
        signals: dict[str, Tensor] = {}
        loss.update(p, p, signals)
        k = min(max(k + 0.1 * (0.5 * real - fake), 0.0), 1.0)
        assert signals["k"].item() == pytest.approx(k)
        assert signals["m_global"].item() == pytest.approx(real + abs(0.5 * real - fake))


def test_a_lazy_objective_keeps_the_mean_gradient_over_its_period(rf: tuple[Tensor, Tensor]) -> None:
    plain, now_and_then = wasserstein(), lazy(4, wasserstein())
    total = sum(now_and_then.discriminator(scores(*rf, step=step)) for step in range(8))
    torch.testing.assert_close(total, 8 * plain.discriminator(scores(*rf)))
    assert lazy(1, plain) is plain


def _recipe_of(name: str) -> Recipe:
    needs = {f.axis: f.names for f in catalog.LOSSES[name].fits if f.only}
    return Recipe(
        architecture=choice(needs.get("architecture", ("mlp",))[0]),
        loss=choice(name),
        regularizers=tuple(choice(r) for r in needs.get("regularizers", ())[:1]),
        divergence=choice(needs["divergence"][-1]),
    )


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_the_traits_that_the_catalog_declares(name: str, rf: tuple[Tensor, Tensor]) -> None:
    traits = catalog.LOSSES[name].traits
    recipe = _recipe_of(name)
    loss = build(recipe, (1,)).objectives[0]
    if isinstance(loss, BoundaryEquilibrium):
        loss.k.fill_(0.4)
    assert (loss.pairs, loss.sign) == (traits["pairs"], traits["sign"])
    divergence = recipe.divergence.name if recipe.divergence else ""
    declared = {"midpoint": None, "divergence": DIVERGENCES[divergence].threshold if divergence in DIVERGENCES else 0.0}
    threshold = traits["threshold"]
    if name != "least-squares":  # its threshold is halfway between its targets
        assert loss.threshold == (declared[threshold] if isinstance(threshold, str) else threshold)
    assert _reads_real(loss, rf) == traits["pairs"]
    assert _separable(loss, rf) == traits["separable"]
    assert _saturates(loss) == traits["saturates"]


def _reads_real(loss: Objective | Part, rf: tuple[Tensor, Tensor]) -> bool:
    """Does the generator's side change with the real scores?"""
    return not torch.allclose(loss.generator(scores(*rf)), loss.generator(scores(rf[0] + 1, rf[1])))


def _separable(loss: Objective | Part, rf: tuple[Tensor, Tensor]) -> bool:
    """Is the loss of a batch the mean of the losses of its halves?"""
    halves = [scores(rf[0][s], rf[1][s]) for s in (slice(0, 25), slice(25, 50))]
    terms = (loss.discriminator, loss.generator)
    return all(torch.allclose(t(scores(*rf)), (t(halves[0]) + t(halves[1])) / 2) for t in terms)


def _saturates(loss: Objective | Part) -> bool:
    """Does the generator's gradient vanish where the discriminator is certain that the fakes are fake?"""
    r = torch.full((4,), 20.0 * loss.sign)
    f = torch.full((4,), -20.0 * loss.sign, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss.generator(scores(r, f)), f)
    return bool(gradient.norm() < 1e-6)


@pytest.mark.parametrize(
    ("name", "divergence"), [*((name, None) for name in LOSSES if name != "f-gan"), *(("f-gan", d) for d in DIVERGENCES)]
)
def test_every_loss_trains_on_the_ring_and_stays_finite(name: str, divergence: str | None) -> None:
    recipe = _recipe_of(name)
    changes = {"schedule": Schedule(batch=32), "divergence": choice(divergence) if divergence else recipe.divergence}
    gan = build(change(recipe.model_copy(update=changes), {"architecture.width": 16}), (2,))
    for record in train(gan, load("ring"), steps=100, every=10):
        assert all(math.isfinite(value) for value in record.signals.values()), record
