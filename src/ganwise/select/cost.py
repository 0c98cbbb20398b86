"""What a recipe costs, by formula and without torch: operations, memory, and time where this machine has been timed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ganwise import catalog
from ganwise.catalog import AUTO, CONDITIONINGS, LOSSES
from ganwise.recipe import Optimizer, Recipe
from ganwise.select.layers import (
    NOBODY,
    Layer,
    Layers,
    Told,
    both_ways,
    forward,
    kept,
    parameters,
    to_weights,
)
from ganwise.select.plans import Plan, plan
from ganwise.select.profile import Profile
from ganwise.types import Shape

NUMBER = 4  # bytes: float32
_ASKED = {"label-input": "input", "semi-supervised": "open"}
_AT_REAL_OR_BETWEEN = ("gradient-penalty", "dragan", "r1", "r2")
_LOOKS = {"consistency": 1, "balanced-consistency": 2, "latent-consistency": 1}  # more looks of the discriminator at a batch
_STATES = {"adam": 2, "rmsprop": 1, "sgd": 0}


class Cost(NamedTuple):
    """What training costs. An operation is a multiplication or an addition in a matrix product or a convolution.

    ``operations_per_step`` is of one step of both players, ways back and penalties included, averaged over the run; images are
    real ones that the discriminator sees, as a run counts them. ``memory`` in bytes is that of weights, gradients, optimizers,
    averaged weights and what the way back keeps, in float32: a floor, since every library needs room to work besides.
    ``seconds_per_1000_images`` is None where ``ganwise bench`` has not timed this machine; ``machine`` says what it timed.
    """

    parameters_generator: int
    parameters_discriminator: int
    operations_per_step: float
    images_per_step: float
    operations_per_1000_images: float
    memory: int
    seconds_per_1000_images: float | None = None
    machine: str = ""


def told_by(recipe: Recipe, classes: int) -> Told:
    """Where labels enter the networks of ``recipe``, as `ganwise.build` decides it."""
    if recipe.conditioning is None:
        return NOBODY
    name = recipe.conditioning.name
    told = catalog.options("conditioning", recipe.conditioning).get("generator", "none")
    if told == AUTO:
        told = "norm" if catalog.normalizes_generator(recipe) else "input"
    assert name in CONDITIONINGS, "the catalog has checked it"
    return Told(classes, str(told), _ASKED.get(name, name))


def plan_of(recipe: Recipe, shape: Shape, classes: int = 0) -> Plan:
    """The layers of a recipe's networks. Its architecture has to have a name; sizes may be ``auto``."""
    name = recipe.architecture.name
    options = catalog.options("architecture", recipe.architecture)
    options |= {k: v for k, v in catalog.sizes(name, shape).items() if options.get(k) == AUTO}
    return plan(name, shape, told_by(recipe, classes), options)


def cost(recipe: Recipe, shape: Shape, classes: int = 0, n: int | None = None, profile: Profile | None = None) -> Cost:
    """The cost of training ``recipe`` on data of ``shape``; ``n`` training samples bound its batch.

    ``profile`` is what `ganwise bench` measured on this machine.
    """
    made = plan_of(recipe, shape, classes)
    schedule = recipe.schedule
    batch = min(schedule.batch, n or schedule.batch)
    critics, turns = _critic_updates(recipe), schedule.generator_steps
    operations = 2.0 * (critics * _discriminator(recipe, made, batch) + turns * _generator(recipe, made, batch))
    again = turns if _pairs(recipe) and not schedule.simultaneous else 0  # a fresh real batch for the generator's turn
    images = batch * (critics + again)
    found = Cost(
        parameters([*made.mapping, *made.generator]),
        parameters(made.discriminator),
        operations,
        images,
        1000 * operations / images,
        _memory(recipe, made, batch),
    )
    if profile is None:
        return found
    seconds = profile.seconds(recipe.architecture.name, operations, critics + turns)
    return found._replace(seconds_per_1000_images=1000 * seconds / images, machine=profile.machine)


def _critic_updates(recipe: Recipe) -> float:
    """Discriminator updates a step in the long run."""
    boost, usual = recipe.schedule.boost, recipe.schedule.discriminator_steps
    return usual + (boost.steps - usual) / boost.period if boost.steps else usual


def _pairs(recipe: Recipe) -> bool:
    """Whether the generator's turn reads real scores."""
    return bool(LOSSES[recipe.loss.name].traits["pairs"])


def _discriminator(recipe: Recipe, made: Plan, batch: int) -> float:
    """Multiply-adds of one update of the discriminator."""
    fake = forward([*made.mapping, *made.generator])
    found: float = batch * (fake + 2 * both_ways(made.discriminator))
    for pick in recipe.regularizers:
        options = catalog.options("regularizers", pick)
        if pick.name in _AT_REAL_OR_BETWEEN:
            found += batch * _slope(made.discriminator) / int(options.get("every", 1))
        found += batch * _LOOKS.get(pick.name, 0) * both_ways(made.discriminator)
        found += batch * fake if pick.name == "latent-consistency" else 0
        found += _coherence(made.discriminator) if options.get("player") == "discriminator" else 0
    return found


def _generator(recipe: Recipe, made: Plan, batch: int) -> float:
    """Multiply-adds of one update of the generator: through the discriminator too, but not into its weights."""
    layers = [*made.mapping, *made.generator]
    looking = forward(made.discriminator)
    found = float(batch * (both_ways(layers) + 2 * looking + (looking if _pairs(recipe) else 0)))
    for pick in recipe.regularizers:
        options = catalog.options("regularizers", pick)
        found += batch * both_ways(layers) if pick.name == "latent-consistency" else 0
        found += 3 * batch**2 * made.code if pick.name == "pulling-away" else 0
        found += _coherence(layers) if options.get("player") == "generator" else 0
        if pick.name == "path-length":
            lengths = _slope(made.generator) + both_ways(list(made.mapping))
            found += max(1, batch // 2) * lengths / int(options["every"])
    return found


def _slope(network: Layers) -> int:
    """A penalty on a slope, for one sample: forward, back to the sample, then back through both."""
    way_back = forward(network)
    twice = forward(network) + to_weights(network)
    return forward(network) + way_back + twice + to_weights(network) + forward(network)


def _coherence(network: Iterable[Layer]) -> int:
    """Products of every weight's rows with each other, and the gradient of that."""
    return sum(3 * min(layer.matrix) ** 2 * max(layer.matrix) for layer in network)


def _memory(recipe: Recipe, made: Plan, batch: int) -> int:
    """Bytes: weights, gradients, optimizer and average, and the larger of the two players' graphs."""
    generator = [*made.mapping, *made.generator]
    sizes = {"generator": parameters(generator), "discriminator": parameters(made.discriminator)}
    held = sizes["generator"] + sum(size * (2 + _states(getattr(recipe.schedule, name))) for name, size in sizes.items())
    slopes = sum(2 for pick in recipe.regularizers if pick.name in _AT_REAL_OR_BETWEEN)
    looks = sum(_LOOKS.get(pick.name, 0) for pick in recipe.regularizers)
    critic = (2 + slopes + looks) * kept(made.discriminator)
    maker = kept(generator) + (2 if _pairs(recipe) else 1) * kept(made.discriminator)
    return NUMBER * (held + batch * max(critic, maker))


def _states(player: Optimizer) -> int:
    """Numbers that an optimizer keeps for each weight."""
    return _STATES[player.name] + (1 if player.name != "adam" and player.momentum else 0)
