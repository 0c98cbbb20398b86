"""Penalties against the authors' formulas on discriminators whose slopes are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganwise.objective import Output, Pass
from ganwise.regularizers import gradient_penalty, r1, slope, spectral_normalization, weight_clipping


def seen(score: nn.Module, real: Tensor, fake: Tensor, step: int = 0) -> Pass:
    def look(x: Tensor) -> Output:
        return Output(score(x).flatten())

    return Pass(step, nn.Identity(), look, real, fake, fake, None, look(real), look(fake))


class Quadratic(nn.Module):
    """score(x) = x A x / 2, whose slope at x is (A + A') x / 2."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix)

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.matrix * x).sum(1) / 2


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(16, 3, generator=generator), torch.randn(16, 3, generator=generator)


def test_the_slope_of_a_linear_score_is_its_weight(batch: tuple[Tensor, Tensor]) -> None:
    linear = nn.Linear(3, 1)
    torch.testing.assert_close(slope(seen(linear, *batch), batch[0]), linear.weight.expand(16, 3))


def test_r1_is_half_gamma_times_the_mean_squared_slope_at_real_samples(batch: tuple[Tensor, Tensor]) -> None:
    matrix = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]])
    expected = 0.7 / 2 * (batch[0] @ ((matrix + matrix.T) / 2)).square().sum(1).mean()
    penalty = r1(0.7).discriminator(seen(Quadratic(matrix), *batch))
    torch.testing.assert_close(penalty, expected)


def test_r1_differentiates_through_the_slope(batch: tuple[Tensor, Tensor]) -> None:
    score = Quadratic(torch.eye(3))
    (gradient,) = torch.autograd.grad(r1(1.0).discriminator(seen(score, *batch)), score.matrix)
    step = 1e-3
    for i, j in [(0, 0), (0, 2), (1, 1)]:
        moved = torch.eye(3)
        moved[i, j] += step
        change = r1(1.0).discriminator(seen(Quadratic(moved), *batch)) - r1(1.0).discriminator(seen(score, *batch))
        assert (change / step).item() == pytest.approx(gradient[i, j].item(), rel=1e-2, abs=1e-2)


@pytest.mark.parametrize("center", [0.0, 1.0])
def test_the_gradient_penalty_of_a_linear_score_needs_no_interpolation(center: float, batch: tuple[Tensor, Tensor]) -> None:
    linear = nn.Linear(3, 1)
    expected = 10 * (linear.weight.norm() - center) ** 2
    torch.testing.assert_close(gradient_penalty(10.0, center).discriminator(seen(linear, *batch)), expected)


def test_the_gradient_penalty_looks_between_real_and_fake() -> None:
    inside: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            inside.append(x.detach())
            return x.sum(1)

    gradient_penalty().discriminator(seen(Spy(), torch.zeros(64, 2), torch.ones(64, 2)))
    between = inside[-1]
    assert torch.equal(between[:, 0], between[:, 1]), "one share for a sample, not one for each coordinate"
    assert 0 < between.min() < between.max() < 1


def test_a_penalty_on_a_flat_discriminator_has_a_finite_gradient(batch: tuple[Tensor, Tensor]) -> None:
    flat = nn.Linear(3, 1)
    nn.init.zeros_(flat.weight)
    for objective in (gradient_penalty(), r1(1.0)):
        (gradient,) = torch.autograd.grad(objective.discriminator(seen(flat, *batch)), flat.weight)
        assert gradient.isfinite().all()


def test_a_penalty_is_float32_inside_a_bfloat16_run(batch: tuple[Tensor, Tensor]) -> None:
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    outside = r1(1.0).discriminator(seen(network, *batch))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(r1(1.0).discriminator(seen(network, *batch)), outside)


def test_clipping_bounds_every_weight_and_leaves_small_ones() -> None:
    network = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 1))
    before = [w.clone() for w in network.parameters()]
    weight_clipping(0.1)(network)
    for old, new in zip(before, network.parameters(), strict=True):
        torch.testing.assert_close(new, old.clamp(-0.1, 0.1))


def test_spectral_normalization_makes_the_largest_singular_value_one() -> None:
    network = nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 1))
    with torch.no_grad():
        network[0].weight.mul_(7)
    spectral_normalization(network)
    for _ in range(50):
        network(torch.randn(4, 12))
    for layer in (network[0], network[2]):
        assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, rel=1e-3)
