"""The Dirac-GAN: data at 0, G = theta, D(x) = psi x. Which losses and penalties converge is known in closed form.

Source: mescheder2018converge, sections 2 and 3. Near the equilibrium (0, 0) the two players' gradient field is linear; its
eigenvalues are -g/2 + sqrt(g^2/4 - f'(0)^2) for a zero-centered penalty of strength g, and +- i f'(0) without one.
"""

from __future__ import annotations

import pytest
import torch

from ganwise.augmentations import InstanceNoise
from ganwise.losses import hinge, minimax, non_saturating, relativistic, wasserstein
from ganwise.regularizers import dragan, gradient_penalty, r1, r2, weight_clipping
from ganwise.reproduce.dirac import STEP, Game, Mirrored, factor, factors, turn

LOSSES = {
    "minimax": (minimax(), 0.5),
    "non-saturating": (non_saturating(), 0.5),
    "relativistic": (relativistic(), 0.5),
    "wasserstein": (wasserstein(), 1.0),
    "hinge": (hinge(), 1.0),
}
PENALTIES = {
    "R1": ((r1(0.6),), 0.6),
    "R2": ((r2(0.6),), 0.6),
    "R1 and R2": ((r1(0.6), r2(0.6)), 1.2),
    "strong R1": ((r1(2.6),), 2.6),
    "gradient penalty centered at 0": ((gradient_penalty(0.3, 0.0),), 0.6),
}


def expected(slope: float, penalty: float) -> tuple[int, float]:
    """Steps of a turn around the equilibrium, and the slower mode's factor, |1 + STEP eigenvalue|."""
    found = factors(slope, penalty)
    return turn(found), max(map(abs, found))


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_with_a_zero_centered_penalty_every_loss_converges_at_the_rate_of_the_eigenvalues(loss: str, penalty: str) -> None:
    (objective, slope), (penalties, strength) = LOSSES[loss], PENALTIES[penalty]
    turn, slowest = expected(slope, strength)
    assert slowest < 1
    distances = Game(objective, *penalties).play(3 * turn)
    assert distances[-1] < 1e-2 * distances[0]
    assert factor(distances, turn) == pytest.approx(slowest, rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_without_a_penalty_simultaneous_steps_diverge_at_the_rate_of_the_eigenvalues(loss: str) -> None:
    objective, slope = LOSSES[loss]
    distances = Game(objective).play(400)
    assert distances[-1] > 1.5 * distances[0]
    assert factor(distances, 300) == pytest.approx(abs(1 + STEP * 1j * slope), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_without_a_penalty_alternating_steps_go_around_forever(loss: str) -> None:
    objective, _ = LOSSES[loss]
    distances = Game(objective).play(700, simultaneous=False)
    assert max(distances) < 1.2 * distances[0]
    assert max(distances[-200:]) > 0.9 * max(distances[:200]), "and come no closer"


def test_a_clipped_critic_goes_around_and_a_critic_held_at_slope_one_oscillates() -> None:
    clipped = Game(wasserstein(), start=(1.0, 0.5), project=weight_clipping(0.3)).play(800, simultaneous=False)
    held = Game(wasserstein(), gradient_penalty(1.0, 1.0), start=(1.0, 0.5)).play(800)
    for distances in (clipped, held):
        assert min(distances[-500:]) > 0.1


@pytest.mark.parametrize("simultaneous", [True, False])
@pytest.mark.parametrize("weight", [0.3, 1.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_slope_held_at_one_around_real_samples_finds_no_rest_at_the_equilibrium_either(
    loss: str, weight: float, simultaneous: bool
) -> None:
    """All real samples are 0, so that those around them are, too: the penalty is the one of the critic held at slope one.

    With the catalog's weight of 10 steps as long as these overshoot the penalty's own rest, whatever the game.
    """
    distances = Game(LOSSES[loss][0], dragan(weight), start=(1.0, 0.5)).play(1500, simultaneous)
    assert min(distances[-500:]) > 0.9 * distances[0]


@pytest.mark.parametrize("loss", ["minimax", "non-saturating", "relativistic"])
def test_instance_noise_converges_at_the_rate_of_its_eigenvalues(loss: str) -> None:
    """f'' s^2 + sqrt(f''^2 s^4 - f'^2), so that it damps like a penalty of strength -2 f'' s^2 = s^2 / 2 (section 3)."""
    torch.manual_seed(0)
    distances = Game(LOSSES[loss][0], noise=Mirrored(InstanceNoise(1.0)), batch=4000).play(290)
    turn, slowest = expected(0.5, 0.5)
    assert distances[-1] < 1e-2 * distances[0]
    assert factor(distances, turn) == pytest.approx(slowest, abs=2e-3)


FAR = {
    "non-saturating with R1": (non_saturating(), r1(1.0)),
    "relativistic with R1 and R2": (relativistic(), r1(0.5), r2(0.5)),
    "wasserstein with R1": (wasserstein(), r1(1.0)),
    "hinge with R1": (hinge(), r1(1.0)),
}


@pytest.mark.parametrize("simultaneous", [True, False])
@pytest.mark.parametrize("name", FAR)
def test_from_afar_too_a_zero_centered_penalty_leads_to_the_equilibrium(name: str, simultaneous: bool) -> None:
    assert Game(*FAR[name], start=(2.0, -1.5)).play(700, simultaneous)[-1] < 1e-6


def test_in_turn_too_the_linear_map_says_how_fast() -> None:
    for penalty, objectives in ((0.0, ()), (0.6, (r1(0.6),)), (2.6, (r1(2.6),))):
        found = factors(0.5, penalty, simultaneous=False)
        length = turn(found)
        distances = Game(non_saturating(), *objectives).play(3 * length, simultaneous=False)
        assert factor(distances, length) == pytest.approx(max(map(abs, found)), rel=1e-3)
