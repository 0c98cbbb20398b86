"""GANs trained together are the GANs trained one by one: the same weights, records and random numbers, and nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from ganwise import catalog
from ganwise.build import GAN, build
from ganwise.data import Dataset, load
from ganwise.model import Model, save
from ganwise.probes import readings
from ganwise.recipe import Recipe, change
from ganwise.stacked import train_together
from ganwise.train import train
from ganwise.types import Record, Unusable, Value

Changes = dict[str, Value]
SMALL: Changes = {"architecture.width": 16, "architecture.latent": 4, "schedule.batch": 16}
PLAIN: list[Changes] = [
    {},
    {"loss.name": "least-squares", "schedule.generator.learning_rate": 1e-4},
    {"loss.name": "minimax", "schedule.generator.learning_rate": 1e-4},
    {"loss.name": "wasserstein", "regularizers.gradient-penalty": True},
    {"loss.name": "wasserstein", "regularizers.weight-clipping.limit": 0.1},
    {"loss.name": "least-squares", "regularizers.r1.gamma": 1.0, "regularizers.r2.gamma": 1.0},
    {"regularizers.r1.gamma": 1.0, "regularizers.r1.every": 4, "regularizers.label-smoothing": True},
    {"regularizers.dragan": True, "regularizers.instance-noise": True},
    {"regularizers.orthogonal": True, "regularizers.lecam.start": 5, "regularizers.r1": True},
    {"regularizers.latent-consistency": True, "regularizers.instance-noise.sigma": 0.2},
]
ILL: list[Changes] = [  # some gradients are zero but for rounding, from which Adam makes whole steps
    {"loss.name": "hinge", "regularizers.r1.gamma": 1.0},
    {"loss.name": "relativistic", "regularizers.r1.gamma": 1.0, "regularizers.r2.gamma": 1.0},
    {"loss.name": "relativistic-average", "schedule.discriminator.learning_rate": 1e-3},
    {"loss.name": "feature-matching"},
]
IMAGES: list[Changes] = [
    {"regularizers.balanced-consistency": True},
    {"augmentation.name": "diffaugment", "regularizers.r1": True},
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything in float64, also where the step asks for float32."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    readings._start.cache_clear()
    yield
    torch.set_default_dtype(torch.float32)
    readings._start.cache_clear()


@cache
def data(source: str) -> Dataset:
    return load(source)


def recipe(changes: Changes, name: str = "fcgan") -> Recipe:
    return change(catalog.named(name), SMALL | changes)


def made(recipes: Sequence[Recipe], source: str = "ring") -> list[GAN]:
    shape = data(source).shape
    return [build(recipe, shape, classes=len(data(source).classes), seed=k) for k, recipe in enumerate(recipes)]


def both(recipes: Sequence[Recipe], source: str = "ring", steps: int = 25) -> tuple[list[GAN], list[GAN], float]:
    """The GANs alone, the GANs together, and the largest difference of any of their records' numbers."""
    alone, together, seeds = made(recipes, source), made(recipes, source), range(3, 3 + len(recipes))
    one = [list(train(g, data(source), steps=steps, seed=s, every=5)) for g, s in zip(alone, seeds, strict=True)]
    rows = list(train_together(together, data(source), steps=steps, seeds=seeds, every=5))
    other = list(zip(*rows, strict=True))
    worst = max(difference(a, b) for mine, theirs in zip(one, other, strict=True) for a, b in zip(mine, theirs, strict=True))
    return alone, together, worst


def difference(a: Record, b: Record) -> float:
    assert (a.step, a.images, set(a.signals)) == (b.step, b.images, set(b.signals))
    return max(abs(a.signals[name] - b.signals[name]) / max(1.0, abs(a.signals[name])) for name in a.signals)


def state(gan: GAN) -> list[torch.Tensor]:
    """Weights and buffers of every part, and what both optimizers remember."""
    found = [value for module in gan.modules().values() for value in module.state_dict().values()]
    for optimizer in gan.optimizers.values():
        told = optimizer.state_dict()["state"]
        found += [told[place][name] for place in sorted(told) for name in sorted(told[place])]
    return found


