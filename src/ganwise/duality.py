"""The duality gap: how much each player could still gain if the other stood still. On request, because it costs training."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn.utils import parametrize

from ganwise import checkpoint
from ganwise.build import GAN, Player, build
from ganwise.data import Dataset
from ganwise.train import Batches, forward, move, play
from ganwise.types import Record, Unusable

BATCHES = 8
"""Held-out batches on which the game's value is taken."""


class Gap(NamedTuple):
    """``worst_d`` is the value against the best discriminator found, ``worst_g`` that of the best generator found."""

    gap: float
    worst_d: float
    worst_g: float


def duality_gap(gan: GAN, data: Dataset, *, steps: int = 400, seed: int = 0) -> Gap:
    """max over D of V(G, D) less min over G of V(G, D), V minus the discriminator's loss without regularizers.

    Both are found by training a copy of one player for ``steps`` updates against the other, which stands still, with the recipe's
    own losses, regularizers and optimizers; V is taken on held-out samples. Near 0 where neither can gain, large where the run
    collapsed, cycles or diverged. It is found from below: few steps find little of what a player could gain. Cost: about
    ``steps`` steps of training. The GAN and every random state stay as they are.

    Source: grnarova2019duality, whose value function is the original one; ours is that of the recipe's loss.

    Raises:
        Unusable: There are no held-out samples that the players can be shown.
    """
    if not len(gan.held_out(data)):
        raise Unusable("a duality gap is taken on the validation part, which has no samples, or none with a label for this GAN")
    devices = [] if gan.device.type == "cpu" else [gan.device]
    values = {}
    with torch.random.fork_rng(devices=devices, device_type="cuda" if gan.device.type == "cpu" else gan.device.type):
        players: tuple[Player, ...] = ("discriminator", "generator")
        for player in players:
            best = _answer(gan, player, data, steps, seed)
            values[player] = _value(best, data, seed)
    return Gap(values["discriminator"] - values["generator"], values["discriminator"], values["generator"])


def _answer(gan: GAN, player: Player, data: Dataset, steps: int, seed: int) -> GAN:
    """A copy in which one player has adapted to the other."""
    made = build(gan.recipe, gan.shape, classes=gan.classes, device=gan.device)
    made.precision = gan.precision
    checkpoint.state(gan, Record(0, 0, 0.0, {})).restore(made)
    torch.manual_seed(seed)
    batches = Batches(data.part("train"), data.labels[data.split.train], made, seed)
    for update in range(steps):
        z = made.generator.draw(batches.size, made.device)
        play(made, player, next(batches), z, update)
        move(made, player, update)
    return made


@torch.no_grad()
def _value(gan: GAN, data: Dataset, seed: int) -> float:
    """V on held-out samples, in training mode as the players see each other."""
    rows = gan.held_out(data)
    held = Batches(data.values[rows], data.labels[rows], gan, seed)
    values = []
    for _ in range(BATCHES):
        z = gan.generator.draw(held.size, gan.device)
        with parametrize.cached():
            p = forward(gan, "discriminator", *next(held), z, 0)
            values.append(-float(gan.objectives[0].discriminator(p)))
    return sum(values) / len(values)
