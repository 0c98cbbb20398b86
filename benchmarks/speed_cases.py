"""What `speed.py` measures: six GANs of the literature at full size, and how small a copy of each the tests train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import speed_plain as plain

import ganwise as gw
from ganwise import catalog
from ganwise.build import GAN, build
from ganwise.data import Dataset
from ganwise.recipe import Recipe, change
from ganwise.types import Shape, Value


class Case(NamedTuple):
    """A GAN, the data's shape, its plain step, and the goals of issue 7: times the faster of peer and plain step.

    ``steps`` of a block of the benchmark. ``toy`` shrinks the GAN to what a test can train in float64.
    """

    words: str
    recipe: str
    shape: Shape
    plain: type[plain.Loop]
    changes: Mapping[str, Value]
    toy: Mapping[str, Value]
    toy_side: int
    steps: int
    goal: float | None = None  # in the fastest mode, on a machine with AMX
    goal_fp32: float | None = None
    peer: str = ""

    def made(self, *, toy: bool = False, seed: int = 0, **more: Value) -> GAN:
        """The GAN with weights drawn from ``seed``; rates and penalties are constant, as the plain step has them."""
        return build(self.full(toy=toy, **more), self.of(toy), seed=seed)

    def full(self, *, toy: bool = False, **more: Value) -> Recipe:
        return change(catalog.named(self.recipe), {**self.changes, **(self.toy if toy else {}), **more})

    def of(self, toy: bool) -> Shape:
        """The shape of its data."""
        return (self.shape[0], self.toy_side, self.toy_side) if toy else self.shape

    def data(self, n: int = 2048, *, toy: bool = False) -> Dataset:
        """Images of noise: a step takes the same time on them as on any others."""
        channels, height, width = self.of(toy)
        return gw.load(np.random.default_rng(0).integers(0, 256, (n, height, width, channels), dtype=np.uint8))


_CONSTANT: dict[str, Value] = {"schedule.discriminator.learning_rate": 2e-4, "schedule.generator.learning_rate": 2e-4}
_RESNET: dict[str, Value] = {
    "architecture.name": "resnet",
    "architecture.latent": 128,
    "architecture.width": 256,
    "architecture.full_side": 32,
}
_TOY_RESNET: dict[str, Value] = {"architecture.width": 8, "architecture.latent": 6, "schedule.batch": 8}
_R3: dict[str, Value] = {
    "architecture.latent": 64,
    "architecture.width": 96,
    "architecture.full_side": 32,
    "architecture.blocks": 1,
    "regularizers.r1.gamma": 0.05,
    "regularizers.r2.gamma": 0.05,
    "schedule.batch": 64,
    "schedule.discriminator.beta2": 0.9,
    "schedule.generator.beta2": 0.9,
    "schedule.ema": 0.999,
    "schedule.ema_half_life": 0.0,
}

CASES: dict[str, Case] = {
    "mlp": Case(
        "MLP, 28 x 28, batch 128",
        "fcgan",
        (1, 28, 28),
        plain.Logistic,
        {"architecture.latent": 64, "architecture.width": 512, "architecture.depth": 2, "schedule.batch": 128},
        {"architecture.width": 12, "architecture.latent": 6, "schedule.batch": 8},
        8,
        steps=60,
        goal=4.0,
        goal_fp32=1.4,
    ),
    "dcgan": Case(
        "DCGAN, 32 x 32, batch 64",
        "dcgan",
        (3, 32, 32),
        plain.Logistic,
        {"architecture.width": 64, "architecture.latent": 100, "schedule.batch": 64},
        {"architecture.width": 8, "architecture.latent": 6, "schedule.batch": 8},
        16,
        steps=10,
        goal=6.0,
        goal_fp32=1.6,
        peer="torchgan",
    ),
    "sngan": Case(
        "SNGAN, ResNet 32 x 32, batch 64, 5 D steps",
        "sngan",
        (3, 32, 32),
        plain.Hinge,
        {**_RESNET, **_CONSTANT},
        {**_TOY_RESNET, "schedule.discriminator_steps": 2},
        16,
        steps=1,
        goal=10.0,
        goal_fp32=2.0,
        peer="torch-mimicry",
    ),
    "wgan-gp": Case(
        "WGAN-GP, ResNet 32 x 32, batch 64, 5 D steps",
        "wgan-gp",
        (3, 32, 32),
        plain.Wasserstein,
        {**_RESNET, "regularizers.gradient-penalty.weight": 10.0},
        {**_TOY_RESNET, "schedule.discriminator_steps": 2},
        16,
        steps=1,
        goal=10.0,
        goal_fp32=1.8,
        peer="torch-mimicry",
    ),
    "began": Case(
        "BEGAN, 64 x 64, n = 64, batch 16",
        "began",
        (3, 64, 64),
        plain.BoundaryEquilibrium,
        {"architecture.width": 64, "architecture.latent": 64, "architecture.code": 64, "schedule.batch": 16},
        {"architecture.width": 6, "architecture.latent": 5, "architecture.code": 5, "schedule.batch": 8},
        16,
        steps=2,
        goal=6.0,
        goal_fp32=1.4,
    ),
    "r3gan": Case(
        "R3GAN small, 32 x 32, width 96, batch 64",
        "r3gan",
        (3, 32, 32),
        plain.Relativistic,
        {**_R3, **_CONSTANT},
        {"architecture.width": 16, "architecture.latent": 6, "schedule.batch": 8},
        16,
        steps=2,
    ),
}
