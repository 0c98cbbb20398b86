"""How the papers write their choices and schedules, in short."""

from __future__ import annotations

from typing import Any

from ganwise.catalog.entry import AUTO
from ganwise.recipe import Choice, Optimizer, Schedule
from ganwise.types import Value


def choice(name: str, **options: Value) -> Choice:
    return Choice(name=name, options=options)


FITTING = choice(AUTO)  # the architecture that suits the data: of papers that are about something else


def adam(rate: float | str, beta1: float, beta2: float | str) -> Optimizer:
    return Optimizer(name="adam", learning_rate=rate, beta1=beta1, beta2=beta2)


def rmsprop(rate: float) -> Optimizer:
    return Optimizer(name="rmsprop", learning_rate=rate)


def both(player: Optimizer, **rest: Any) -> Schedule:
    """The same optimizer for either player."""
    return Schedule(discriminator=player, generator=player, **rest)


AVERAGED = "samples come from averaged weights, .999 a step, which the paper does not use: schedule.ema=0 turns it off"
FITTED = "the architecture is what suits the data, mlp or dcgan, in a laptop's width, instead of the paper's"


def lucic(figures: str) -> dict[str, str]:
    """Of the large study that tuned seven GANs alike. Source: lucic2018equal, its table of the best FIDs."""
    return {
        "best FID of MNIST / Fashion / CIFAR-10 / CelebA": f"{figures}, each GAN tuned at the same budget, lucic2018equal [2nd]"
    }
