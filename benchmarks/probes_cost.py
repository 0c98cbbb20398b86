"""What the probes cost: of a training run of ours, and of `Monitor` in a loop written by hand, as shares of the training time.

    OMP_NUM_THREADS=1 python benchmarks/probes_cost.py            prints the table
    OMP_NUM_THREADS=1 python benchmarks/probes_cost.py --rounds 9 more rounds

CPU time on one thread. Blocks of steps without probes (A) and with them (B) take turns, A B A B. The share is that of the time
spent in the probes themselves inside the B blocks, which a busy machine disturbs little; beside it stands the ratio of the
blocks' medians, B over A, which has the noise of the machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

import torch

import ganwise as gw
from ganwise import catalog
from ganwise.probes import RARE, Watch
from ganwise.train import Batches, step

EVERY = 20
Clock = Callable[[], float]


class Block(NamedTuple):
    """CPU seconds of a block of steps, and those of them that the probes took."""

    whole: float
    probes: float


class Case(NamedTuple):
    name: str
    limit: float  # the share that is allowed
    blocks: Iterator[Block]  # without and with probes, in turns


def ours(recipe: str, source: str) -> Iterator[Block]:
    """Blocks of as many steps as there are between two dear records."""
    data = gw.load(source)
    gan = gw.build(catalog.named(recipe), data.shape, classes=len(data.classes))
    batches = Batches(data.part("train"), data.labels[data.split.train], gan, seed=0)
    gan.fit(batches.values, batches.labels)
    watch, t = Watch(gan, batches.values, batches.labels, data, EVERY), 0
    with_probes = False
    while True:
        begin, spent = time.process_time(), 0.0
        for _ in range(RARE * EVERY):
            due, now = with_probes and (t + 1) % EVERY == 0, time.process_time()
            before = watch.before() if due else {}
            spent += time.process_time() - now
            d, g, signals = step(gan, batches, t)
            t, now = t + 1, time.process_time()
            if due:
                watch.read(t, d, g, signals, before)
                spent += time.process_time() - now
        yield Block(time.process_time() - begin, spent if with_probes else 0.0)
        with_probes = not with_probes


def cases() -> list[Case]:
    return [
        Case("fcgan (mlp), digits, 8 x 8", 0.03, ours("fcgan", "digits")),
        Case("dcgan, mnist-10k, 28 x 28", 0.03, ours("dcgan", "mnist-10k")),
        Case("wgan-gp (mlp), ring", 0.03, ours("wgan-gp", "ring")),
        Case("sngan (resnet), digits, 8 x 8", 0.03, ours("sngan", "digits")),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print("| run | ms a step | probes | allowed | B over A |\n|---|---|---|---|---|")
    for case in cases():
        next(case.blocks), next(case.blocks)  # warm
        plain, probed = [], []
        for _ in range(rounds):
            plain.append(next(case.blocks).whole)
            probed.append(next(case.blocks))
        share = median(b.probes / (b.whole - b.probes) for b in probed)
        ratio = median(b.whole for b in probed) / median(plain)
        print(
            f"| {case.name} | {median(plain) / RARE / EVERY * 1000:.2f} | {share:.2%} | {case.limit:.0%} | {ratio:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
