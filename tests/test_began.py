"""BEGAN's equations step by step, the equilibrium that its controller holds, and rates that halve when M_global stalls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from ganwise.build import GAN, build
from ganwise.catalog import named
from ganwise.data import Dataset, load
from ganwise.losses import BoundaryEquilibrium
from ganwise.objective import Output, Pass, Signals
from ganwise.recipe import Recipe, change
from ganwise.train import Batches, step, train
from ganwise.types import Value

GAMMA, RATE = 0.5, 0.1


def recipe(**changes: Value) -> Recipe:
    small = {"architecture.width": 16, "schedule.batch": 16, "loss.gamma": GAMMA, "loss.rate": RATE}
    return change(named("began"), small | changes)


def batches(gan: GAN, data: Dataset) -> Batches:
    source = Batches(data.part("train"), data.labels[data.split.train], gan, seed=0)
    gan.fit(source.values, source.labels)
    return source


def seen(real: float, fake: float) -> Pass:
    """A pass that judged three real and three fake samples, with these mean errors."""
    spread = torch.tensor([-0.1, 0.0, 0.1], dtype=torch.float64)
    outputs, nothing = (Output(real + spread), Output(fake + spread)), torch.zeros(3, 2)
    return Pass(0, nn.Identity(), lambda x: outputs[0], nothing, nothing, nothing, None, *outputs)


# the equations


# A(x), A(G(z_G)) and, by hand at gamma .5 and lambda_k .1, k and M_global after the step
RECORDED = [
    (0.60, 0.40, 0.0, 0.70),  # balance -.1: k stays at its floor
    (0.60, 0.20, 0.01, 0.70),  # balance +.1
    (0.50, 0.25, 0.01, 0.50),  # the equilibrium: k rests and M is A(x)
    (0.40, 0.10, 0.02, 0.50),
    (21.0, 0.50, 1.0, 31.0),  # balance +10: k stops at 1
    (0.20, 3.10, 0.7, 3.20),  # balance -3
    (0.20, 9.10, 0.0, 9.20),
]


def test_k_and_m_global_follow_the_equations_on_recorded_numbers() -> None:
    loss, before = BoundaryEquilibrium(GAMMA, RATE).double(), 0.0
    for real, fake, k, m_global in RECORDED:
        signals: Signals = {}
        assert loss.discriminator(seen(real, 0.3)).item() == pytest.approx(real - before * 0.3, abs=1e-10)
        assert loss.generator(seen(real, fake)).item() == pytest.approx(fake, abs=1e-10)
        loss.update(seen(real, 0.3), seen(9.9, fake), signals)  # A(x) is of D's pass, A(G) of G's
        assert signals["k"].item() == pytest.approx(k, abs=1e-10)
        assert signals["m_global"].item() == pytest.approx(m_global, abs=1e-10)
        before = k


def error(network: nn.Module, x: Tensor, eta: int) -> Tensor:
    rebuilt = network.decoder(network.encoder(x))  # type: ignore[operator]
    return ((x - rebuilt).abs() ** eta).flatten(1).mean()


def by_hand(gan: GAN, source: Batches, eta: int) -> Iterator[tuple[float, float, float]]:
    """Losses of the players and k of BEGAN's step with both gradients at the same weights, and Adam."""
    G, D, k = gan.generator, gan.discriminator, 0.0
    adams = [torch.optim.Adam(network.parameters(), 1e-3, (0.5, 0.999)) for network in (G, D)]
    while True:
        x, _ = next(source)
        real, made = error(D, x, eta), error(D, G(gan.generator.draw(16, gan.device)).detach(), eta)
        loss_d = real - k * made
        gradients = torch.autograd.grad(loss_d, list(D.parameters()))
        fake = error(D, G(gan.generator.draw(16, gan.device)), eta)
        for adam in adams:
            adam.zero_grad()
        fake.backward()
        for weight, gradient in zip(D.parameters(), gradients, strict=True):
            weight.grad = gradient
        for adam in adams:
            adam.step()
        k = min(max(k + RATE * (GAMMA * real.item() - fake.item()), 0.0), 1.0)
        yield loss_d.item(), fake.item(), k