def apart(a: GAN, b: GAN) -> float:
    return max(float((x - y).abs().max()) for x, y in zip(state(a), state(b), strict=True) if x.numel())


def test_ten_gans_trained_together_have_the_weights_of_ten_runs_to_1e_6() -> None:
    alone, together, worst = both([recipe(changes) for changes in PLAIN])
    assert [apart(a, b) for a, b in zip(alone, together, strict=True)] == pytest.approx([0.0] * len(PLAIN), abs=1e-6)
    assert worst < 1e-4


@pytest.mark.parametrize("name", ["fcgan", "gan"])
def test_in_float64_they_agree_to_1e_10_also_where_adam_amplifies_rounding(name: str, double: None) -> None:
    if name == "gan":  # maxout and dropout, whose masks are drawn in the order of a run alone; both players move at once
        recipes = [recipe(changes, name) for changes in [{}, PLAIN[5], ILL[1]]]
    else:
        recipes = [recipe(changes) for changes in [*PLAIN, *ILL]]
    alone, together, worst = both(recipes)
    assert [apart(a, b) for a, b in zip(alone, together, strict=True)] == pytest.approx([0.0] * len(recipes), abs=1e-10)
    assert worst < 1e-8


@pytest.mark.parametrize(
    "schedule",
    [
        {"schedule.discriminator_steps": 3, "schedule.boost.steps": 5, "schedule.boost.first": 2},
        {"schedule.generator_steps": 2, "schedule.shared_latents": True},
        {"schedule.simultaneous": True, "schedule.ema_half_life": 500},
        {"schedule.generator.learning_rate": "1e-3 -> 0 linear 20", "schedule.discriminator.name": "rmsprop"},
        {"schedule.generator.name": "sgd", "schedule.generator.momentum": 0.5},
    ],
    ids=lambda schedule: next(iter(schedule)),
)
def test_every_part_of_the_schedule_is_followed(schedule: Changes, double: None) -> None:
    recipes = [recipe(schedule | changes) for changes in (PLAIN[0], PLAIN[3], ILL[1], *IMAGES)]
    alone, together, _ = both(recipes, "digits", steps=8)
    assert max(apart(a, b) for a, b in zip(alone, together, strict=True)) < 1e-10


def test_seeds_alone_make_gans_differ() -> None:
    gans = made([recipe({})] * 3)
    for gan in gans[1:]:
        gan.generator.load_state_dict(gans[0].generator.state_dict())
        gan.discriminator.load_state_dict(gans[0].discriminator.state_dict())
    list(train_together(gans, data("ring"), steps=3, seeds=[0, 0, 1]))
    assert all(torch.equal(a, b) for a, b in zip(gans[0].generator.parameters(), gans[1].generator.parameters(), strict=True))
    assert not torch.equal(next(gans[0].generator.parameters()), next(gans[2].generator.parameters()))


def test_between_two_records_gans_are_whole_and_the_random_state_is_free(tmp_path: Path) -> None:
    recipes = [recipe(PLAIN[k]) for k in (0, 3, 7)]
    quiet, disturbed = made(recipes), made(recipes)
    list(train_together(quiet, data("ring"), steps=10, seeds=[1, 2, 3], every=5))
    for _ in train_together(disturbed, data("ring"), steps=10, seeds=[1, 2, 3], every=5):
        torch.manual_seed(99)
        for k, gan in enumerate(disturbed):
            save(Model(gan, data("ring").classes), tmp_path / f"{k}.safetensors")
            assert Model(gan, data("ring").classes).sample(10, seed=0).shape == (10, 2)
    assert max(apart(a, b) for a, b in zip(quiet, disturbed, strict=True)) == 0


def test_afterwards_each_gan_owns_its_weights_also_when_the_loop_is_left_early() -> None:
    gans = made([recipe({})] * 2)
    for _ in train_together(gans, data("ring"), steps=100, seeds=[0, 1], every=5):
        break
    for gan in gans:
        for network in (gan.generator, gan.discriminator, gan.average):
            for weight in network.parameters():
                assert weight.untyped_storage().nbytes() == weight.numel() * weight.element_size()
                assert weight.is_contiguous()
                assert weight.grad is None
    before = apart(*gans)
    list(train(gans[0], data("ring"), steps=3))  # goes on alone
    assert apart(*gans) != before


