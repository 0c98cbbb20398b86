"""Who moves when and how far: ramps, boosts, plateaus, averages, the momentum of 2014, two time scales."""

from __future__ import annotations

import json
import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from ganwise import ramp, recipe
from ganwise.augmentations import AdaptiveAugment
from ganwise.build import GAN, build
from ganwise.build.gan import numbers
from ganwise.catalog import choice, named
from ganwise.cli.runs import read_recipe
from ganwise.controllers import Plateau
from ganwise.data import load
from ganwise.losses import BoundaryEquilibrium
from ganwise.objective import Output, Part, Pass
from ganwise.recipe import Boost, Optimizer, Recipe, Schedule, Stall, change
from ganwise.regularizers import LeCam
from ganwise.train import Batches, follow, step, train
from ganwise.types import Unusable


def plain(schedule: Schedule | None = None) -> Recipe:
    return Recipe(architecture=choice("mlp", width=8), loss=choice("non-saturating"), schedule=schedule or Schedule(batch=16))


def weights(gan: GAN, player: str) -> Tensor:
    return torch.cat([w.detach().flatten().clone() for w in getattr(gan, player).parameters()])


def batches(gan: GAN) -> Batches:
    ring = load("ring")
    return Batches(ring.part("train"), ring.labels[ring.split.train], gan, seed=0)


# ramps


SHAPES = {
    "2 -> 1 linear 10": lambda t: 2 - t / 10,
    "2 -> 1 cosine 10": lambda t: 1 + (1 + math.cos(math.pi * t / 10)) / 2,
    "2 -> 1 geometric 10": lambda t: 2 * 2 ** (-t / 10),
    "0 -> 0.55 cosine 10": lambda t: 0.55 * (1 - math.cos(math.pi * t / 10)) / 2,
}


@pytest.mark.parametrize("text", SHAPES)
def test_a_ramp_goes_from_its_start_to_its_end_and_stays_there(text: str) -> None:
    for t in range(11):
        assert ramp.at(text, t) == pytest.approx(SHAPES[text](t))
    assert ramp.at(text, 99) == pytest.approx(SHAPES[text](10))
    assert ramp.at(0.3, 7) == 0.3


@pytest.mark.parametrize(
    "text", ["", "1", "1 -> 2", "1 -> 2 linear", "1 -> 2 bent 5", "1 -> 2 linear 0", "1 -> 0 geometric 9", "1 -> inf linear 5"]
)
def test_text_that_is_no_ramp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ramp"):
        ramp.parse(text)


def test_ramps_survive_json_and_hash_alike() -> None:
    original = change(
        plain(), {"regularizers.r1.gamma": "1 -> 0.1 cosine 20", "schedule.generator.learning_rate": "2e-4 -> 0 linear 9"}
    )
    again = recipe.from_json(original.to_json())
    assert again == original
    assert hash(again) == hash(original)
    assert json.loads(original.to_json())["schedule"]["generator"]["learning_rate"] == "2e-4 -> 0 linear 9"


@pytest.mark.parametrize(
    "rates",
    [
        {"learning_rate": "1 -> -1 linear 5"},
        {"beta1": "0 -> 1 linear 5"},
        {"learning_rate": "0 -> 0 linear 5"},
        {"momentum": "soon"},
        {"learning_rate": 0.0},
    ],
    ids=str,
)
def test_a_ramp_that_leaves_its_range_is_refused(rates: dict[str, float | str]) -> None:
    with pytest.raises(ValidationError, match=r"leaves the range|never moves|neither"):
        Optimizer(**rates)


def test_momentum_that_rmsprop_would_have_no_room_for_is_refused_in_one_line_and_one_that_begins_above_zero_trains() -> None:
    made = change(named("wgan"), {"architecture.width": 8, "schedule.batch": 8, "schedule.boost.steps": 0})
    path = "schedule.generator.momentum"
    with pytest.raises(Unusable, match="begin above 0") as refusal:
        change(made, {path: "0 -> 0.5 linear 10"})
    assert "\n" not in str(refusal.value)
    data = load("ring")
    for momentum in ("0.01 -> 0.5 linear 10", "0.5 -> 0 linear 2"):
        gan = build(change(made, {path: momentum}), data.shape)
        assert list(train(gan, data, steps=3))[-1].step == 3


