"""Any combination that the catalog calls valid builds and trains; any other is refused with its rule and source."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from ganwise import catalog, knowledge
from ganwise.build import build
from ganwise.catalog import AXES, choice
from ganwise.data import Dataset, load
from ganwise.recipe import Choice, Recipe, Schedule
from ganwise.shapes import takes
from ganwise.train import train
from ganwise.types import Shape, Unusable

DRAWS = 300
SHAPES: tuple[Shape, ...] = ((1, 8, 8), (1, 16, 16))
SMALL = {"width": 8, "latent": 8}


@cache
def data(shape: Shape) -> Dataset:
    """Something with labels of this shape."""
    return load("ring") if len(shape) == 1 else load("digits", size=shape[1])


def one_of(axis: catalog.Axis, dice: random.Random, chance: float = 1.0) -> Choice | None:
    if dice.random() >= chance:
        return None
    name = dice.choice(sorted(AXES[axis]))
    return choice(name, **{k: v for k, v in SMALL.items() if k in AXES[axis][name].options})


def drawn(dice: random.Random) -> Recipe:
    """A recipe with every choice drawn at random."""
    architecture, loss = one_of("architecture", dice), one_of("loss", dice)
    assert architecture is not None
    assert loss is not None
    return Recipe(
        architecture=architecture,
        loss=loss,
        regularizers=tuple(choice(name) for name in dice.sample(sorted(AXES["regularizers"]), dice.choice((0, 1, 1, 2, 3)))),
        divergence=one_of("divergence", dice, 1.0 if loss.name == "f-gan" else 0.0),
        conditioning=one_of("conditioning", dice, 0.3),
        augmentation=one_of("augmentation", dice, 0.3),
        schedule=Schedule(batch=8, discriminator_steps=dice.choice((1, 2)), simultaneous=dice.random() < 0.3),
    )


def draws(valid: bool, seed: int) -> Iterator[Recipe]:
    dice = random.Random(seed)
    while True:
        recipe = drawn(dice)
        if _refusal(recipe) is None if valid else _refusal(recipe) is not None:
            yield recipe


def _refusal(recipe: Recipe) -> str | None:
    try:
        catalog.check(recipe)
    except Unusable as error:
        return str(error)
    return None


def _name(recipe: Recipe) -> str:
    picks = catalog.chosen(recipe)
    return ", ".join(name for names in picks.values() for name in names)


@pytest.mark.parametrize("part", range(6))
def test_a_valid_combination_builds_and_trains(part: int) -> None:
    chosen = draws(valid=True, seed=part)
    for _ in range(DRAWS // 6):
        recipe = next(chosen)
        samples = data(next(shape for shape in SHAPES if takes(recipe.architecture.name, shape) is None))
        gan = build(recipe, samples.shape, classes=len(samples.classes))
        for record in train(gan, samples, steps=2, every=1):
            bad = [name for name, value in record.signals.items() if not np.isfinite(value)]
            assert not bad, f"{_name(recipe)}: not finite at step {record.step}: {', '.join(bad)}"


def test_an_invalid_combination_is_refused_with_the_rule_and_its_source() -> None:
    chosen = draws(valid=False, seed=0)
    for _ in range(DRAWS):
        recipe = next(chosen)
        with pytest.raises(Unusable) as refusal:
            build(recipe, (1, 8, 8), classes=10)
        line = str(refusal.value)
        assert "\n" not in line
        found = re.search(r": (.+) \[(.+)\]$", line)
        assert found, f"{_name(recipe)}: refused without a reason and a source: {line}"
        for key in found[2].split(", "):
            assert key in knowledge.sources(), f"{line}: unknown source {key}"
