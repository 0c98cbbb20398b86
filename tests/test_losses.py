"""Every loss equals its authors' formula, written out here from the paper, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.special import entr

from ganwise import catalog
from ganwise.build import LOSSES, build
from ganwise.catalog import choice
from ganwise.divergences import DIVERGENCES, RANGE
from ganwise.losses import BoundaryEquilibrium, f_gan, hinge, least_squares, minimax, non_saturating, relativistic, wasserstein
from ganwise.objective import Objective, Output, Part, Pass, lazy
from ganwise.recipe import Recipe

Players = tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]


def scores(r: Tensor, f: Tensor, step: int = 0) -> Pass:
    """A pass in which only scores matter."""
    return Pass(step, nn.Identity(), Output, r, f, f, None, Output(r), Output(f))


@pytest.fixture
def rf() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        3 * torch.randn(50, generator=generator, dtype=torch.float64),
        3 * torch.randn(50, generator=generator, dtype=torch.float64) - 1,
    )


def sigmoid(t: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-t))


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
    "f-gan, KL: T = v, f*(t) = exp(t - 1)": (
        f_gan(DIVERGENCES["kl"], practical=False),
        (lambda r, f: -(r.mean() - torch.exp(f - 1).mean()), lambda r, f: -torch.exp(f - 1).mean()),
    ),
    "f-gan, squared Hellinger: T = 1 - exp(-v), f*(t) = t / (1 - t)": (
        f_gan(DIVERGENCES["squared-hellinger"], practical=False),
        (
            lambda r, f: -((1 - torch.exp(-r)).mean() - ((1 - torch.exp(-f)) / torch.exp(-f)).mean()),
            lambda r, f: -((1 - torch.exp(-f)) / torch.exp(-f)).mean(),
        ),
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
def test_a_loss_is_its_authors_formula(name: str, rf: tuple[Tensor, Tensor]) -> None:
    objective, (discriminator, generator) = AUTHORS[name]
    p = scores(*rf)
    torch.testing.assert_close(objective.discriminator(p), discriminator(*rf), atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(objective.generator(p), generator(*rf), atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_fenchel_young_holds_with_equality_at_the_optimal_critic(name: str) -> None:
    row = DIVERGENCES[name]
    v = torch.linspace(-8, 20 if name == "pearson" else 8, 1001, dtype=torch.float64)
    t, conjugate = row.activation(v), row.conjugate(v)
    for u in torch.tensor([0.05, 0.4, 1.0, 2.5, 9.0], dtype=torch.float64):
        gap = row.f(u) + conjugate - u * t
        assert gap.min() > -1e-9, "f(u) + f*(t) >= u t"
        best = v[gap.argmin()]
        torch.testing.assert_close(row.activation(best), row.optimal(u), atol=2e-2, rtol=2e-2)
        assert gap.min() < 1e-3


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_bound_at_the_optimal_critic_is_the_divergence_between_gaussians(name: str) -> None:
    row = DIVERGENCES[name]
    x = torch.linspace(-8, 8, 200_001, dtype=torch.float64)
    p, q = (torch.exp(-((x - m) ** 2) / 2) / (2 * torch.pi) ** 0.5 for m in (0.7, 0.0))
    direct = torch.trapezoid(q * row.f(p / q), x)
    grid = torch.linspace(-RANGE, 450 if name == "pearson" else RANGE, 1_000_001, dtype=torch.float64)  # Pearson's is linear in u
    v = grid[torch.searchsorted(row.activation(grid), row.optimal(p / q)).clamp(max=len(grid) - 1)]
    bound = torch.trapezoid(p * row.activation(v) - q * row.conjugate(v), x)
    torch.testing.assert_close(bound, direct, atol=2e-4, rtol=2e-4)


CLOSED = {
    "kl": 0.7**2 / 2,
    "squared-hellinger": 2 - 2 * torch.exp(torch.tensor(-(0.7**2) / 8)).item(),
    "pearson": torch.expm1(torch.tensor(0.7**2)).item(),
}


@pytest.mark.parametrize("name", CLOSED)
def test_f_integrates_to_the_closed_form_between_gaussians(name: str) -> None:
    x = torch.linspace(-12, 13, 200_001, dtype=torch.float64)
    p, q = (torch.exp(-((x - m) ** 2) / 2) / (2 * torch.pi) ** 0.5 for m in (0.7, 0.0))
    assert torch.trapezoid(q * DIVERGENCES[name].f(p / q), x).item() == pytest.approx(CLOSED[name], rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", DIVERGENCES)
def test_extreme_scores_leave_value_and_gradient_finite_and_the_gradient_alive(name: str, dtype: torch.dtype) -> None:
    v = torch.tensor([-1e4, -50.0, -13.0, 0.0, 13.0, 50.0, 1e4], dtype=dtype, requires_grad=True)
    for function in (DIVERGENCES[name].activation, DIVERGENCES[name].conjugate):
        (gradient,) = torch.autograd.grad(function(v).sum(), v)
        assert function(v).isfinite().all()
        assert gradient.isfinite().all()


def test_the_optimal_discriminator_of_two_distributions_gives_minus_log_four_plus_twice_jensen_shannon() -> None:
    p, q = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    d = p / (p + q)
    value = (p * d.log()).sum() + (q * (1 - d).log()).sum()
    m = (p + q) / 2
    jensen_shannon = entr(m).sum() - (entr(p).sum() + entr(q).sum()) / 2
    torch.testing.assert_close(value, -torch.tensor(4.0).log().double() + 2 * jensen_shannon)
    logits = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        # expectations under p and q, by the library's own loss with each atom repeated in proportion
        r, f = logits[[0] * 6 + [1] * 3 + [2]], logits[[0] * 2 + [1] * 3 + [2] * 5]
        loss = minimax().discriminator(scores(r, f))
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(sigmoid(logits.detach()), d, atol=1e-4, rtol=1e-4)


def test_least_squares_with_targets_minus_one_one_zero_is_pearsons_divergence() -> None:
    p, q = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    best = (p - q) / (p + q)  # the minimizer of D's loss with targets b = 1, a = -1
    generators = ((p + q) * best**2 / 2).sum()  # E_p + E_q of the generator's term with c = 0
    pearson = ((2 * q - (p + q)) ** 2 / (p + q)).sum()
    torch.testing.assert_close(2 * generators, pearson)


def test_the_optimum_of_hinge_is_two_minus_twice_total_variation() -> None:
    p, q = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    best = (p - q).sign()
    value = (p * torch.relu(1 - best) + q * torch.relu(1 + best)).sum()
    torch.testing.assert_close(value, 2 - 2 * (p - q).abs().sum() / 2)


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
    loss = build(_recipe_of(name), (1,)).objectives[0]
    if isinstance(loss, BoundaryEquilibrium):
        loss.k.fill_(0.4)
    assert (loss.pairs, loss.sign) == (traits["pairs"], traits["sign"])
    declared = {"midpoint": None, "divergence": DIVERGENCES["pearson"].threshold}
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
