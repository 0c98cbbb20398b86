"""Which precision and layout in memory a GAN is trained in here: the faster, by a few steps of each before it is trained."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

import ganwise
from ganwise import machine, processor
from ganwise.artifacts import read_json, write_json
from ganwise.build import GAN, Player, build
from ganwise.cache import cache_folder
from ganwise.recipe import Recipe
from ganwise.train import Batches, move, play
from ganwise.types import Shape, Unusable

MARGIN = 0.9
"""Of the time of a simpler way, what another one may take at most to be chosen: so near ties do not fall by chance."""
SECONDS, ROUNDS = 1.0, 5
"""About what the steps may take, and how often each way has its turn after one to warm up."""
LEAST = 8
"""Samples of a batch: where a step takes long a part of the recipe's batch is timed, down to this one."""
PLAYERS: tuple[Player, Player] = ("discriminator", "generator")


class Pace(NamedTuple):
    """The way by its name in `machine.WAYS`, and the milliseconds of a step of each that was timed; none where a rule decided."""

    way: str
    probe: Mapping[str, float]


def choose(recipe: Recipe, shape: Shape, classes: int = 0, device: str = "cpu") -> Pace:
    """The way of a recipe on this machine; timed once, and from then on the same for every run: it is kept in the cache.

    Runs that differ in nothing but seeds or rates so compute alike, and a run that is repeated here is repeated exactly. Not
    timed, but by the rule of `machine.precision`: on a GPU, under deterministic algorithms, and where a step is too long; and
    where no layer is so large that it could matter, which is float32.

    Raises:
        Unusable: The recipe can't be built.
    """
    gan = build(recipe, shape, classes=classes, device=device)
    rule = Pace("fp32" if machine.precision("auto", device, gan.generator) is None else "bf16", {})
    ways = _candidates(gan)
    if gan.device.type != "cpu" or torch.are_deterministic_algorithms_enabled() or len(ways) == 1:
        return rule
    file = cache_folder() / "pace" / f"{_key(gan)}.json"
    with suppress(KeyError, Unusable):
        kept = read_json(file)
        return Pace(str(kept["way"]), dict(kept["probe"]))
    times = timed(gan, ways)
    found = Pace(fastest(times), times) if times else rule
    with suppress(OSError):  # a cache that can't be written only costs time
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, found._asdict())
    return found


def fastest(times: Mapping[str, float]) -> str:
    """Of ways from the simplest on, the last that beats the one chosen before it by the margin."""
    chosen = next(iter(times))
    for name, taken in times.items():
        chosen = name if taken < MARGIN * times[chosen] else chosen
    return chosen


def timed(gan: GAN, ways: Sequence[str]) -> dict[str, float]:
    """Milliseconds of one update of both players in each way: CPU time, the best of some turns A B A B, on copies and noise.

    Empty where that would take too long. Neither ``gan`` nor torch's random state is touched.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = {machine.WAYS[name].layout: build(gan.recipe, gan.shape, classes=gan.classes) for name in ways}
        for layout, copy in made.items():
            copy.compute(None, layout)
        size = _size(next(iter(made.values())), len(ways))
        if not size:
            return {}
        batches = {layout: _noise(copy, size) for layout, copy in made.items()}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(1 + ROUNDS):
            for name in ways:
                kind, layout = machine.WAYS[name]
                made[layout].precision = kind
                taken[name].append(_update(made[layout], batches[layout]))
    return {name: round(1e3 * min(turns[1:]), 3) for name, turns in taken.items()}


def _candidates(gan: GAN) -> list[str]:
    """From the simplest way on. A processor without bfloat16 is spared it, and networks without convolutions the layouts."""
    if not any(map(machine.heavy, (gan.generator, gan.discriminator))):
        return ["fp32"]
    maps = any(isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)) for m in (*gan.generator.modules(), *gan.discriminator.modules()))
    kinds = ("fp32", "bf16") if machine.native_bf16() else ("fp32",)
    return [kind + layout for kind in kinds for layout in (("", "-nchw") if maps else ("",))]


def _size(gan: GAN, ways: int) -> int:
    """Samples of a batch that all turns have time for, a part of the recipe's; 0 where there is none."""
    sizes = [gan.recipe.schedule.batch]
    while sizes[-1] % 2 == 0 and sizes[-1] // 2 >= LEAST:  # layers that group samples divide the batch by small numbers
        sizes.append(sizes[-1] // 2)
    batch = _noise(gan, sizes[-1])
    taken = min(_update(gan, batch) for _ in range(2)) / sizes[-1] * ways * (1 + ROUNDS)
    return next((size for size in sizes if taken * size <= SECONDS), 0)


def _noise(gan: GAN, size: int) -> tuple[Tensor, Tensor]:
    """A batch as the loop gets it: a step takes the same time on any numbers."""
    random = np.random.default_rng(0)
    channels, *sides = gan.shape
    images = random.integers(0, 256, (size, *sides, channels), dtype=np.uint8)
    values = images if gan.scaling.image else random.normal(size=(size, channels)).astype(np.float32)
    return next(Batches(values, random.integers(0, max(gan.classes, 1), size), gan, 0))


def _update(gan: GAN, batch: tuple[Tensor, Tensor]) -> float:
    """Seconds of one update of each player. The second of a run, in which penalties that come now and then do not."""
    begin = time.process_time()
    for player in PLAYERS:
        play(gan, player, batch, gan.generator.draw(len(batch[0]), gan.device), 1)
        move(gan, player, 1)
    return time.process_time() - begin


def _key(gan: GAN) -> str:
    """Of all that the time of a step depends on: not of rates."""
    recipe = gan.recipe.model_dump(mode="json", exclude={"name", "schedule"}) | {"batch": gan.recipe.schedule.batch}
    optimizers = [gan.recipe.schedule.discriminator.name, gan.recipe.schedule.generator.name]
    machinery = [processor.name(), torch.get_num_threads(), torch.__version__, ganwise.__version__]
    told = json.dumps([recipe, optimizers, gan.shape, gan.classes, machinery], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]
