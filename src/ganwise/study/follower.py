"""What the other processes of a run do while the first runs its trial: every step with it, and their share of its samples."""

from __future__ import annotations

import sys
from typing import NoReturn

from ganwise import machine, model
from ganwise.build import GAN, build
from ganwise.data import Dataset
from ganwise.ranks import GO, Ranks
from ganwise.recipe import Recipe
from ganwise.study.trial import Stop
from ganwise.train import train


def follow(ranks: Ranks, recipe: Recipe, data: Dataset, steps: int | None, seed: int, device: str, stop: Stop) -> NoReturn:
    """Trains what the first process trains and writes nothing; decides nothing but that a signal came.

    Raises:
        Dismissed: The first process has ended the run.
        Lost: It is gone.
        Unusable: The recipe does not fit the data, which the first process says.
    """
    gan = build(recipe, data.shape, classes=len(data.classes), seed=seed, device=device)
    gan.ranks = ranks
    way, state = ranks.hear()
    gan.compute(*machine.way(way))
    for _ in train(gan, data, steps=steps or sys.maxsize, seed=seed, start=state, stop=lambda: stop.asked(ranks)):
        serve(gan)
    while True:
        serve(gan)


def serve(gan: GAN) -> None:
    """Makes shares of samples, of whatever weights the first process names, until it says that training goes on."""
    while (word := gan.ranks.hear()) != GO:
        weights, n, seed = word
        source = model.Model(build(gan.recipe, gan.shape, classes=gan.classes))
        source.load_state_dict(weights)
        source.ranks = gan.ranks
        source.to(gan.device).sample(n, seed)
