"""What the papers prove of the losses: optimal discriminators, their values, and distances where the supports do not meet."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ganwise.divergences import DIVERGENCES
from ganwise.losses import energy_margin, hinge, least_squares, minimax, non_saturating, wasserstein
from ganwise.objective import Objective, Output, Pass
from ganwise.regularizers import gradient_penalty
from ganwise.reproduce.theory import atoms, jensen_shannon, optimum, scored

P = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)
Q = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)


def divergence(p: Tensor, q: Tensor) -> float:
    return jensen_shannon(p.numpy(), q.numpy())


# Goodfellow et al. 2014, on three atoms


def test_the_trained_discriminator_is_p_over_p_plus_q() -> None:
    logits, _ = optimum(minimax(), P, Q)
    torch.testing.assert_close(logits.sigmoid(), P / (P + Q), atol=1e-6, rtol=1e-6)


def test_the_value_at_the_trained_discriminator_is_minus_log_four_plus_twice_jensen_shannon() -> None:
    _, loss = optimum(minimax(), P, Q)
    assert -loss == pytest.approx(-math.log(4) + 2 * divergence(P, Q), abs=1e-9)


def test_where_the_two_agree_the_value_is_minus_log_four_and_the_discriminator_one_half() -> None:
    logits, loss = optimum(minimax(), P, P, start=1.0)
    assert -loss == pytest.approx(-math.log(4), abs=1e-9)
    torch.testing.assert_close(logits.sigmoid(), torch.full((3,), 0.5, dtype=torch.float64), atol=1e-6, rtol=1e-6)


def test_no_generator_goes_below_minus_log_four() -> None:
    torch.manual_seed(0)
    values = [-optimum(minimax(), P, torch.tensor(q).double())[1] for q in ([0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1])]
    assert min(values) == values[1]
    assert values[1] == pytest.approx(-math.log(4), abs=1e-9)


def test_early_in_training_the_saturating_generator_has_a_vanishing_gradient_and_the_other_one_has_not() -> None:
    f = torch.full((4,), -12.0, dtype=torch.float64, requires_grad=True)  # D is certain that the samples are fake
    slopes = [torch.autograd.grad(loss.generator(scored(f, f)), f)[0].norm().item() for loss in (minimax(), non_saturating())]
    assert slopes[0] == pytest.approx(math.exp(-12) / 2, rel=1e-4)
    assert slopes[1] == pytest.approx(1 / 2, rel=1e-4)


# other losses on the atoms


def test_least_squares_with_targets_minus_one_one_zero_is_pearsons_divergence() -> None:
    loss, best = least_squares(-1.0, 1.0, 0.0), (P - Q) / (P + Q)
    torch.testing.assert_close(optimum(loss, P, Q)[0], best, atol=1e-6, rtol=1e-6)
    # twice the generator's term over real and fake alike; the real part does not depend on the generator
    generators = 2 * sum(loss.generator(scored(x, x)) for x in (atoms(P, best), atoms(Q, best)))
    # what the paper writes as Pearson's of p + q and 2q divides by p + q: in our rows' order, of 2q from p + q
    pearson = ((P + Q) * DIVERGENCES["pearson"].f(2 * Q / (P + Q))).sum()
    torch.testing.assert_close(generators, pearson, atol=1e-10, rtol=1e-10)
    torch.testing.assert_close(pearson, ((2 * Q - (P + Q)) ** 2 / (P + Q)).sum(), atol=1e-10, rtol=1e-10)


def least(loss: Objective, best: Tensor, p: Tensor = P, q: Tensor = Q) -> float:
    """The discriminator's loss at its best scores of three atoms, of which no others of a thousand are better."""

    def value(v: Tensor) -> float:
        return loss.discriminator(scored(atoms(p, v), atoms(q, v))).item()

    torch.manual_seed(0)
    others = best + torch.randn(1000, 3, dtype=torch.float64)
    assert min(value(other) for other in others) >= value(best) - 1e-12
    return value(best)


def test_the_optimum_of_hinge_is_two_minus_twice_total_variation() -> None:
    total_variation = (P - Q).abs().sum().item() / 2
    assert least(hinge(), (P - Q).sign()) == pytest.approx(2 - 2 * total_variation)
    assert least(hinge(), torch.zeros(3, dtype=torch.float64), P, P) == pytest.approx(2)


def test_the_optimum_of_the_energy_margin_is_the_margin_times_one_minus_total_variation() -> None:
    # an energy is never negative: the margin where fakes are likelier, 0 elsewhere
    loss, total_variation = energy_margin(3.0), (P - Q).abs().sum().item() / 2
    bounded = loss._replace(discriminator=lambda p: loss.discriminator(scored(p.r.clamp(min=0), p.f.clamp(min=0))))
    assert least(bounded, 3.0 * (Q > P)) == pytest.approx(3 * (1 - total_variation))


# Arjovsky et al. 2017, example 1: data on a line, the model on a parallel line at a distance


def lines(apart: float, n: int = 256) -> tuple[Tensor, Tensor]:
    real, fake = (torch.stack([torch.full((n,), at), torch.rand(n)], 1) for at in (0.0, apart))
    return real, fake


def trained(objectives: tuple[Objective, ...], apart: float, steps: int, rate: float = 0.01) -> Callable[[Objective], float]:
    """A critic that minimizes the objectives between two lines; returns the loss of new samples as a function of the loss."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(critic.parameters(), rate, betas=(0.0, 0.9))

    def look(x: Tensor) -> Output:
        return Output(critic(x).flatten())

    def judge(objective: Objective, n: int = 256) -> Tensor:
        real, fake = lines(apart, n)
        return objective.discriminator(Pass(0, critic, look, real, fake, fake, None, look(real), look(fake), critic))

    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        optimizer.zero_grad()
        torch.autograd.backward(torch.stack([judge(objective) for objective in objectives]).sum())
        optimizer.step()
    return lambda objective: judge(objective, 4096).item()


@pytest.mark.parametrize("apart", [0.25, 1.0, 3.0])
def test_between_parallel_lines_a_slope_bounded_critic_measures_their_distance(apart: float) -> None:
    weight = 50.0
    reached = -trained((wasserstein(), gradient_penalty(weight)), apart, steps=400)(wasserstein())
    # the penalty lets the slope exceed one by apart / (2 weight), where its price meets the gain
    assert reached == pytest.approx(apart * (1 + apart / (2 * weight)), rel=0.03)
    assert reached == pytest.approx(apart, rel=0.06)


@pytest.mark.parametrize("apart", [0.25, 1.0, 3.0])
def test_between_parallel_lines_the_trained_discriminator_says_log_two_whatever_their_distance(apart: float) -> None:
    loss = trained((minimax(),), apart, steps=300, rate=0.1)(minimax())
    assert (math.log(4) - loss) / 2 == pytest.approx(math.log(2), abs=0.01)


def test_distributions_that_do_not_meet_have_a_jensen_shannon_divergence_of_log_two() -> None:
    here, there = torch.tensor([1.0, 0, 0]).double(), torch.tensor([0, 0.4, 0.6]).double()
    assert divergence(here, there) == pytest.approx(math.log(2))
