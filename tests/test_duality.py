"""The duality gap: near zero where neither player can gain, large after a collapse, and the GAN stays as it is."""

from __future__ import annotations

import copy
import dataclasses
import math

import pytest
import torch

from ganwise import catalog, checkpoint
from ganwise.build import build
from ganwise.data import load
from ganwise.duality import duality_gap
from ganwise.networks import Generator
from ganwise.recipe import change
from ganwise.train import train
from ganwise.types import Unusable


def collapse(generator: Generator) -> None:
    with torch.no_grad():
        last = [w for name, w in generator.named_parameters() if name.endswith("weight")][-1]
        last.zero_()


def test_a_converged_gan_has_a_small_gap_and_its_collapsed_twin_a_large_one() -> None:
    data = load("ring")
    gan = build(change(catalog.named("r1gan"), {"architecture.width": 16, "schedule.batch": 32}), data.shape, classes=8)
    list(train(gan, data, steps=1000, every=500))
    before = checkpoint.tensors(gan)
    converged = duality_gap(gan, data, steps=100)
    assert all(torch.equal(value, checkpoint.tensors(gan)[name]) for name, value in before.items())
    assert duality_gap(gan, data, steps=100) == converged, "it repeats"
    kept = copy.deepcopy(gan.generator.state_dict())
    collapse(gan.generator)
    collapsed = duality_gap(gan, data, steps=100)
    gan.generator.load_state_dict(kept)
    assert abs(converged.gap) < 0.2
    assert collapsed.gap > 0.6
    assert collapsed.worst_d > converged.worst_d, "a discriminator tells one point from a ring easily"


def test_held_out_samples_of_unknown_class_have_no_part_in_the_gap_of_a_gan_that_is_told_classes() -> None:
    whole = load("digits")
    labels = whole.labels.copy()
    labels[whole.split.validation[20:]] = -1
    few = dataclasses.replace(whole, labels=labels)
    recipe = change(catalog.named("fcgan"), {"architecture.width": 8, "schedule.batch": 16, "conditioning.name": "label-input"})
    gan = build(recipe, few.shape, classes=10)
    assert math.isfinite(duality_gap(gan, few, steps=1).gap)
    labels[whole.split.validation] = -1
    with pytest.raises(Unusable, match="none with a label"):
        duality_gap(gan, few, steps=1)
