"""Eight small GANs trained together against the same eight one after the other: CPU time of a step of all of them.

    OMP_NUM_THREADS=1 python benchmarks/stacked.py            prints the table
    OMP_NUM_THREADS=1 python benchmarks/stacked.py --rounds 9 --only ring

One thread. Whole training loops with their records take turns, A B A B, a record's steps at a time; the first of each does not
count. The eight differ in their losses; "mixed" has eight losses, penalties and learning rates.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import torch

import ganwise as gw
from ganwise import catalog
from ganwise.build import GAN
from ganwise.data import Dataset
from ganwise.recipe import change
from ganwise.stacked import train_together
from ganwise.train import train
from ganwise.types import Value

EVERY, ENDLESS = 20, 10**9
Changes = dict[str, Value]
LOSSES: list[Changes] = [
    {},
    {"loss.name": "minimax"},
    {"loss.name": "least-squares"},
    {"loss.name": "hinge"},
    {"loss.name": "hinge", "loss.margin": 0.5},
    {"loss.name": "relativistic"},
    {"loss.name": "relativistic-average"},
    {"loss.name": "relativistic-average", "loss.form": "hinge"},
]
MIXED: list[Changes] = [
    {},
    {"regularizers.r1.gamma": 1.0},
    {"loss.name": "wasserstein", "regularizers.gradient-penalty": True},
    {"loss.name": "least-squares", "schedule.generator.learning_rate": 1e-3},
    {"loss.name": "hinge", "schedule.discriminator.learning_rate": 4e-4},
    {"loss.name": "relativistic", "regularizers.r1.gamma": 1.0, "regularizers.r2.gamma": 1.0},
    {"regularizers.dragan": True, "schedule.generator.learning_rate": 1e-4},
    {"loss.name": "relativistic-average", "regularizers.lecam": True},
]
SIZES: list[tuple[str, str, Changes]] = [
    ("ring, width 64", "ring", {"architecture.width": 64}),
    ("ring, width 128 (the default there)", "ring", {}),
    ("digits, width 64", "digits", {"architecture.width": 64}),
    ("digits, width 256 (the default there)", "digits", {}),
]
KINDS: list[tuple[str, Sequence[Changes]]] = [
    ("eight losses", LOSSES),
    ("eight losses + R1", [loss | {"regularizers.r1.gamma": 1.0} for loss in LOSSES]),
    ("mixed", MIXED),
]


def made(changes: Sequence[Changes], data: Dataset) -> list[GAN]:
    return [gw.build(change(catalog.named("fcgan"), c), data.shape, seed=k) for k, c in enumerate(changes)]


def turns(changes: Sequence[Changes], data: Dataset, every: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """``every`` steps of all GANs, one by one and together."""
    one: list[Iterator[Any]] = [train(gan, data, steps=ENDLESS, seed=k, every=every) for k, gan in enumerate(made(changes, data))]
    all_of_them = train_together(made(changes, data), data, steps=ENDLESS, seeds=range(len(changes)), every=every)
    return lambda: [next(run) for run in one], lambda: next(all_of_them)


def spent(turn: Callable[[], Any]) -> float:
    begin = time.process_time()
    turn()
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--every", type=int, default=EVERY, help="steps between two records, and in one turn")
    parser.add_argument("--only", default="", help="sizes whose name holds this")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| networks | GANs | one by one, ms | together, ms | times as fast |\n|---|---|---|---|---|")
    for name, source, size in SIZES:
        if arguments.only not in name:
            continue
        for kind, changes in KINDS:
            one, together = turns([size | c for c in changes], gw.load(source), arguments.every)
            rounds = [(spent(one), spent(together)) for _ in range(arguments.rounds + 1)][1:]
            a, b = (median(row[place] for row in rounds) * 1000 / arguments.every for place in (0, 1))
            ratio = median(a / b for a, b in rounds)
            print(f"| {name} | {kind} | {a:.1f} | {b:.1f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