def test_a_ramp_is_set_on_the_command_line() -> None:
    found = read_recipe(
        "r1gan", ["regularizers.r1.gamma=1 -> 0.1 cosine 20", "schedule.generator.learning_rate=2e-4 -> 0 linear 9"]
    )
    assert found.regularizers[0].options["gamma"] == "1 -> 0.1 cosine 20"
    assert found.schedule.generator.learning_rate == "2e-4 -> 0 linear 9"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("regularizers.r1.gamma=1 -> 0.1 wobbly 20", "neither a number nor a ramp"),
        ("regularizers.r1.every=1 -> 4 linear 20", "every is a number that does not change"),
        ("regularizers.gradient-penalty.center=one", "center is a number that does not change"),
    ],
)
def test_text_where_a_number_is_due_is_refused_before_training(text: str, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        build(read_recipe("r1gan", [text]), (2,))


def test_an_optimizer_follows_the_updates_of_its_own_player() -> None:
    rates = {"discriminator": Optimizer(learning_rate="1e-3 -> 0 linear 100"), "generator": Optimizer(beta1="0 -> 0.5 linear 10")}
    gan = build(plain(Schedule(batch=16, discriminator_steps=3, **rates)), (2,))
    list(train(gan, load("ring"), steps=5))
    assert gan.optimizers["discriminator"].param_groups[0]["lr"] == pytest.approx(1e-3 * (1 - 14 / 100))
    assert gan.optimizers["generator"].param_groups[0]["betas"][0] == pytest.approx(0.5 * 4 / 10)


# steps


@pytest.mark.parametrize(
    "boost", [Boost(), Boost(steps=100), Boost(steps=7, first=0, period=3), Boost(steps=4, first=5, period=2)]
)
@pytest.mark.parametrize("critic", [1, 5])
def test_critic_steps_are_those_counted_one_by_one(boost: Boost, critic: int) -> None:
    """WGAN's code: 100 steps in the first 25 rounds and in each 500th."""
    schedule, total = Schedule(discriminator_steps=critic, boost=boost), 0
    for t in range(1200):
        assert schedule.critic_updates(t) == total
        boosted = boost.steps and (t < boost.first or t % boost.period == 0)
        total += boost.steps if boosted else critic


def test_a_boosted_critic_moves_as_often_as_its_schedule_says() -> None:
    seen: list[int] = []

    class Count(Part):
        def discriminator(self, p: Pass) -> Tensor:
            seen.append(p.step)
            return super().discriminator(p)

    gan = build(plain(Schedule(batch=8, discriminator_steps=2, boost=Boost(steps=6, first=2, period=5))), (2,))
    gan.objectives.append(Count())
    records = list(train(gan, load("ring"), steps=6, every=1))
    assert seen == list(range(6 + 6 + 2 + 2 + 2 + 6))
    assert [r.images for r in records] == [8 * n for n in (6, 12, 14, 16, 18, 24)]


# plateaus


def fed(controller: Part, values: list[float], signal: str = "m_global") -> list[float]:
    rates = []
    p = Pass(0, torch.nn.Identity(), Output, *[torch.zeros(2)] * 3, None, None, Output(torch.zeros(2)))
    for value in values:
        controller.update(p, p, {signal: torch.tensor(value)})
        rates.append(float(controller.rate))  # type: ignore[arg-type]
    return rates


def test_the_rate_halves_when_a_windows_mean_is_not_below_the_one_before() -> None:
    assert fed(Plateau("m_global", 1), [3, 2, 2, 2.5]) == [1, 1, 0.5, 0.25]
    assert fed(Plateau("m_global", 2), [3, 1, 2, 0.5, 2, 0.5, 2, 0.5]) == [1, 1, 1, 1, 1, 0.5, 0.5, 0.25]
    assert fed(Plateau("m_global", 1, floor=0.3), [1, 1, 1, 1]) == [1, 0.5, 0.3, 0.3]
    assert fed(Plateau("m_global", 1), [1, 1 - 5e-5, 0.9]) == [1, 0.5, 0.5], "a fall below the tolerance is none"


def test_a_stall_multiplies_both_rates_and_the_ramp_goes_on_below_it() -> None:
    rates = {"discriminator": Optimizer(learning_rate="1e-3 -> 0 linear 100"), "generator": Optimizer(learning_rate=2e-4)}
    gan = build(plain(Schedule(batch=16, stall=Stall(signal="loss_d", window=1), **rates)), (2,))
    gan.controllers[0].rate.fill_(0.25)  # type: ignore[union-attr, operator]
    assert gan.settings("discriminator", 50)["lr"] == pytest.approx(0.25 * 0.5e-3)
    assert gan.settings("generator", 50)["lr"] == pytest.approx(0.25 * 2e-4)
    list(train(gan, load("ring"), steps=20))
    assert gan.rate < 0.25, "a noisy loss does not fall at each step"


def test_a_stall_needs_a_signal_that_the_loss_gives() -> None:
    gan = build(plain(Schedule(batch=16, stall=Stall(window=5))), (2,))
    with pytest.raises(Unusable, match="m_global"):
        list(train(gan, load("ring"), steps=1))


STATES = {
    "plateau": lambda: Plateau("m_global", 3),
    "adaptive augmentation": lambda: AdaptiveAugment(every=3, images=100, target=0.1),
    "lecam": lambda: LeCam(start=4),
    "boundary equilibrium": lambda: BoundaryEquilibrium(rate=0.1),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("cut", [1, 5, 7])
def test_a_part_goes_on_from_its_state_as_if_it_had_never_stopped(name: str, cut: int) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(12, 2, 8, generator=generator)
    whole, first, second = (STATES[name]() for _ in range(3))

    def feed(part: Part, steps: range) -> None:
        for t in steps:
            r, f = scores[t]
            p = Pass(t, torch.nn.Identity(), Output, r, f, f, None, Output(r), Output(f))
            part.update(p, p, {"m_global": scores[t].mean()})

    feed(whole, range(12))
    feed(first, range(cut))
    second.load_state_dict({key: value.clone() for key, value in first.state_dict().items()})
    feed(second, range(cut, 12))
    for key, value in whole.state_dict().items():
        assert torch.equal(value, second.state_dict()[key]), key
    assert any(not torch.equal(value, STATES[name]().state_dict()[key]) for key, value in whole.state_dict().items())


# averages


def test_an_average_forgets_half_of_the_weights_in_its_half_life() -> None:
    schedule = Schedule(batch=50, ema_half_life=1000.0)
    average, network = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(average.weight)
    torch.nn.init.ones_(network.weight)
    with torch.no_grad():
        for t in range(1000 // 50):
            follow(average, network, schedule.decay(t))
    assert average.weight.item() == pytest.approx(0.5, abs=1e-5)
    assert Schedule(ema=0.9).decay(5) == 0.9
    assert Schedule(batch=50, ema_half_life="0 -> 1000 linear 10").decay(10) == 0.5**0.05
    assert Schedule(ema="0.5 -> 0.9 linear 10").decay(5) == pytest.approx(0.7)


# optimizers


def test_the_momentum_of_2014_grows_while_the_rate_falls() -> None:
    """Momentum .5 to .7 and a falling rate, through torch's SGD: v = m v + g, w = w - lr v, both of the same update."""
    settings = Optimizer(name="sgd", learning_rate="0.1 -> 1e-6 geometric 1000", momentum="0.5 -> 0.7 linear 250")
    gan = build(plain(Schedule(batch=16, discriminator=settings, generator=settings)), (2,))
    source, w, v, seen = batches(gan), weights(gan, "discriminator"), 0.0, []
    move = gan.optimizers["discriminator"].step

    def note() -> None:
        seen.append(torch.cat([p.grad.flatten().clone() for p in gan.discriminator.parameters() if p.grad is not None]))
        move()

    gan.optimizers["discriminator"].step = note  # type: ignore[method-assign, assignment]
    for t in range(12):
        step(gan, source, t)
        v = (0.5 + 0.2 * t / 250) * v + seen[-1]
        w = w - 0.1 * (1e-5) ** (t / 1000) * v
        torch.testing.assert_close(weights(gan, "discriminator"), w)


def test_two_time_scales_move_the_players_by_their_own_rates() -> None:
    rates = {"discriminator": Optimizer(name="sgd", learning_rate=4e-4), "generator": Optimizer(name="sgd", learning_rate=1e-4)}
    gan = build(plain(Schedule(batch=16, simultaneous=True, **rates)), (2,))
    before = {player: weights(gan, player) for player in rates}
    _, _, signals = step(gan, batches(gan), 0)
    for player, norm in (("discriminator", "grad_d"), ("generator", "grad_g")):
        moved = (weights(gan, player) - before[player]).norm()
        torch.testing.assert_close(moved, rates[player].learning_rate * signals[norm], rtol=1e-3, atol=0)


def test_an_optimizers_numbers_are_torchs() -> None:
    assert numbers(Optimizer(learning_rate=1e-3, beta1="0 -> 0.5 linear 10"), 5, 0.5) == {"lr": 5e-4, "betas": (0.25, 0.999)}
    assert numbers(Optimizer(name="rmsprop", learning_rate=1e-3, momentum=0.9), 0) == {"lr": 1e-3, "momentum": 0.9}
