"""What a recipe costs: the formulas against networks that are built and steps that are made, all operations counted."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganwise import catalog
from ganwise.build import GAN, build
from ganwise.catalog import RECIPES, choice
from ganwise.networks import linear
from ganwise.recipe import Boost, Choice, Recipe, Schedule
from ganwise.select import cost as costs
from ganwise.select.cost import Cost, cost, plan_of
from ganwise.select.layers import kept
from ganwise.select.profile import Profile, Timing, newest, profiles
from ganwise.select.space import acts_on, variants
from ganwise.shapes import takes
from ganwise.train import Batches, forward, step
from ganwise.types import Shape, Unusable, Value

GREY, COLOR, ODD, VECTOR = (1, 8, 8), (3, 16, 16), (1, 28, 28), (5,)
SHAPES: tuple[Shape, ...] = (GREY, COLOR, ODD, VECTOR)
CLASSES = 3


@pytest.fixture(autouse=True)
def _counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch knows the operations of its own products alone."""
    monkeypatch.setattr(linear, "elsewhere", lambda: False)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Counted(TorchDispatchMode):
    """Operations of matrix products and convolutions by torch's own formulas, in double backward passes too.

    One is replaced: torch counts the gradient of the weights of grouped convolutions as if there were no groups.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made, packet = func(*args, **(kwargs or {})), func._overloadpacket
        if packet is torch.ops.aten.convolution_backward:
            back, x, weight, transposed, wanted = args[0], args[1], args[2], args[7], args[10]
            places = math.prod((x if transposed else back).shape[2:])
            self.total += 2 * len(x) * places * weight.numel() * (wanted[0] + wanted[1])
        elif packet in flop_registry:
            self.total += flop_registry[packet](*args, **(kwargs or {}), out_val=made)
        return made


def each_step(recipe: Recipe) -> Recipe:
    """A step like any other: no boost at the start, and penalties that never skip an update."""
    penalties = tuple(
        choice(pick.name, **{**pick.options, "every": 1}) if "every" in catalog.REGULARIZERS[pick.name].options else pick
        for pick in recipe.regularizers
    )
    schedule = recipe.schedule.model_copy(update={"batch": 4, "boost": Boost()})
    return recipe.model_copy(update={"regularizers": penalties, "schedule": schedule})


def ready(recipe: Recipe, shape: Shape) -> tuple[GAN, Batches]:
    gan, random = build(recipe, shape, classes=CLASSES if recipe.conditioning else 0), np.random.default_rng(0)
    image = len(shape) == 3
    values = random.integers(0, 256, (64, *shape[1:], shape[0])).astype(np.uint8) if image else random.normal(size=(64, *shape))
    batches = Batches(values if image else values.astype(np.float32), np.arange(64) % CLASSES, gan, 0)
    gan.fit(batches.values, batches.labels)
    return gan, batches


def compare(recipe: Recipe, shape: Shape) -> None:
    """Parameters of both players agree exactly, operations of a step within 2 %."""
    recipe = each_step(recipe)
    gan, batches = ready(recipe, shape)
    with Counted() as counted:
        step(gan, batches, 0)
    found = cost(recipe, shape, CLASSES if recipe.conditioning else 0)
    sizes = [sum(weight.numel() for weight in network.parameters()) for network in (gan.generator, gan.discriminator)]
    assert [found.parameters_generator, found.parameters_discriminator] == sizes
    assert found.operations_per_step == pytest.approx(counted.total, rel=0.02)
    assert found.images_per_step == batches.position * batches.size


NAMED = [(name, recipe, shape) for shape in SHAPES for name in RECIPES for recipe in variants(name, shape)[-1:]]


@pytest.mark.parametrize(
    ("name", "recipe", "shape"), NAMED, ids=lambda value: str(value) if not isinstance(value, Recipe) else ""
)
def test_every_named_gan_costs_what_the_formula_says(name: str, recipe: Recipe, shape: Shape) -> None:
    compare(recipe, shape)


LOSS_OF = {"autoencoder": "boundary-equilibrium", "energy-autoencoder": "energy-margin"}
OTHERS: dict[str, dict[str, Value]] = {
    "mlp": {"pieces": 3, "dropout": 0.5, "depth": 3},
    "original": {"stages": 2, "width": 30, "units": 20, "second": "sigmoid"},
    "original-convolutional": {"width": 40, "maps": 6, "channels": 4, "last_channels": 5, "units": 20},
    "dcgan": {"generator_norm": "none", "discriminator_norm": "batch", "width": 8},
    "autoencoder": {"generator_width": 5, "depth": 3, "skip": True, "width": 4, "vanishing": 10},
    "energy-autoencoder": {"discriminator_norm": "none", "width": 8},
    "laplacian-pyramid": {"width": 6, "units": 20},
    "resnet": {"generator_norm": "none", "discriminator_norm": "layer", "plain": 1, "width": 12, "full_side": 4},
    "r3gan": {"blocks": 2, "expansion": 3, "group": 8, "width": 16, "full_side": 4},
    "stylegan2": {"mapping_depth": 2, "residual": False, "group": 0, "latent": 8, "width": 16, "full_side": 4},
}


@pytest.mark.parametrize("side", [16, 28])
@pytest.mark.parametrize("architecture", catalog.ARCHITECTURES)
def test_every_architecture_is_followed_in_its_options(architecture: str, side: int) -> None:
    assert OTHERS.keys() == catalog.ARCHITECTURES.keys()
    loss = choice(LOSS_OF.get(architecture, "non-saturating"))
    recipe = Recipe(architecture=choice(architecture, **OTHERS[architecture]), loss=loss)
    compare(recipe, (2, side, side))


@pytest.mark.parametrize("conditioning", catalog.CONDITIONINGS)
@pytest.mark.parametrize("architecture", [*catalog.ARCHITECTURES])
def test_labels_are_counted_wherever_they_enter(architecture: str, conditioning: str) -> None:
    recipe = Recipe(
        architecture=choice(architecture, **({} if architecture in ("mlp", "dcgan", "resnet") else OTHERS[architecture])),
        loss=choice("non-saturating"),
        conditioning=choice(conditioning),
    )
    if catalog.misfits(catalog.chosen(recipe)):
        with pytest.raises(Unusable):
            build(recipe, COLOR, classes=CLASSES)
        return
    compare(recipe, COLOR)


@pytest.mark.parametrize("regularizer", sorted(catalog.REGULARIZERS.keys() - {"path-length"}))  # stylegan2's, above
def test_every_regularizer_costs_what_the_formula_says(regularizer: str) -> None:
    losses = {"weight-clipping": "wasserstein", "svm-weight": "hinge"}
    name = "energy-autoencoder" if regularizer == "pulling-away" else "resnet"
    loss = "energy-margin" if regularizer == "pulling-away" else losses.get(regularizer, "non-saturating")
    recipe = Recipe(
        architecture=choice(name, **OTHERS[name]), loss=choice(loss), regularizers=(choice(regularizer),), schedule=Schedule()
    )
    assert acts_on(regularizer, COLOR)
    compare(recipe, COLOR)


def test_a_lazy_penalty_costs_its_share() -> None:
    def of(*penalties: Choice) -> float:
        recipe = Recipe(architecture=choice("mlp"), loss=choice("non-saturating"), regularizers=penalties)
        return cost(recipe, GREY).operations_per_step

    assert of(choice("r1", every=4)) - of() == pytest.approx((of(choice("r1", every=1)) - of()) / 4)


def test_a_boosted_critic_costs_its_average_over_a_long_run() -> None:
    boosted = RECIPES["wgan"].recipe
    assert boosted is not None
    boosted = boosted.model_copy(update={"architecture": choice("mlp"), "schedule": Schedule(boost=Boost(steps=100, period=500))})
    steps = 50_000
    updates = boosted.schedule.critic_updates(steps) - boosted.schedule.critic_updates(100)
    assert cost(boosted, GREY).images_per_step == pytest.approx(64 * updates / (steps - 100), rel=0.002)


def saved(gan: GAN, batches: Batches, player: Any) -> int:
    """Bytes of what a pass keeps for the way back, weights left out."""
    held: dict[int, int] = {}
    weights = {w.data_ptr() for module in gan.modules().values() for w in (*module.parameters(), *module.buffers())}

    def keep(x: Tensor) -> Tensor:
        if x.data_ptr() not in weights and x.numel() > 16 * batches.size:
            held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    batch, z = next(batches), gan.generator.draw(batches.size, gan.device)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        p = forward(gan, player, *batch, z, 0)
        loss = torch.stack([getattr(objective, player)(p) for objective in gan.objectives]).sum()
    assert loss.requires_grad
    return sum(held.values())


@pytest.mark.parametrize("architecture", catalog.ARCHITECTURES)
def test_the_memory_of_activations_is_about_what_torch_keeps(architecture: str) -> None:
    recipe = Recipe(
        architecture=choice(architecture),
        loss=choice(LOSS_OF.get(architecture, "non-saturating")),
        schedule=Schedule(batch=16),
    )
    shape = (3, 32, 32)
    gan, batches = ready(recipe, shape)
    made = plan_of(recipe, shape)
    said = 4 * 16 * 2 * kept(made.discriminator)
    assert said == pytest.approx(saved(gan, batches, "discriminator"), rel=0.25)
    said = 4 * 16 * (kept([*made.mapping, *made.generator]) + kept(made.discriminator))
    apart = 0.5 if architecture in ("mlp", "original") else 0.25  # a linear layer without gradients of its own keeps nothing
    assert said == pytest.approx(saved(gan, batches, "generator"), rel=apart)


def found_for(name: str, batch: int, **options: Value) -> Cost:
    recipe = RECIPES[name].recipe
    assert recipe is not None
    schedule = recipe.schedule.model_copy(update={"batch": batch})
    return cost(recipe.model_copy(update={"architecture": choice("dcgan", **options), "schedule": schedule}), COLOR)


def test_memory_holds_weights_optimizers_and_average_and_grows_with_the_batch() -> None:
    small, large = found_for("dcgan", 10), found_for("dcgan", 30)
    weights = 4 * (5 * small.parameters_generator + 4 * small.parameters_discriminator)
    assert large.memory - weights == 3 * (small.memory - weights) > 0


def test_a_small_data_set_bounds_the_batch() -> None:
    recipe = variants("dcgan", COLOR)[0]
    assert cost(recipe, COLOR, n=10).images_per_step == 10
    assert cost(recipe, COLOR, n=10_000).images_per_step == recipe.schedule.batch


def test_seconds_come_from_the_profile_alone_and_change_nothing_else() -> None:
    recipe = variants("dcgan", COLOR)[0]
    plain = cost(recipe, COLOR)
    assert plain.seconds_per_1000_images is None
    timings = (Timing("dcgan", "fp32", 0.001, 1e9), Timing("mlp", "fp32", 0.0, 1e12), Timing("dcgan", "bf16", 0, 1, usual=False))
    timed = cost(recipe, COLOR, profile=Profile("a machine", timings))
    seconds = (plain.operations_per_step / 1e9 + 2 * 0.001) * 1000 / plain.images_per_step
    assert timed == plain._replace(seconds_per_1000_images=pytest.approx(seconds), machine="a machine")


def test_an_architecture_that_was_not_timed_counts_as_the_slowest_of_its_kind() -> None:
    profile = Profile("", (Timing("dcgan", "", 0, 100.0), Timing("resnet", "", 0, 50.0), Timing("mlp", "", 0, 10.0)))
    assert profile.seconds("stylegan2", 100, 1) == 2
    assert profile.seconds("original", 100, 1) == 10


def test_a_damaged_profile_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GANWISE_CACHE", str(tmp_path))
    assert newest() is None
    profiles().mkdir()
    for content in ("", "[]", json.dumps({"machine": {}, "timings": []})):
        (profiles() / "1.json").write_text(content)
        assert newest() is None


def test_every_architecture_that_takes_a_shape_has_a_cost_there() -> None:
    shapes: list[Shape] = [
        (1,),
        (2,),
        (100,),
        (1, 8, 8),
        (3, 12, 12),
        (1, 28, 28),
        (3, 64, 64),
        (3, 112, 112),
        (3, 256, 256),
        (1, 9, 5),
    ]
    for shape in shapes:
        for name in catalog.ARCHITECTURES:
            if takes(name, shape) is None:
                recipe = Recipe(architecture=choice(name), loss=choice(LOSS_OF.get(name, "non-saturating")))
                assert min(cost(recipe, shape)[:6]) > 0
    assert costs.NUMBER == 4