@pytest.mark.parametrize("eta", [1, 2])
def test_a_step_of_the_recipe_is_the_papers_written_out(eta: int) -> None:
    data, changes = load("ring"), {f"schedule.{player}.learning_rate": 1e-3 for player in ("generator", "discriminator")}
    ours, theirs = (build(recipe(**changes, **{"architecture.eta": eta}), data.shape) for _ in range(2))
    source, other = batches(ours, data), batches(theirs, data)
    torch.manual_seed(3)
    found = []
    for t in range(40):
        _, _, signals = step(ours, source, t)
        found.append([float(signals[name]) for name in ("loss_d", "loss_g", "k")])
    torch.manual_seed(3)
    expected = [row for row, _ in zip(by_hand(theirs, other, eta), range(40), strict=False)]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=0, atol=1e-5)
    assert max(row[2] for row in found) > 0.02, "k has moved"


def test_both_players_may_share_their_latents() -> None:
    data = load("ring")
    for shared in (False, True):
        gan = build(recipe(**{"schedule.shared_latents": shared}), data.shape)
        d, g, _ = step(gan, batches(gan, data), 0)
        assert torch.equal(d.z, g.z) == shared


# the equilibrium


def ratio(gamma: float, rate: float) -> tuple[float, float]:
    """E A(G) / E A(x) and the mean k over the second half of 700 steps on the ring, batches of 16; N_z = N_h, as in the paper."""
    faster = {f"schedule.{player}.learning_rate": 2e-3 for player in ("generator", "discriminator")}
    data = load("ring")
    gan = build(recipe(**faster, **{"loss.gamma": gamma, "loss.rate": rate, "architecture.latent": 1}), data.shape)
    source, totals = batches(gan, data), torch.zeros(3)
    torch.manual_seed(0)
    for t in range(700):
        d, g, signals = step(gan, source, t)
        totals += torch.stack([g.f.mean(), d.r.mean(), signals["k"]]) * (t >= 350)
    return float(totals[0] / totals[1]), float(totals[2] / 350)


@pytest.mark.parametrize("gamma", [0.3, 0.5, 0.7])
def test_the_ratio_of_the_errors_settles_at_gamma(gamma: float) -> None:
    """Within 3 %. lambda_k is 100 times the paper's, whose runs are as many times longer."""
    reached, k = ratio(gamma, rate=0.1)
    assert reached == pytest.approx(gamma, rel=0.03)
    assert 0 < k < 0.5, "k is not at a limit"


def test_without_its_controller_the_ratio_is_another() -> None:
    assert ratio(0.7, rate=0.0)[0] < 0.4


# the rates


def test_rates_halve_when_m_global_stalls_and_stop_at_the_floor() -> None:
    window, floor = 5, 0.2
    slow = {f"schedule.{player}.learning_rate": 1e-9 for player in ("generator", "discriminator")}
    stall = {"schedule.stall.window": window, "schedule.stall.floor": floor}
    gan, data = build(recipe(**slow, **stall), (2,)), load("ring")  # at such a rate M_global only fluctuates
    rate, before, rates, means = 1.0, float("inf"), [], []
    for record in train(gan, data, steps=80, every=1):
        means.append(record.signals["m_global"])
        used = [group["lr"] for optimizer in gan.optimizers.values() for group in optimizer.param_groups]
        assert used == pytest.approx([1e-9 * rate] * 2, rel=1e-6), "the rate that this step began with"
        if record.step % window == 0:
            mean = sum(means[-window:]) / window
            rate = max(rate * 0.5, floor) if mean > (1 - 1e-4) * before else rate
            before = mean
        rates.append(gan.rate)
        assert gan.rate == pytest.approx(rate)
    assert sorted(set(rates), reverse=True) == [1.0, 0.5, 0.25, 0.2]


def test_rates_stay_while_m_global_falls() -> None:
    faster = {f"schedule.{player}.learning_rate": 2e-3 for player in ("generator", "discriminator")}
    made = recipe(**faster, **{"schedule.stall.window": 20, "architecture.width": 4, "loss.rate": 0.001})
    gan = build(made, (1, 8, 8))
    records = list(train(gan, load("digits"), steps=60, every=20))
    assert records[-1].signals["m_global"] < records[0].signals["m_global"]
    assert gan.rate == 1