def test_a_gan_that_diverges_harms_no_other() -> None:
    wild = recipe({"loss.name": "least-squares", "schedule.discriminator.learning_rate": 1e30})
    gans, calm = made([recipe({}), wild, recipe(PLAIN[3])]), made([recipe({})])
    *_, last = train_together(gans, data("ring"), steps=20, seeds=[5, 6, 7])
    list(train(calm[0], data("ring"), steps=20, seed=5))
    assert not all(bool(w.isfinite().all()) for w in gans[1].discriminator.parameters())
    assert apart(gans[0], calm[0]) < 1e-6
    assert all(abs(number) < 1e6 for number in last[2].signals.values())


def test_the_time_of_a_record_is_a_share_of_the_loops() -> None:
    rows = list(train_together(made([recipe({})] * 2), data("ring"), steps=10, seeds=[0, 1], every=5))
    assert all(a.seconds == b.seconds for a, b in rows)
    assert 0 < rows[0][0].seconds < rows[1][0].seconds


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"schedule.batch": 32}, "GAN 1: schedule.batch is 32, that of GAN 0 is 16"),
        ({"schedule.simultaneous": True}, "GAN 1: schedule.simultaneous is True, that of GAN 0 is False"),
        ({"architecture.width": 8}, "GAN 1: the architecture is .*'width': 8.* that of GAN 0 is"),
        ({"regularizers.dropout": True}, "GAN 1: discriminator.trunk.2 is Sequential.* that of GAN 0 LeakyReLU"),
        ({"conditioning.name": "label-input"}, "GAN 1: .*only unconditional GANs"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_gans_that_are_not_equal_are_refused_by_their_first_difference(changes: Changes, says: str) -> None:
    with pytest.raises(Unusable, match=says):
        train_together(made([recipe({}), recipe(changes)]), data("ring"), steps=1, seeds=[0, 1])


@pytest.mark.parametrize(
    ("name", "source", "changes", "says"),
    [
        ("fcgan", "ring", {"regularizers.spectral-norm": True}, "discriminator.trunk.1: a ParametrizedLinear can't be trained"),
        ("dcgan", "digits", {}, "generator.synthesis.2: a BatchNorm2d can't be trained"),
        ("ebgan", "ring", {}, "discriminator: an? "),
        ("began", "ring", {}, "GAN 0: schedule.stall steers"),
    ],
)
def test_networks_that_can_not_be_joined_are_refused_by_name(name: str, source: str, changes: Changes, says: str) -> None:
    small = change(catalog.named(name), {"schedule.batch": 16} | changes)
    gans = made([small, small], source)
    before = [weight.clone() for weight in gans[0].generator.parameters()]
    with pytest.raises(Unusable, match=says):
        train_together(gans, data(source), steps=1, seeds=[0, 1])
    assert all(torch.equal(a, b) for a, b in zip(before, gans[0].generator.parameters(), strict=True))


def test_trained_gans_and_missing_seeds_are_refused() -> None:
    gans = made([recipe({})] * 2)
    with pytest.raises(Unusable, match="1 seeds for 2 GANs"):
        train_together(gans, data("ring"), steps=1, seeds=[0])
    list(train(gans[1], data("ring"), steps=1))
    with pytest.raises(Unusable, match="GAN 1: has been trained before"):
        train_together(gans, data("ring"), steps=1, seeds=[0, 1])


def test_one_backward_pass_serves_the_penalties_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    grad = torch.autograd.grad

    def counted(*rest: Any, **named: Any) -> Any:
        calls.append(1)
        return grad(*rest, **named)

    gans = made([recipe({"regularizers.r1": True}), recipe(PLAIN[3]), recipe({"regularizers.dragan": True})])
    monkeypatch.setattr(torch.autograd, "grad", counted)
    monkeypatch.setattr("ganwise.probes.Watch.read", lambda *rest: {})
    list(train_together(gans, data("ring"), steps=4, seeds=[0, 1, 2]))
    assert len(calls) == 4
